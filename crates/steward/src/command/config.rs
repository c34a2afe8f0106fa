//! `steward config`: settings, looked at.

use super::Environment;
use crate::cli::Serve;
use crate::failure::Failure;
use crate::output;
use crate::profiles::Profiles;
use crate::settings::Settings;
use std::path::PathBuf;

/// Reads everything that `serve` would read, and says what it would serve.
pub fn check(config: Option<PathBuf>, environment: &Environment) -> Result<(), Failure> {
    let settings = Settings::for_serving(&Serve { config, ..Serve::default() }, environment)?;
    let profiles = Profiles::open(&settings, environment)?;
    service::server::Service::new("steward", settings.server.clone()).map_err(|error| Failure::of(&error))?;
    for entry in profiles.iter() {
        let issuing = entry.issuers().newest.issuing().common_name().to_owned();
        output::data(&format!(
            "profile {}: {:?}, issued by `{issuing}` for {} s at most\n",
            entry.profile.name, entry.profile.grade, entry.profile.lifetime
        ));
    }
    let listen: Vec<String> = settings.server.listen.iter().map(ToString::to_string).collect();
    output::data(&format!("listens on {}\n", listen.join(", ")));
    Ok(())
}
