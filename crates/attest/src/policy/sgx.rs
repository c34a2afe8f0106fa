//! The section for Intel SGX.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::bits::{BitRules, Flag};
use super::dcap::{PlatformPolicy, TcbPolicy};
use super::hex::Hex;
use crate::sgx::flags::Attribute;

/// Rules for SGX. The first eight keys are those of the old Steward.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SgxPolicy {
    /// MRSIGNER; empty means any.
    pub signer: Vec<Hex<32>>,
    /// MRENCLAVE; empty means any.
    pub hash: Vec<Hex<32>>,
    /// MRENCLAVE that is refused.
    pub hash_blacklist: Vec<Hex<32>>,
    /// The only attributes that may be set beside INIT and MODE64BIT. A debug enclave must be accepted in general, too.
    pub features: Option<Vec<Feature>>,
    /// The only bits of MISCSELECT that may be set.
    pub misc_select: Option<Vec<Misc>>,
    /// The least ISVSVN.
    pub enclave_security_version: Option<u16>,
    /// ISVPRODID.
    pub enclave_product_id: Option<u16>,
    /// Advisories that excuse every status but a revoked one, for ever. Exceptions in `tcb` say more.
    pub allowed_advisories: Vec<String>,
    /// ATTRIBUTES, bit by bit.
    pub attributes: BitRules<Attribute>,
    /// CONFIGID; empty means any.
    pub config_id: Vec<Hex<64>>,
    /// The least CONFIGSVN.
    pub config_svn: Option<u16>,
    /// ISVFAMILYID; empty means any.
    pub family_id: Vec<Hex<16>>,
    /// ISVEXTPRODID; empty means any.
    pub extended_product_id: Vec<Hex<16>>,
    /// What TCB is accepted.
    pub tcb: TcbPolicy,
    /// Which platforms are accepted.
    pub platform: PlatformPolicy,
}

/// The old Steward's names for attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Feature {
    /// CET.
    #[serde(rename = "CET")]
    Cet,
    /// DEBUG.
    Debug,
    /// EINITTOKEN_KEY.
    EInitKey,
    /// KSS.
    #[serde(rename = "KSS")]
    Kss,
    /// PROVISIONKEY.
    ProvisioningKey,
}

/// Bits of MISCSELECT (SDM volume 3D, section 37.7.2, table 37-5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Misc {
    /// EXINFO.
    #[serde(rename = "EXINFO")]
    ExInfo,
    /// CPINFO.
    #[serde(rename = "CPINFO")]
    CpInfo,
}

impl SgxPolicy {
    /// A value that is both accepted and refused, if there is one.
    pub(super) fn contradiction(&self) -> Option<String> {
        let hash = self.hash.iter().find(|hash| self.hash_blacklist.contains(hash))?;
        Some(alloc::format!("same hash `{hash}` in both `hash` and `hash_blacklist`"))
    }
}

impl Feature {
    /// The bits of the name.
    pub fn mask(self) -> u64 {
        match self {
            Self::Cet => Attribute::Cet,
            Self::Debug => Attribute::Debug,
            Self::EInitKey => Attribute::EinitTokenKey,
            Self::Kss => Attribute::Kss,
            Self::ProvisioningKey => Attribute::ProvisionKey,
        }
        .mask()
    }
}

impl Misc {
    /// The bit of the name.
    pub fn mask(self) -> u64 {
        match self {
            Self::ExInfo => 1,
            Self::CpInfo => 1 << 1,
        }
    }
}
