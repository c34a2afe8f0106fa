//! What an owner says of a repository: who may read it, and which keeps it is released to.

use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// What an owner says of a repository. `{"public": true}` is all that clients before 0.8 say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Whether everybody may read.
    pub public: bool,
    /// Whether a tag may come to stand for something else. Semantic versions never do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub movable_tags: bool,
    /// Users who may read besides the owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readers: Vec<String>,
    /// Public keys in PEM: with any, each tag must be signed by one of them, when it is published and when it is released.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signers: Vec<String>,
    /// Which keeps get the content of a repository that is not public; without it, none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
}

/// Which keeps a package is released to. The package itself is never a matter of policy: a keep's certificate names the
/// one package that it runs, and it gets no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Where a keep gets its certificate; told to everybody, since a keep asks before it has one.
    pub steward: String,
    /// The roots of the Stewards whose certificates count, in PEM.
    pub roots: Vec<String>,
    /// The trust domain of their certificates.
    pub trust_domain: String,
    /// Kinds of environments, such as `snp`; empty: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tee: Vec<String>,
    /// The least trust.
    #[serde(default)]
    pub minimum_trust: Trust,
    /// SHA-384 of the policies that Stewards may have judged by, in hexadecimal; empty: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
}

/// How far an environment can be trusted, least first, in the words of attestation results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// Nobody vouches for the keep.
    Unattested,
    /// A simulator does.
    Simulated,
    /// The host can look inside.
    Debug,
    /// The Steward's policy excused something.
    Tolerated,
    /// Nothing had to be excused.
    #[default]
    Affirming,
}

impl Settings {
    /// The text that the index keeps, and that clients get.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl FromStr for Settings {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

impl Trust {
    /// Reads the word of an attestation result.
    pub fn named(word: &str) -> Option<Self> {
        serde_json::from_value(word.into()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_strict() {
        let release = r#"{"steward":"https://s","roots":[],"trust_domain":"t"}"#;
        for text in [r#"{"public":true}"#, &format!(r#"{{"public":false,"release":{release}}}"#)] {
            let settings: Settings = text.parse().expect(text);
            assert_eq!(settings.to_json().parse::<Settings>().expect("reads back"), settings);
        }
        for text in [
            "",
            "{}",
            "[]",
            r#"{"public":1}"#,
            r#"{"public":true,"relaese":{}}"#,
            r#"{"public":true,"public":true}"#,
        ] {
            assert!(text.parse::<Settings>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_least_trust_is_the_highest_unless_said() {
        let release: Release =
            serde_json::from_str(r#"{"steward":"","roots":[],"trust_domain":""}"#).expect("reads");
        assert_eq!(release.minimum_trust, Trust::Affirming);
        assert!(Trust::named("debug") < Trust::named("tolerated"));
        assert_eq!(Trust::named("great"), None);
    }
}
