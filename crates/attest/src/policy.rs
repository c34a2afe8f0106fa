//! The appraisal policy: which platforms are good enough.
//!
//! TOML or JSON, strict: an unknown key is an error. A file of the old Steward (tables `snp` and `sgx` alone) is a policy.
//! Parts that all environments share stand here; each environment has its section in a module of its own.

pub mod bits;
pub mod dcap;
pub mod hex;
pub mod sgx;
pub mod snp;
pub mod tdx;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use self::hex::Hex;
use crate::crypto::sha384;
use crate::evidence::Tee;

/// The version of the format.
pub const VERSION: u32 = 1;

/// The profiles that come with the crate, by name.
pub const PROFILES: [(&str, &str); 3] = [
    ("strict", "[freshness]\nnonce_required = true\n"),
    ("standard", ""),
    (
        "lab",
        "[accept]\nunattested = true\ndebug = true\n[revocation]\nrequired = false\n[freshness]\nbinding_required = false\n",
    ),
];

/// The largest policy.
const MAX_SIZE: usize = 1024 * 1024;

/// An appraisal policy for evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The version of the format; files of the old Steward have none.
    #[serde(default = "version")]
    pub version: u32,
    /// What is accepted at all.
    #[serde(default)]
    pub accept: Accept,
    /// How fresh revocation lists must be.
    #[serde(default)]
    pub revocation: Revocation,
    /// How fresh evidence must be.
    #[serde(default)]
    pub freshness: Freshness,
    /// AMD SEV-SNP.
    #[serde(default)]
    pub snp: snp::SnpPolicy,
    /// Intel SGX.
    #[serde(default)]
    pub sgx: sgx::SgxPolicy,
    /// Intel TDX.
    #[serde(default)]
    pub tdx: tdx::TdxPolicy,
}

/// What is accepted at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Accept {
    /// The kinds of environments; empty means every attested one.
    pub tees: Vec<Tee>,
    /// Keeps that nobody vouches for.
    pub unattested: bool,
    /// Environments that the host can look into.
    pub debug: bool,
    /// Roots of simulators, by the SHA-256 of their certificates.
    pub development_roots: Vec<Hex<32>>,
}

/// How fresh revocation lists must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Revocation {
    /// Refuse when a list is missing or outdated; otherwise say so in a note. A revoked certificate is always refused.
    pub required: bool,
    /// The most seconds since a list was issued.
    pub max_age_seconds: Option<u64>,
}

/// How fresh evidence must be, and what it must be bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Freshness {
    /// Refuse evidence that there is nothing to compare the report data with.
    pub binding_required: bool,
    /// Refuse evidence that answers no nonce of the verifier.
    pub nonce_required: bool,
}

/// A policy that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyError {
    /// Over the limit of size.
    TooLarge {
        /// Its size in bytes.
        found: usize,
    },
    /// Not TOML or JSON, or not of this shape.
    Syntax(String),
    /// A version of the format that is not known.
    Version {
        /// The version named.
        found: u32,
    },
}

impl Policy {
    /// A profile that comes with the crate: `strict`, `standard` or `lab`.
    pub fn profile(name: &str) -> Option<Result<Self, PolicyError>> {
        let (_, text) = PROFILES.iter().find(|(known, _)| *known == name)?;
        Some(Self::from_toml(text))
    }

    /// Reads a TOML file.
    pub fn from_toml(text: &str) -> Result<Self, PolicyError> {
        Self::checked(text, |text| {
            toml::from_str(text).map_err(|error| PolicyError::Syntax(alloc::format!("{error}")))
        })
    }

    /// Reads a JSON file.
    pub fn from_json(text: &str) -> Result<Self, PolicyError> {
        Self::checked(text, |text| {
            serde_json::from_str(text).map_err(|error| PolicyError::Syntax(alloc::format!("{error}")))
        })
    }

    /// SHA-384 of the policy as compact JSON with every field written out: equal policies have equal digests, whatever
    /// their files look like.
    pub fn digest(&self) -> [u8; 48] {
        // Plain data with string keys: serialization cannot fail.
        sha384(&serde_json::to_vec(self).unwrap_or_default())
    }

    fn checked(
        text: &str,
        read: impl FnOnce(&str) -> Result<Self, PolicyError>,
    ) -> Result<Self, PolicyError> {
        if text.len() > MAX_SIZE {
            return Err(PolicyError::TooLarge { found: text.len() });
        }
        let policy = read(text)?;
        match policy.version {
            VERSION => Ok(policy),
            found => Err(PolicyError::Version { found }),
        }
    }
}

impl Default for Revocation {
    fn default() -> Self {
        Self { required: true, max_age_seconds: None }
    }
}

impl Default for Freshness {
    fn default() -> Self {
        Self { binding_required: true, nonce_required: false }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { found } => write!(f, "policy of {found} bytes is over the limit of {MAX_SIZE}"),
            Self::Syntax(message) => f.write_str(message),
            Self::Version { found } => {
                write!(f, "policy version {found} is not known, this is version {VERSION}")
            }
        }
    }
}

impl core::error::Error for PolicyError {}

fn version() -> u32 {
    VERSION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_have_one_digest() {
        let toml = Policy::from_toml("version = 1\n[revocation]\nrequired = false\n").expect("valid");
        let json = Policy::from_json(r#"{"revocation":{"required":false}}"#).expect("valid");
        assert_eq!(toml, json);
        assert_eq!(toml.digest(), json.digest());
    }

    #[test]
    fn policies_are_strict() {
        fn check(text: &str) {
            assert!(Policy::from_toml(text).is_err(), "{text}");
        }
        check("version = 2");
        check("unknown = 1");
        check("[snp]\nunknown = 1");
        check("[snp]\nhash = [\"00\"]");
    }
}
