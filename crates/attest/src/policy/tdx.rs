//! The section for Intel TDX.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::bits::{BitRules, Field};
use super::dcap::{PlatformPolicy, TcbPolicy};
use super::hex::Hex;

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

/// TDATTRIBUTES (TDX module 1.5 ABI, TD_ATTRIBUTES).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attribute {
    /// DEBUG.
    Debug,
    /// LASS.
    Lass,
    /// SEPT_VE_DISABLE: the host cannot make the TD's own memory raise #VE. Azure's TDs of 2023 and 2024 ran without.
    SeptVeDisable,
    /// MIGRATABLE.
    Migratable,
    /// PKS.
    Pks,
    /// KL, key locker.
    Kl,
    /// PERFMON.
    Perfmon,
}

/// XFAM: extended state (SDM volume 1, section 13.1, state components).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// x87.
    X87,
    /// SSE.
    Sse,
    /// AVX.
    Avx,
    /// AVX-512: opmask, upper halves, upper registers.
    Avx512,
    /// Processor trace.
    Pt,
    /// Protection keys of users.
    Pkru,
    /// Control-flow enforcement, user and supervisor.
    Cet,
    /// User interrupts.
    Uintr,
    /// Last branch records.
    Lbr,
    /// AMX: tile configuration and data.
    Amx,
}

impl Field for Attribute {
    const ALL: &'static [Self] =
        &[Self::Debug, Self::Lass, Self::SeptVeDisable, Self::Migratable, Self::Pks, Self::Kl, Self::Perfmon];

    fn mask(self) -> u64 {
        match self {
            Self::Debug => 1,
            Self::Lass => 1 << 27,
            Self::SeptVeDisable => 1 << 28,
            Self::Migratable => 1 << 29,
            Self::Pks => 1 << 30,
            Self::Kl => 1 << 31,
            Self::Perfmon => 1 << 63,
        }
    }
}

impl Field for State {
    const ALL: &'static [Self] = &[
        Self::X87,
        Self::Sse,
        Self::Avx,
        Self::Avx512,
        Self::Pt,
        Self::Pkru,
        Self::Cet,
        Self::Uintr,
        Self::Lbr,
        Self::Amx,
    ];

    fn mask(self) -> u64 {
        match self {
            Self::X87 => 1,
            Self::Sse => 1 << 1,
            Self::Avx => 1 << 2,
            Self::Avx512 => 0b111 << 5,
            Self::Pt => 1 << 8,
            Self::Pkru => 1 << 9,
            Self::Cet => 0b11 << 11,
            Self::Uintr => 1 << 14,
            Self::Lbr => 1 << 15,
            Self::Amx => 0b11 << 17,
        }
    }
}
