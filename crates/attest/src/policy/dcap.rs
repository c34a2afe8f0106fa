//! Tables that the sections for SGX and TDX share.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::hex::Hex;
use crate::dcap::tcb::Status;
use crate::time::Time;

/// What TCB is accepted: an up to date one, and what exceptions say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TcbPolicy {
    /// The least tcbEvaluationDataNumber of TCB info and QE identity.
    pub minimum_evaluation: u32,
    /// The most seconds since TCB info and QE identity were issued; they outdate after thirty days in any case.
    pub maximum_age_seconds: Option<u64>,
    /// Exceptions.
    pub accept: Vec<Exception>,
}

/// A status that is accepted for some time and a reason, as long as no other advisory applies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The status.
    #[serde(deserialize_with = "excusable")]
    pub status: Status,
    /// Every advisory that may apply.
    #[serde(default)]
    pub advisories: BTreeSet<String>,
    /// The last second.
    pub until: Time,
    /// Why.
    #[serde(deserialize_with = "reason")]
    pub reason: String,
}

/// Which platforms are accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlatformPolicy {
    /// Kinds of platforms; empty means any.
    pub fmspc: Vec<Hex<6>>,
    /// Kinds of platforms that are refused.
    pub denied_fmspc: Vec<Hex<6>>,
    /// Platforms by instance id, or by PPID; empty means any.
    pub instances: Vec<Hex<16>>,
    /// Platforms that are refused.
    pub denied_instances: Vec<Hex<16>>,
    /// Accept platforms that packages can be added to.
    pub dynamic_platform: bool,
    /// Accept platforms whose root keys Intel caches.
    pub cached_keys: bool,
    /// Accept platforms with simultaneous multithreading.
    pub smt: bool,
}

impl Default for PlatformPolicy {
    fn default() -> Self {
        Self {
            fmspc: Vec::new(),
            denied_fmspc: Vec::new(),
            instances: Vec::new(),
            denied_instances: Vec::new(),
            dynamic_platform: true,
            cached_keys: true,
            smt: true,
        }
    }
}

/// A revoked TCB cannot be excused, and an up to date one need not.
fn excusable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Status, D::Error> {
    match Status::deserialize(deserializer)? {
        status @ (Status::UpToDate | Status::Revoked) => {
            Err(de::Error::custom(alloc::format!("{status} takes no exception")))
        }
        status => Ok(status),
    }
}

fn reason<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.trim().is_empty() {
        true => Err(de::Error::custom("an exception needs a reason")),
        false => Ok(text),
    }
}
