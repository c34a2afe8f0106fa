//! The section for AMD SEV-SNP.
//!
//! Keys of the old Steward keep their names and their meaning. Two of them need a word: `policy_flags` was read and never
//! enforced, here every flag it names must be set; `platform_info_flags` demands that PLATFORM_INFO is that one bit and no
//! other ("SME" is bit 0, which AMD calls SMT_EN), so only hosts of its time pass.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use semver::{Version, VersionReq};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::bits::{BitRules, Demands};
use super::hex::Hex;
use crate::snp::flags::{GuestPolicy, PlatformInfo};
use crate::snp::tcb::{Line, Product, Tcb};

/// Rules for SEV-SNP. An empty allow list accepts any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SnpPolicy {
    /// Author keys, by digest.
    pub signer: Vec<Hex<48>>,
    /// ID keys, by digest.
    pub id_key_digest: Vec<Hex<48>>,
    /// ID keys that are refused.
    pub id_key_digest_blacklist: Vec<Hex<48>>,
    /// Launch measurements.
    pub hash: Vec<Hex<48>>,
    /// Launch measurements that are refused.
    pub hash_blacklist: Vec<Hex<48>>,
    /// What the guest policy's ABI version must satisfy, patch 0: a requirement as Cargo writes them.
    pub abi: VersionReq,
    /// Bits of the guest policy that must be set.
    pub policy_flags: Vec<OldPolicyFlag>,
    /// The one bit that PLATFORM_INFO must be.
    pub platform_info_flags: Option<OldPlatformFlag>,

    /// Product lines.
    pub lines: Vec<Line>,
    /// Product lines that are refused whole.
    pub denied_lines: Vec<Line>,
    /// Floors by product; a product without an entry is judged by that of its line (`milan`, `genoa`, `turin`).
    pub products: BTreeMap<Product, ProductRules>,
    /// Demand that committed, reported and launch TCB are the same: nothing provisional, nothing lowered.
    pub settled_tcb: bool,
    /// The least GUEST_SVN.
    pub minimum_guest_svn: u32,
    /// Every bit of POLICY.
    pub guest_policy: BitRules<GuestPolicy>,
    /// Every bit of PLATFORM_INFO.
    pub platform_info: BitRules<PlatformInfo>,
    /// The highest VMPL, 0 to 3.
    pub maximum_vmpl: u32,
    /// Accept a migration agent.
    pub migration_agent: bool,
    /// Accept a report that does not name its chip.
    pub masked_chip: bool,
    /// Chips.
    pub chips: Vec<ChipId>,
    /// Chips that are refused.
    pub denied_chips: Vec<ChipId>,
    /// Cloud providers whose VLEKs are accepted.
    pub csp: Vec<String>,
    /// FAMILY_ID.
    pub family_id: Vec<Hex<16>>,
    /// IMAGE_ID.
    pub image_id: Vec<Hex<16>>,
    /// HOST_DATA.
    pub host_data: Vec<Hex<32>>,
}

/// What depends on the product.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProductRules {
    /// The least reported, committed and launch TCB.
    pub minimum_tcb: Tcb,
    /// The least committed firmware version, as major.minor.build.
    pub minimum_firmware: Option<Version>,
    /// Bits that LAUNCH_MIT_VECTOR must have, by number; a report without the vector (before version 5) has none.
    pub launch_mitigations: BTreeSet<MitigationBit>,
    /// Bits that CURRENT_MIT_VECTOR must have.
    pub current_mitigations: BTreeSet<MitigationBit>,
    /// Bits of POLICY, beyond what all products must have.
    pub guest_policy: Demands<GuestPolicy>,
    /// Bits of PLATFORM_INFO, beyond what all products must have.
    pub platform_info: Demands<PlatformInfo>,
}

/// The names of POLICY bits in the old Steward's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OldPolicyFlag {
    /// Bit 19.
    Debug,
    /// Bit 20.
    SingleSocket,
    /// Bit 16.
    #[serde(rename = "SMT")]
    Smt,
}

/// The names of PLATFORM_INFO bits in the old Steward's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OldPlatformFlag {
    /// Bit 0.
    #[serde(rename = "SME")]
    Sme,
    /// Bit 1.
    #[serde(rename = "TSME")]
    Tsme,
}

/// The number of a mitigation, 0 to 63.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct MitigationBit(u8);

/// A CHIP_ID; Turin's, of eight bytes, with zeros after them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ChipId(pub [u8; 64]);

impl SnpPolicy {
    /// The rules for a product.
    pub fn product(&self, line: Line, product: Product) -> Option<&ProductRules> {
        self.products.get(&product).or_else(|| self.products.get(&line.product()))
    }

    /// A value that is both accepted and refused, if there is one.
    pub(super) fn contradiction(&self) -> Option<String> {
        let both = |name: &str, allow: &[Hex<48>], deny: &[Hex<48>]| {
            let hash = allow.iter().find(|hash| deny.contains(hash))?;
            Some(alloc::format!("same hash `{hash}` in both `{name}` and `{name}_blacklist`"))
        };
        both("hash", &self.hash, &self.hash_blacklist)
            .or_else(|| both("id_key_digest", &self.id_key_digest, &self.id_key_digest_blacklist))
    }
}

impl OldPolicyFlag {
    /// The bit that it names.
    pub fn flag(self) -> GuestPolicy {
        match self {
            Self::Debug => GuestPolicy::Debug,
            Self::SingleSocket => GuestPolicy::SingleSocket,
            Self::Smt => GuestPolicy::Smt,
        }
    }
}

impl OldPlatformFlag {
    /// What PLATFORM_INFO must be.
    pub fn value(self) -> u64 {
        match self {
            Self::Sme => 1,
            Self::Tsme => 2,
        }
    }
}

impl MitigationBit {
    /// Its value in a vector.
    pub fn mask(self) -> u64 {
        1 << self.0
    }
}

impl TryFrom<u8> for MitigationBit {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        if number < 64 { Ok(Self(number)) } else { Err("a mitigation vector has bits 0 to 63") }
    }
}

impl From<MitigationBit> for u8 {
    fn from(bit: MitigationBit) -> Self {
        bit.0
    }
}

impl core::fmt::Debug for ChipId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        Hex(self.0).fmt(f)
    }
}

impl Serialize for ChipId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Hex(self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ChipId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let short = Hex::<8>::parse(&text).map(|Hex(short)| {
            let mut whole = [0; 64];
            whole[..8].copy_from_slice(&short);
            Self(whole)
        });
        let whole = || Hex::<64>::parse(&text).map(|Hex(whole)| Self(whole));
        short.or_else(whole).ok_or_else(|| {
            de::Error::custom(alloc::format!("expected 8 or 64 bytes in hexadecimal, found {text:?}"))
        })
    }
}
