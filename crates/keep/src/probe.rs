//! What this host offers for each kind of keep.
//!
//! A probe says `ok` only of what it saw working, `no` of what it saw missing, and `unknown` of everything else: a
//! feature bit is not a working keep. How to fix what is missing stands in the hint.

mod kvm;
mod machine;
mod process;
mod sgx;
mod snp;
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
    vec![process::probe(), kvm::probe(), snp::probe(), tdx::probe(), sgx::probe()]
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

    fn unknown(id: &'static str, detail: impl Into<String>) -> Self {
        Self::new(id, State::Unknown, detail)
    }

    /// A kind of keep this version cannot launch: at best unknown, since nothing was launched.
    fn unlaunched(id: &'static str, what: &str, children: Vec<Self>) -> Self {
        let missing = children.iter().any(|child| child.state == State::No);
        let (state, end) = match missing {
            true => (State::No, "this host lacks what is marked below"),
            false => (State::Unknown, "no keep of this kind was launched, as this version cannot"),
        };
        Self { children, ..Self::new(id, state, format!("{what}; {end}")) }
    }
}
