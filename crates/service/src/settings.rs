//! Settings from flags, environment and a file, in this order of precedence, all strict.
//!
//! A program describes its settings once, as a type with `#[serde(deny_unknown_fields)]`; here the sources are merged
//! into it. The variable `PREFIX_LIMITS__BODY_BYTES` sets `body_bytes` of the table `limits`. Values of variables are
//! text unless they are TOML for a number, a truth value, a list or a table.

use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// How alike a key must be to be named as what was meant.
const RESEMBLANCE: f64 = 0.8;

/// Where settings come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file's path and text.
    pub file: Option<(PathBuf, String)>,
    /// What variables start with, such as `STEWARD_`.
    pub prefix: &'static str,
    /// Variables with that prefix that are no settings.
    pub reserved: &'static [&'static str],
    /// The environment; variables without the prefix do not matter.
    pub environment: Vec<(String, String)>,
    /// What flags say, shaped as the file.
    pub flags: Table,
}

/// Settings that are not understood.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no TOML, or says what it may not.
    #[error("`{}` is not understood: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What and where.
        reason: String,
        /// The known key that resembles the unknown one.
        nearest: Option<String>,
    },
    /// A variable or a flag says what it may not.
    #[error("settings are not understood: {reason}")]
    Merged {
        /// What.
        reason: String,
        /// The known key that resembles the unknown one.
        nearest: Option<String>,
    },
}

impl SettingsError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Read { .. } => None,
            Self::File { nearest, .. } | Self::Merged { nearest, .. } => {
                nearest.as_ref().map(|nearest| format!("did you mean `{nearest}`?"))
            }
        }
    }
}

impl Sources {
    /// Reads the file that settings come from.
    pub fn read(mut self, path: &Path) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| SettingsError::Read { path: path.to_owned(), source })?;
        self.file = Some((path.to_owned(), text));
        Ok(self)
    }

    /// Merges the sources.
    pub fn load<T: DeserializeOwned>(&self) -> Result<T, SettingsError> {
        let mut merged = match &self.file {
            None => Table::new(),
            Some((path, text)) => text.parse().map_err(|error: toml::de::Error| refused(path, &error))?,
        };
        for (name, value) in &self.environment {
            let Some(key) =
                name.strip_prefix(self.prefix).filter(|_| !self.reserved.contains(&name.as_str()))
            else {
                continue;
            };
            let keys: Vec<String> = key.split("__").map(str::to_ascii_lowercase).collect();
            set(&mut merged, &keys, value_of(value));
        }
        merge(&mut merged, self.flags.clone());
        T::deserialize(Value::Table(merged)).map_err(|error| self.explain::<T>(&error))
    }

    /// Says where in the file the fault is, if the file alone has it.
    fn explain<T: DeserializeOwned>(&self, error: &toml::de::Error) -> SettingsError {
        if let Some((path, text)) = &self.file
            && let Err(alone) = toml::from_str::<T>(text)
            && alone.message() == error.message()
        {
            return refused(path, &alone);
        }
        SettingsError::Merged {
            reason: error.to_string().trim_end().to_owned(),
            nearest: nearest(error.message()),
        }
    }
}

fn refused(path: &Path, error: &toml::de::Error) -> SettingsError {
    SettingsError::File {
        path: path.to_owned(),
        reason: error.to_string().trim_end().to_owned(),
        nearest: nearest(error.message()),
    }
}

/// The known key nearest to an unknown one, out of serde's own words: "unknown field `x`, expected one of `a`, `b`".
fn nearest(message: &str) -> Option<String> {
    let (_, rest) =
        message.split_once("unknown field ").or_else(|| message.split_once("unknown variant "))?;
    let mut quoted = rest.split('`').skip(1).step_by(2);
    let unknown = quoted.next()?.to_lowercase();
    let known = quoted.map(|known| (strsim::jaro_winkler(&unknown, known), known));
    let like = known.filter(|(likeness, _)| *likeness >= RESEMBLANCE);
    like.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known.to_owned())
}

/// Text, unless it is TOML for something else.
fn value_of(text: &str) -> Value {
    let parsed = format!("value = {text}").parse::<Table>().ok();
    let parsed = parsed.and_then(|mut table| (table.len() == 1).then(|| table.remove("value")).flatten());
    parsed.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn set(table: &mut Table, keys: &[String], value: Value) {
    match keys {
        [] => {}
        [key] => {
            table.insert(key.clone(), value);
        }
        [key, rest @ ..] => {
            let inner = table.entry(key.clone()).or_insert_with(|| Value::Table(Table::new()));
            if !inner.is_table() {
                *inner = Value::Table(Table::new());
            }
            if let Value::Table(inner) = inner {
                set(inner, rest, value);
            }
        }
    }
}

/// Puts the second over the first, key by key.
fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => merge(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Example {
        name: String,
        listen: Vec<String>,
        limits: Limits,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Limits {
        body_bytes: u64,
        requests: u64,
    }

    fn sources(file: &str, environment: &[(&str, &str)], flags: &str) -> Sources {
        Sources {
            file: Some(("x.toml".into(), file.to_owned())),
            prefix: "X_",
            reserved: &["X_CONFIG"],
            environment: environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            flags: flags.parse().expect("flags are TOML"),
        }
    }

    #[test]
    fn flags_come_before_environment_before_file() {
        let file = "name = 'file'\n[limits]\nbody_bytes = 1\nrequests = 1";
        let environment = [("X_NAME", "env"), ("X_LIMITS__BODY_BYTES", "2"), ("X_CONFIG", "y"), ("Y", "z")];
        let loaded: Example = sources(file, &environment, "name = 'flag'").load().expect("all are known");
        assert_eq!(loaded.name, "flag");
        assert_eq!(loaded.limits, Limits { body_bytes: 2, requests: 1 });
        let listen = [("X_LISTEN", "['a', 'b']")];
        assert_eq!(sources("", &listen, "").load::<Example>().expect("a list").listen, ["a", "b"]);
    }

    #[test]
    fn faults_name_place_and_nearest_key() {
        fn check(sources: &Sources, words: &[&str], hint: Option<&str>) {
            let error = sources.load::<Example>().expect_err("there is a fault");
            let text = error.to_string();
            for word in words {
                assert!(text.contains(word), "{text}");
            }
            assert_eq!(error.hint().as_deref(), hint);
        }
        check(
            &sources("[limits]\nbody_byte = 1", &[], ""),
            &["x.toml", "line 2"],
            Some("did you mean `body_bytes`?"),
        );
        check(
            &sources("", &[("X_LIMITS__REQUEST", "1")], ""),
            &["`request`"],
            Some("did you mean `requests`?"),
        );
        check(&sources("zzz = 1", &[], ""), &["unknown field `zzz`"], None);
        check(&sources("name = 1", &[], ""), &["invalid type"], None);
        check(&sources("name = ", &[], ""), &["line 1"], None);
    }
}
