//! What this host offers for each kind of keep.
//!
//! A probe says `ok` only of what it saw working, `no` of what it saw missing, and `unknown` of everything else: a
//! feature bit is not a working keep. How to fix what is missing stands in the hint.

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod kvm;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod machine;
#[cfg_attr(not(target_os = "linux"), path = "probe/process_absent.rs")]
mod process;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod sgx;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod snp;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod tdx;

use serde::Serialize;

/// What was found about one thing, and about those it depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its stable name.
    pub id: &'static str,
    /// Whether it is there.
    pub state: State,
    /// What was seen.
    pub detail: String,
    /// How to get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What it depends on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Check>,
}

/// Whether something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Seen working.
    Ok,
    /// Seen missing.
    No,
    /// Neither.
    Unknown,
}

/// Probes this host for every kind of keep.
pub fn platform() -> Vec<Check> {
    let mut checks = vec![process::probe()];
    checks.extend(hardware());
    checks
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn hardware() -> [Check; 4] {
    [kvm::probe(), snp::probe(), tdx::probe(), sgx::probe()]
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn hardware() -> [Check; 4] {
    let absent = "keeps of this kind need Linux on x86-64";
    ["kvm", "snp", "tdx", "sgx"].map(|id| Check::no(id, absent, "run on such a host"))
}

impl Check {
    fn new(id: &'static str, state: State, detail: impl Into<String>) -> Self {
        Self { id, state, detail: detail.into(), hint: None, children: Vec::new() }
    }

    fn ok(id: &'static str, detail: impl Into<String>) -> Self {
        Self::new(id, State::Ok, detail)
    }

    fn no(id: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..Self::new(id, State::No, detail) }
    }

    #[cfg(target_os = "linux")]
    fn unknown(id: &'static str, detail: impl Into<String>) -> Self {
        Self::new(id, State::Unknown, detail)
    }
}
