//! Do we accept the TD: the rules of the policy's `tdx` section.

use super::Claims;
use super::flags::{Attribute, State};
use super::report::Report;
use crate::dcap;
use crate::policy::bits::Flag;
use crate::policy::hex::Hex;
use crate::policy::tdx::TdxPolicy;
use crate::reason::{Checks, Reason};
use crate::time::Time;
use crate::value::Value;

/// Applies the policy's section.
pub(crate) fn appraise(detail: &Claims, policy: &TdxPolicy, now: Time, checks: &mut Checks) {
    let report = &detail.report;
    let mut allow = |reason, subject: &'static str, list: &[Hex<48>], found: &[u8; 48]| {
        if !list.is_empty() {
            let listed = list.iter().any(|entry| entry.0 == *found);
            checks.require(reason, subject, listed, "one of the policy's list", found);
        }
    };
    allow(Reason::MeasurementUnknown, "MRTD", &policy.hash, &report.mr_td);
    allow(Reason::TdxModule, "MRSEAM", &policy.mr_seam, &report.mr_seam);
    for (name, list, found) in [
        ("RTMR0", &policy.rtmr0, &report.rtmr[0]),
        ("RTMR1", &policy.rtmr1, &report.rtmr[1]),
        ("RTMR2", &policy.rtmr2, &report.rtmr[2]),
        ("RTMR3", &policy.rtmr3, &report.rtmr[3]),
        ("MRCONFIGID", &policy.mr_config_id, &report.mr_config_id),
        ("MROWNER", &policy.mr_owner, &report.mr_owner),
        ("MROWNERCONFIG", &policy.mr_owner_config, &report.mr_owner_config),
    ] {
        allow(Reason::TdxRegisters, name, list, found);
    }
    let denied = policy.hash_blacklist.iter().any(|entry| entry.0 == report.mr_td);
    checks.require(Reason::MeasurementDenied, Value::None, !denied, "not on the deny list", &report.mr_td);

    let reason = Reason::TdxAttributes;
    policy.attributes.check(reason, report.td_attributes, Attribute::KNOWN, checks);
    policy.xfam.check(reason, report.xfam, State::KNOWN, checks);
    // XFAM_FIXED1 (TDX module ABI, table of XFAM bits): no TD runs without x87 and SSE state.
    let state = report.xfam & 3 == 3;
    checks.require(reason, "XFAM x87, SSE", state, "set", Value::Bits(report.xfam));
    check_service_tds(report, policy, checks);
    let rules = dcap::appraise::Rules { tcb: &policy.tcb, platform: &policy.platform, advisories: &[] };
    dcap::appraise::appraise(&detail.platform, &rules, now, checks);
}

/// Service TDs see or move what is inside: only those that the policy names may be bound. A TD that can be migrated has one,
/// whether its report shows it or not; a report of 1.0 shows none.
fn check_service_tds(report: &Report, policy: &TdxPolicy, checks: &mut Checks) {
    let served = Attribute::Migratable.mask() | Attribute::ServiceTdExtension.mask();
    let served = report.td_attributes & served != 0;
    let extended = report.extended.as_ref();
    let history = extended.and_then(|extended| extended.history.as_ref());
    let shown = [
        ("MRSERVICETD", extended.map(|extended| &extended.mr_service_td)),
        ("current service TDs", history.map(|history| &history.current_service_td.0)),
    ];
    for (name, bound) in shown {
        let listed = bound.is_some_and(|bound| policy.service_td.iter().any(|entry| entry.0 == *bound));
        let none = bound.is_none_or(|bound| *bound == [0; 48]);
        let asked = bound.is_some() || extended.is_none();
        let accepted = listed || none && !(served && asked);
        checks.require(Reason::TdxServiceTd, name, accepted, "none, or one of the policy's list", bound);
    }
}
