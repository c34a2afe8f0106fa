//! `steward ca`: an authority, begun, renewed, rolled over and looked at.

use super::Environment;
use crate::ca::directory::Directory;
use crate::ca::pkcs11::{AddressError, Libraries};
use crate::ca::rollover::{
    Charter, Circumstances, Entry, RolloverError, State, init, inspect, intermediate, rotate,
};
use crate::ca::source::{KeySource, Surroundings};
use crate::cli::ca::{Ca, Step};
use crate::failure::Failure;
use crate::output;
use attest::time::Time;
use serde::Serialize;
use std::path::PathBuf;

/// Takes a step.
pub fn run(step: Ca, environment: &Environment) -> Result<(), Failure> {
    match step {
        Ca::Init { folder, name, grade, curve, token, json } => {
            let charter = Charter { name, grade, curve };
            let step = Step { folder, root_key: None, token, json };
            take(&step, environment, |directory, circumstances| init(directory, &charter, circumstances))
        }
        Ca::Intermediate(step) => take(&step, environment, intermediate),
        Ca::Rotate(step) => take(&step, environment, rotate),
        Ca::Inspect { folder, json } => {
            let now = (environment.clock)();
            let entries = inspect(&Directory::new(folder), now).map_err(failed)?;
            match json {
                true => print(&entries),
                false => output::data(&entries.iter().map(|entry| line(entry, now)).collect::<String>()),
            }
            Ok(())
        }
    }
}

/// What a step made.
#[derive(Serialize)]
struct Taken<'a> {
    written: &'a [PathBuf],
    authority: &'a [Entry],
}

fn take(
    step: &Step,
    environment: &Environment,
    action: impl FnOnce(&Directory, &Circumstances<'_>) -> Result<Vec<PathBuf>, RolloverError>,
) -> Result<(), Failure> {
    let root_key = step.root_key.as_ref().map(|text| text.parse::<KeySource>()).transpose();
    let root_key =
        root_key.map_err(|error: AddressError| Failure::of(&error).hint(error.hint().to_owned()))?;
    let libraries = Libraries::default();
    let variable = |name: &str| environment.variable(name);
    let surroundings = Surroundings { environment: &variable, libraries: &libraries };
    let circumstances = Circumstances {
        surroundings: &surroundings,
        random: &|| crate::app::random().ok(),
        now: (environment.clock)(),
        token: step.token.as_deref(),
        root_key: root_key.as_ref(),
    };
    let directory = Directory::new(&step.folder);
    let written = action(&directory, &circumstances).map_err(failed)?;
    if step.json {
        let authority = inspect(&directory, circumstances.now).map_err(failed)?;
        print(&Taken { written: &written, authority: &authority });
        return Ok(());
    }
    output::data(&written.iter().map(|path| format!("wrote {}\n", path.display())).collect::<String>());
    if step.token.is_none() && written.iter().any(|path| is_root_key(path)) {
        output::warning(
            "issuing needs no root key: move it to a safe place, and bring it back for the next step",
        );
    }
    Ok(())
}

fn is_root_key(path: &std::path::Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with("root-") && name.ends_with(".key")
}

/// One certificate, on one line.
fn line(entry: &Entry, now: Time) -> String {
    const DAY: u64 = 24 * 60 * 60;
    let state = match entry.state {
        State::Issues => format!("issues, {} days left", entry.to.since(now) / DAY),
        State::Valid => format!("valid, {} days left", entry.to.since(now) / DAY),
        State::Future => format!("valid from {}", entry.from),
        State::Expired => format!("expired {}", entry.to),
    };
    let key = if entry.key { "" } else { ", key elsewhere" };
    format!("{}-{}: {} (by {}): {state}{key}\n", entry.role, entry.generation, entry.name, entry.issuer)
}

fn print(value: &impl Serialize) {
    // What is printed here has text for keys, and nothing that does not serialise.
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    output::data(&format!("{text}\n"));
}

fn failed(error: RolloverError) -> Failure {
    let hint = error.hint().to_owned();
    Failure::of(&error).hint(hint)
}
