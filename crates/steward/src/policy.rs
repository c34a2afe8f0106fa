//! The policy in operation: read from its file, changed while the Steward serves, tried before it is changed.
//!
//! ```text
//! policy      what decides; a file that turns bad leaves the last good one in force
//! next        what is judged besides, and only warns: the records tell whom it would refuse
//! ```
//!
//! A change goes `check` → `test` on stored evidence → `diff` against the inventory → `next` (warn) → `policy` (enforce).

pub mod judge;
pub mod live;
pub mod rules;

use std::path::PathBuf;

use attest::policy::{PROFILES, Policy, PolicyError};
use endorsement::file::{FileError, read_bounded};

/// A policy and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sourced {
    /// The policy.
    pub policy: Policy,
    /// Its text as it was written.
    pub text: String,
}

/// A policy that cannot be read.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum PolicyFileError {
    #[error("cannot read the policy `{name}`: {source}\nhint: name a file, or one of strict, standard, lab")]
    Read { name: String, source: FileError },
    #[error("the policy `{0}` is no text")]
    NoText(String),
    #[error("the policy `{name}` cannot be used: {error}")]
    Policy { name: String, error: PolicyError },
}

/// Reads a policy by the name of a shipped profile, or by the path of its file: TOML, or JSON where the path says so.
///
/// A file of the old Steward (tables `snp` and `sgx` alone) knows nothing of claims: it means that evidence which is bound
/// to a key alone is accepted.
pub fn read(name: &str) -> Result<Sourced, PolicyFileError> {
    let shipped = PROFILES.iter().find(|(known, _)| *known == name);
    let text = match shipped {
        Some((_, text)) => (*text).to_owned(),
        None => {
            let bytes = read_bounded(&PathBuf::from(name))
                .map_err(|source| PolicyFileError::Read { name: name.to_owned(), source })?;
            String::from_utf8(bytes).map_err(|_| PolicyFileError::NoText(name.to_owned()))?
        }
    };
    let text = match is_old(&text) {
        true => format!("{text}\n[accept]\ntees = [\"snp\", \"sgx\"]\nlegacy_enarx = true\n"),
        false => text,
    };
    let read = if name.ends_with(".json") { Policy::from_json(&text) } else { Policy::from_toml(&text) };
    let policy = read.map_err(|error| PolicyFileError::Policy { name: name.to_owned(), error })?;
    Ok(Sourced { policy, text })
}

fn is_old(text: &str) -> bool {
    let table: Result<toml::Table, _> = toml::from_str(text);
    table.is_ok_and(|table| !table.is_empty() && table.keys().all(|key| key == "snp" || key == "sgx"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_have_names_or_files() {
        assert!(read("strict").is_ok());
        let directory = tempfile::tempdir().expect("a directory");
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).expect("written");
            read(&path.to_string_lossy())
        };
        let old = file("old.toml", "[snp]\nabi = \">1.0\"\n").expect("an old policy").policy;
        assert!(old.accept.legacy_enarx);
        let new = file("new.toml", "version = 1\n").expect("a policy").policy;
        assert!(!new.accept.legacy_enarx);
        assert_eq!(file("new.json", "{\"version\": 1}").expect("a policy").policy, new);
        assert!(matches!(file("bad.toml", "[snpp]\n"), Err(PolicyFileError::Policy { .. })));
        assert!(matches!(read("nowhere"), Err(PolicyFileError::Read { .. })));
    }
}
