//! The old Steward's flags, variables and files, in today's words.

use super::Settings;
use crate::cli::Old;
use crate::command::Environment;
use crate::failure::Failure;
use crate::profiles::THROWAWAY;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Lifetime of the old Steward's certificates, in seconds: 28 days.
const LIFETIME: i64 = 28 * 24 * 60 * 60;
/// The trust domain where nobody named one.
const TRUST_DOMAIN: &str = "steward.local";

/// Replaces `@file` by the flags in that file, a flat TOML table of their names.
pub fn expand(arguments: Vec<String>) -> Result<Vec<String>, Failure> {
    let mut expanded = Vec::with_capacity(arguments.len());
    for argument in arguments {
        let Some(path) = argument.strip_prefix('@') else {
            expanded.push(argument);
            continue;
        };
        let failed = |reason: String| Failure::refused(format!("cannot take flags from `{path}`: {reason}"));
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let flags: Table = text.parse().map_err(|error: toml::de::Error| failed(error.to_string()))?;
        for (name, value) in flags {
            expanded.push(format!("--{name}"));
            expanded.push(match value {
                Value::String(text) => text,
                other => other.to_string(),
            });
        }
    }
    Ok(expanded)
}

/// Whether a file is a policy of the old Steward: it knew two tables and nothing else.
pub fn is_policy(text: &str) -> bool {
    let table: Option<Table> = text.parse().ok();
    table.is_some_and(|table| !table.is_empty() && table.keys().all(|key| key == "snp" || key == "sgx"))
}

/// The flags of a process that was set up through variables, with this policy.
pub fn from_variables(policy: &Path, environment: &Environment) -> Old {
    let path = |name| environment.variable(name).map(PathBuf::from);
    Old {
        key: path("STEWARD_KEY"),
        crt: path("STEWARD_CRT"),
        san: environment.variable("STEWARD_SAN"),
        config: Some(policy.to_owned()),
        ..Old::default()
    }
}

/// What the flags mean.
pub fn translate(flags: &Old) -> Result<Settings, Failure> {
    let domain = flags.san.as_deref().or(flags.host.as_deref()).unwrap_or(TRUST_DOMAIN);
    let mut settings = match (&flags.key, &flags.crt, &flags.host) {
        (Some(key), Some(crt), None) => {
            let policy = match &flags.config {
                Some(path) => path.display().to_string(),
                // The old Steward accepted any code on any machine without a policy; we do not.
                None => {
                    return Err(Failure::refused("no policy is given")
                        .hint("name one with `--config FILE`".to_owned()));
                }
            };
            let profile = profile("production", &key.display().to_string(), &policy, domain);
            let mut table = settings("production", profile);
            set(&mut table, &["profiles", "production", "certificates"], crt.display().to_string().into());
            table
        }
        (None, None, Some(_)) => development(domain),
        _ => {
            return Err(Failure::refused("neither key and certificate nor a host is given").hint(
                "use `steward serve`, or give --key and --crt (STEWARD_KEY and STEWARD_CRT)".to_owned(),
            ));
        }
    };
    if let Some(san) = &flags.san {
        for profile in ["production", "lab"] {
            if settings.get("profiles").and_then(|profiles| profiles.get(profile)).is_some() {
                set(&mut settings, &["profiles", profile, "template", "dns"], vec![san.clone()].into());
            }
        }
    }
    let address = flags.addr.unwrap_or(std::net::Ipv6Addr::UNSPECIFIED.into());
    let listen = std::net::SocketAddr::new(address, flags.port.unwrap_or(3000)).to_string();
    set(&mut settings, &["server", "listen"], vec![listen].into());
    settings.try_into().map_err(|error: toml::de::Error| Failure::refused(error.message()))
}

/// Settings for development: a throw-away key, and certificates that only a lab takes.
pub(super) fn development(domain: &str) -> Table {
    settings("lab", profile("lab", THROWAWAY, "lab", domain))
}

fn settings(name: &str, profile: Table) -> Table {
    let profiles = Table::from_iter([(name.to_owned(), Value::Table(profile))]);
    Table::from_iter([("profiles".to_owned(), Value::Table(profiles))])
}

fn profile(grade: &str, key: &str, policy: &str, domain: &str) -> Table {
    let template = Table::from_iter([("trust_domain".to_owned(), domain.into())]);
    Table::from_iter([
        ("grade".to_owned(), grade.into()),
        ("key".to_owned(), key.into()),
        ("policy".to_owned(), policy.into()),
        ("lifetime_seconds".to_owned(), LIFETIME.into()),
        ("template".to_owned(), Value::Table(template)),
    ])
}

fn set(table: &mut Table, path: &[&str], value: Value) {
    match path {
        [] => {}
        [key] => {
            table.insert((*key).to_owned(), value);
        }
        [key, rest @ ..] => {
            let inner = table.entry(*key).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                set(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issue::Grade;

    #[test]
    fn flags_mean_what_they_meant() {
        let flags = Old {
            key: Some("ca.key".into()),
            crt: Some("ca.crt".into()),
            config: Some("policy.toml".into()),
            port: Some(8080),
            san: Some("keep.example".to_owned()),
            ..Old::default()
        };
        let settings = translate(&flags).expect("they are complete");
        let profile = &settings.profiles["production"];
        assert_eq!((profile.key.as_deref(), profile.policy.as_str()), (Some("ca.key"), "policy.toml"));
        assert_eq!((profile.grade, profile.lifetime_seconds), (Grade::Production, 2_419_200));
        assert_eq!(profile.template.dns, ["keep.example"]);
        assert_eq!(settings.server.listen[0].to_string(), "[::]:8080");

        let host = Old { host: Some("steward.example".to_owned()), ..Old::default() };
        assert_eq!(translate(&host).expect("a host is enough").profiles["lab"].grade, Grade::Lab);
        let open = Old { config: None, ..flags };
        assert!(translate(&open).is_err(), "without a policy nothing would be refused");
    }

    #[test]
    fn files_of_flags_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("flags.toml");
        std::fs::write(&path, "key = \"ca.key\"\nport = 80").expect("writable");
        let arguments = expand(vec!["steward".to_owned(), format!("@{}", path.display())]).expect("a table");
        assert_eq!(arguments, ["steward", "--key", "ca.key", "--port", "80"]);
    }

    #[test]
    fn policies_of_the_old_steward_are_recognised() {
        assert!(is_policy("[snp]\nhash = []"));
        assert!(!is_policy("[server]\nlisten = []\n[snp]"));
        assert!(!is_policy(""));
    }
}
