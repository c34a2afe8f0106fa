//! What the operator says: `drawbridge.toml`, `DRAWBRIDGE_*`, flags.

use serde::{Deserialize, Deserializer};
use service::limits::{Limits, Rate};
use service::listen::Endpoint;
use service::server;
use std::path::PathBuf;
use toml::{Table, Value};

/// What environment variables start with.
pub const PREFIX: &str = "DRAWBRIDGE_";

/// What the operator says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Configuration {
    /// The folder of the store.
    pub store: PathBuf,
    /// A PostgreSQL for the index, as a URL; without one it is in the folder.
    pub database: Option<String>,
    /// The folder of the record of releases; without one it is `audit` in the store's.
    pub audit: Option<PathBuf>,
    /// Bytes that each new user may store.
    pub quota_bytes: u64,
    /// The largest blob.
    pub blob_bytes: u64,
    /// How long what nobody needs is kept, and an upload that nobody goes on with.
    pub garbage_hours: u32,
    /// Sockets, TLS, limits, logs.
    #[serde(deserialize_with = "over_defaults")]
    pub server: server::Settings,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            store: "/var/lib/drawbridge".into(),
            database: None,
            audit: None,
            quota_bytes: 10 << 30,
            blob_bytes: 4 << 30,
            garbage_hours: 24,
            server: server_defaults(),
        }
    }
}

/// A package may be ten thousand small files, or one that takes long.
fn server_defaults() -> server::Settings {
    let limits = Limits {
        answer_seconds: 0,
        requests_per_connection: 100_000,
        rate_per_address: Rate { per_second: 2000, burst: 4000 },
        ..Limits::default()
    };
    server::Settings {
        listen: vec![Endpoint::Tcp("[::]:8080".to_owned())],
        limits,
        ..server::Settings::default()
    }
}

/// Reads `[server]` over our own defaults, which are not those of every server.
fn over_defaults<'de, D: Deserializer<'de>>(deserializer: D) -> Result<server::Settings, D::Error> {
    use serde::de::Error;
    let said = Table::deserialize(deserializer)?;
    let mut merged = Table::try_from(server_defaults()).map_err(D::Error::custom)?;
    merge(&mut merged, said);
    // Whole tables have names of their own in the message; what `toml` adds to it is of no use here.
    server::Settings::deserialize(Value::Table(merged)).map_err(|error| D::Error::custom(error.message()))
}

fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => merge(under, over),
            (_, value) => drop(under.insert(key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_as_it_was() {
        let said: Configuration = toml::from_str("[server.limits]\nrequests = 7").expect("reads");
        assert_eq!((said.server.limits.requests, said.server.limits.answer_seconds), (7, 0));
        assert_eq!(said.server.listen, Configuration::default().server.listen);
    }

    #[test]
    fn unknown_keys_are_refused() {
        for text in ["stroe = \"/x\"", "[server]\nlisten_on = \"x\"", "[server.limits]\nrequest = 7"] {
            assert!(toml::from_str::<Configuration>(text).is_err(), "{text}");
        }
    }
}
