//! The appraisal policy: which platforms are good enough.
//!
//! TOML or JSON, strict: an unknown key is an error. A file of the old Steward (tables `snp` and `sgx` alone) is a policy.
//! Parts that all environments share stand here; each environment has its section in a module of its own.

pub mod bits;
pub mod cca;
pub mod dcap;
pub mod digest;
pub mod hex;
mod hint;
pub mod nitro;
pub mod sgx;
pub mod snp;
pub mod tdx;
pub mod vtpm;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;

use serde::{Deserialize, Serialize};

use self::hex::Hex;
use crate::crypto::sha384;
use crate::evidence::Tee;

/// The version of the format.
pub const VERSION: u32 = 1;

/// The profiles that come with the crate, by name: dated data, to be reviewed with every bulletin of a vendor.
pub const PROFILES: [(&str, &str); 3] = [
    ("strict", include_str!("../policy/profiles/strict.toml")),
    ("standard", include_str!("../policy/profiles/standard.toml")),
    ("lab", include_str!("../policy/profiles/lab.toml")),
];

/// The largest policy.
const MAX_SIZE: usize = 1024 * 1024;

/// An appraisal policy for evidence: rules as they were read, which nobody changes afterwards, and their digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    rules: Rules,
    digest: [u8; 48],
}

/// The rules of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// The version of the format; files of the old Steward have none.
    #[serde(default = "version")]
    pub version: u32,
    /// The day its floors were last reviewed; says nothing to the verifier.
    #[serde(default)]
    pub dated: Option<String>,
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
    /// Arm CCA.
    #[serde(default)]
    pub cca: cca::CcaPolicy,
    /// AWS Nitro enclaves.
    #[serde(default)]
    pub nitro: nitro::NitroPolicy,
    /// Azure's virtual TPM, around SEV-SNP or TDX.
    #[serde(default)]
    pub vtpm: vtpm::VtpmPolicy,
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
    /// Evidence in the form of old keeps, bound to a key alone: the result then speaks of no workload.
    pub legacy_enarx: bool,
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
    /// The same for single issuers by their common names, in place of the general limit: some publish once a year.
    pub max_age_of: BTreeMap<String, u64>,
    /// The least cRLNumber, by the common name of the certificate that the list must cover ("SEV-Milan", "SEV-VLEK-Milan"):
    /// a list that was replaced is never taken again.
    pub minimum_number: BTreeMap<String, u64>,
}

/// How fresh evidence must be, and what it must be bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Freshness {
    /// Refuse evidence that there is nothing to compare the report data with.
    pub binding_required: bool,
    /// Refuse evidence that answers no nonce of the verifier.
    pub nonce_required: bool,
    /// The most seconds that a result holds; nothing means as long as its certificates and lists.
    pub result_seconds: Option<u64>,
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
    /// A value that is both accepted and refused.
    Contradiction(String),
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

    /// SHA-384 of the rules as compact JSON with every field written out: equal policies have equal digests, whatever
    /// their files look like.
    pub fn digest(&self) -> [u8; 48] {
        self.digest
    }

    fn checked(
        text: &str,
        read: impl FnOnce(&str) -> Result<Rules, PolicyError>,
    ) -> Result<Self, PolicyError> {
        if text.len() > MAX_SIZE {
            return Err(PolicyError::TooLarge { found: text.len() });
        }
        let rules = read(text)?;
        if rules.version != VERSION {
            return Err(PolicyError::Version { found: rules.version });
        }
        if let Some(message) = rules.snp.contradiction().or_else(|| rules.sgx.contradiction()) {
            return Err(PolicyError::Contradiction(message));
        }
        // Plain data with string keys: serialization cannot fail.
        let digest = sha384(&serde_json::to_vec(&rules).unwrap_or_default());
        Ok(Self { rules, digest })
    }
}

impl Deref for Policy {
    type Target = Rules;

    fn deref(&self) -> &Rules {
        &self.rules
    }
}

impl Default for Revocation {
    fn default() -> Self {
        Self {
            required: true,
            max_age_seconds: None,
            max_age_of: BTreeMap::new(),
            minimum_number: BTreeMap::new(),
        }
    }
}

impl Default for Freshness {
    fn default() -> Self {
        Self { binding_required: true, nonce_required: false, result_seconds: None }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { found } => write!(f, "policy of {found} bytes is over the limit of {MAX_SIZE}"),
            Self::Syntax(message) => write!(f, "{message}{}", hint::nearest(message)),
            Self::Contradiction(message) => f.write_str(message),
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
        check("[snp.platform_info.bits]\nbit-60 = \"set\"");
        check("[snp.products.milan]\nlaunch_mitigations = [64]");
        check("[snp]\nhash = [\"00\"]");
    }

    #[test]
    fn files_of_the_old_steward_are_policies() {
        let hash = "ab".repeat(48);
        let snp =
            std::format!("[snp]\nsigner = [\"{hash}\"]\nid_key_digest = [\"{hash}\"]\nabi = \">1.0\"\n");
        let old =
            std::format!("{snp}policy_flags = [\"SMT\", \"SingleSocket\"]\nplatform_info_flags = \"SME\"\n");
        assert!(Policy::from_toml(&old).is_ok());
        let twice = std::format!("[snp]\nhash = [\"{hash}\"]\nhash_blacklist = [\"{hash}\"]\n");
        assert!(matches!(Policy::from_toml(&twice), Err(PolicyError::Contradiction(_))));
    }

    #[test]
    fn profiles_are_policies_with_digests_of_their_own() {
        let digests = PROFILES.map(|(name, _)| {
            let policy =
                Policy::profile(name).expect("known").unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(policy.dated.is_some(), "{name}");
            policy.digest()
        });
        assert!(digests[0] != digests[1] && digests[1] != digests[2]);
        assert!(Policy::profile("none").is_none());
    }

    #[test]
    fn the_nearest_key_is_named() {
        let error = Policy::from_toml("[snp]\nmaximum_vmlp = 1").expect_err("unknown key");
        assert!(std::format!("{error}").ends_with("did you mean `maximum_vmpl`?"), "{error}");
        let error = Policy::from_toml("zzzzzzzzzz = 1").expect_err("unknown key");
        assert!(!std::format!("{error}").contains("did you mean"), "{error}");
    }
}
