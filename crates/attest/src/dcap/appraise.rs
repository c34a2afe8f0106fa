//! Do we accept the platform: rules that the policy's `sgx` and `tdx` sections share.

use alloc::string::String;
use alloc::vec::Vec;

use super::Platform;
use super::pck::Configuration;
use super::tcb::{Status, Verdict};
use crate::policy::dcap::{PlatformPolicy, TcbPolicy};
use crate::policy::hex::Hex;
use crate::reason::{Checks, Outcome, Reason};
use crate::time::Time;
use crate::value::Value;

/// The shared tables of a section.
pub(crate) struct Rules<'a> {
    /// What TCB is accepted.
    pub tcb: &'a TcbPolicy,
    /// Which platforms are.
    pub platform: &'a PlatformPolicy,
    /// Advisories of the old Steward, which excuse every status.
    pub advisories: &'a [String],
}

/// Applies them. What could not be found out has failed before, and is refused here by every rule that asks for it.
pub(crate) fn appraise(platform: &Platform, rules: &Rules<'_>, now: Time, checks: &mut Checks) {
    if let Some(verdict) = &platform.verdict {
        check_status(verdict, rules, now, checks);
        let least = rules.tcb.minimum_evaluation;
        let reached = verdict.evaluation >= least;
        checks.require(Reason::IntelTcbEvaluation, Value::None, reached, least, verdict.evaluation);
        if let Some(limit) = rules.tcb.maximum_age_seconds {
            let age = now.since(verdict.issued);
            checks.require(Reason::IntelCollateralAge, Value::None, age <= limit, limit, age);
        }
    }
    check_platform(platform, rules.platform, checks);
}

/// A status that is not the best is accepted by an exception that names it, has not expired, and lists every advisory.
fn check_status(verdict: &Verdict, rules: &Rules<'_>, now: Time, checks: &mut Checks) {
    let status = verdict.status;
    if matches!(status, Status::UpToDate | Status::Revoked) {
        // Advisories of the best level do not concern the platform (PCS API, advisoryIDs); a revoked one has failed before.
        checks.require(Reason::IntelTcbStatus, Value::None, status == Status::UpToDate, "UpToDate", status);
        return;
    }
    let exceptions: Vec<_> = rules.tcb.accept.iter().filter(|entry| entry.status == status).collect();
    let valid = exceptions.iter().filter(|entry| now <= entry.until);
    let excused = valid.clone().find(|entry| verdict.advisories.is_subset(&entry.advisories));
    let legacy = !verdict.advisories.is_empty()
        && verdict.advisories.iter().all(|advisory| rules.advisories.contains(advisory));
    if legacy || excused.is_some() {
        let because = excused.map_or("allowed_advisories", |entry| entry.reason.as_str());
        let found = alloc::format!("{status}, accepted: {because}");
        checks.record(Reason::IntelTcbStatus, Value::None, Outcome::Note, "UpToDate", found);
        return;
    }
    let mut listed = valid.clone().next().is_some();
    if !listed {
        let expected = if exceptions.is_empty() { "UpToDate" } else { "an exception that has not expired" };
        checks.require(Reason::IntelTcbStatus, Value::None, false, expected, status);
    }
    for advisory in &verdict.advisories {
        let holds = valid.clone().any(|entry| entry.advisories.contains(advisory));
        listed &= checks.require(
            Reason::IntelTcbAdvisory,
            advisory.clone(),
            holds,
            "accepted with this status",
            status,
        );
    }
    if listed {
        checks.require(
            Reason::IntelTcbStatus,
            Value::None,
            false,
            "one exception for all advisories",
            status,
        );
    }
}

fn check_platform(platform: &Platform, policy: &PlatformPolicy, checks: &mut Checks) {
    let pck = platform.pck.as_ref();
    let fmspc = pck.map(|pck| Hex(pck.fmspc));
    let shown = |fmspc: Option<Hex<6>>| Value::Bytes(fmspc.map(|fmspc| fmspc.0.to_vec()).unwrap_or_default());
    let allowed = policy.fmspc.is_empty() || fmspc.is_some_and(|found| policy.fmspc.contains(&found));
    checks.require(Reason::IntelPlatform, "FMSPC", allowed, "one of the policy's list", shown(fmspc));
    let denied = fmspc.is_some_and(|found| policy.denied_fmspc.contains(&found));
    checks.require(Reason::IntelPlatform, "FMSPC", !denied, "not on the deny list", shown(fmspc));

    // A platform is known by its instance id, or by the PPID of its package where there is no other.
    let ids = [pck.and_then(|pck| pck.instance).map(Hex), pck.map(|pck| Hex(pck.ppid))];
    let on = |list: &[Hex<16>]| ids.iter().flatten().any(|id| list.contains(id));
    let found = ids.iter().flatten().next().map(|id| id.0.to_vec()).unwrap_or_default();
    let allowed = policy.instances.is_empty() || on(&policy.instances);
    checks.require(
        Reason::IntelPlatform,
        "instance",
        allowed,
        "one of the policy's list",
        Value::Bytes(found.clone()),
    );
    let denied = on(&policy.denied_instances);
    checks.require(Reason::IntelPlatform, "instance", !denied, "not on the deny list", Value::Bytes(found));

    let configuration: Configuration = pck.and_then(|pck| pck.configuration).unwrap_or_default();
    for (name, accepted, flag) in [
        ("dynamic platform", policy.dynamic_platform, configuration.dynamic_platform),
        ("cached keys", policy.cached_keys, configuration.cached_keys),
        ("SMT", policy.smt, configuration.smt),
    ] {
        let holds = accepted || flag == Some(false);
        checks.require(Reason::IntelPlatform, name, holds, "no, and said so", flag);
    }
}
