//! The section for AMD SEV-SNP.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::hex::Hex;
use crate::snp::tcb::{Line, Tcb};

/// Rules for SEV-SNP. Names without prefix are those of the old Steward.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SnpPolicy {
    /// Author keys, by digest; empty means any.
    pub signer: Vec<Hex<48>>,
    /// ID keys, by digest; empty means any.
    pub id_key_digest: Vec<Hex<48>>,
    /// Launch measurements; empty means any.
    pub hash: Vec<Hex<48>>,
    /// Launch measurements that are refused.
    pub hash_blacklist: Vec<Hex<48>>,
    /// Product lines; empty means any.
    pub lines: Vec<Line>,
    /// The minimum TCB of each line, for the reported, committed and launch TCB.
    pub minimum_tcb: BTreeMap<Line, Tcb>,
    /// The highest VMPL, 0 to 3.
    pub maximum_vmpl: u32,
    /// Accept a migration agent.
    pub migration_agent: bool,
    /// Accept a report that does not name its chip.
    pub masked_chip: bool,
    /// Cloud providers whose VLEKs are accepted; empty means any.
    pub csp: Vec<String>,
}
