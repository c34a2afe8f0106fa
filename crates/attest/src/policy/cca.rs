//! The section for Arm CCA.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::digest::{Digest, Registers};
use super::hex::Hex;
use crate::cca::platform::Lifecycle;

/// Rules for Arm CCA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CcaPolicy {
    /// Initial measurements of the realm (RIM); empty means any.
    pub hash: Vec<Digest>,
    /// Initial measurements of the realm that are refused.
    pub hash_blacklist: Vec<Digest>,
    /// Accepted values of the extensible measurements (REM), 0 to 3.
    pub rems: Registers,
    /// Personalization values; empty means any.
    pub personalization: Vec<Hex<64>>,
    /// Profiles of platform and realm tokens; empty means every one that is known. The old realm token has the name
    /// `legacy`.
    pub profiles: Vec<String>,
    /// Implementations of the platform; empty means any whose keys are configured.
    pub implementation_ids: Vec<Hex<32>>,
    /// Instances of the platform; empty means any whose keys are configured.
    pub instance_ids: Vec<Hex<33>>,
    /// States of the platform.
    pub lifecycle: Vec<Lifecycle>,
    /// Signers of the platform's software: each component has one of them; empty means any.
    pub signer: Vec<Digest>,
    /// Measurements of the platform's software: each component has one of them; empty means any.
    pub components: Vec<Digest>,
}

impl Default for CcaPolicy {
    fn default() -> Self {
        Self {
            hash: Vec::new(),
            hash_blacklist: Vec::new(),
            rems: Registers::new(),
            personalization: Vec::new(),
            profiles: Vec::new(),
            implementation_ids: Vec::new(),
            instance_ids: Vec::new(),
            lifecycle: alloc::vec![Lifecycle::Secured],
            signer: Vec::new(),
            components: Vec::new(),
        }
    }
}
