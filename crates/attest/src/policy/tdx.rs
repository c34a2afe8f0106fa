//! The section for Intel TDX.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::bits::BitRules;
use super::dcap::{PlatformPolicy, TcbPolicy};
use super::hex::Hex;
use crate::tdx::flags::{Attribute, State};

/// Rules for TDX. Lists name what is accepted; an empty one means any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TdxPolicy {
    /// MRTD.
    pub hash: Vec<Hex<48>>,
    /// MRTD that is refused.
    pub hash_blacklist: Vec<Hex<48>>,
    /// RTMR0.
    pub rtmr0: Vec<Hex<48>>,
    /// RTMR1.
    pub rtmr1: Vec<Hex<48>>,
    /// RTMR2.
    pub rtmr2: Vec<Hex<48>>,
    /// RTMR3.
    pub rtmr3: Vec<Hex<48>>,
    /// MRCONFIGID.
    pub mr_config_id: Vec<Hex<48>>,
    /// MROWNER.
    pub mr_owner: Vec<Hex<48>>,
    /// MROWNERCONFIG.
    pub mr_owner_config: Vec<Hex<48>>,
    /// MRSEAM, the TDX module.
    pub mr_seam: Vec<Hex<48>>,
    /// MRSERVICETD; a TD that is bound to another service TD is refused.
    pub service_td: Vec<Hex<48>>,
    /// TDATTRIBUTES, bit by bit.
    pub attributes: BitRules<Attribute>,
    /// XFAM, bit by bit.
    pub xfam: BitRules<State>,
    /// What TCB is accepted.
    pub tcb: TcbPolicy,
    /// Which platforms are accepted.
    pub platform: PlatformPolicy,
}
