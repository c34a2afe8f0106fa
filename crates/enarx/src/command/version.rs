//! `enarx --version [--json]`.

use crate::failure::Failure;
use crate::output::Output;
use serde::Serialize;

/// The commit this was built from, if the build knew it.
const COMMIT: Option<&str> = option_env!("ENARX_COMMIT");
/// Kinds of keep this version launches.
const KEEPS: &[&str] =
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) { &["process", "kvm"] } else { &["process"] };

#[derive(Serialize)]
struct Version {
    name: &'static str,
    version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'static str>,
    keeps: &'static [&'static str],
    system: &'static str,
    processor: &'static str,
}

/// Prints the version.
pub fn run(json: bool, output: &Output) -> Result<(), Failure> {
    let version = Version {
        name: "enarx",
        version: env!("CARGO_PKG_VERSION"),
        commit: COMMIT,
        keeps: KEEPS,
        system: std::env::consts::OS,
        processor: std::env::consts::ARCH,
    };
    if json {
        return output.json(&version);
    }
    let commit = version.commit.map(|commit| format!(" ({commit})")).unwrap_or_default();
    output.data(&format!("{} {}{commit}\n", version.name, version.version));
    Ok(())
}
