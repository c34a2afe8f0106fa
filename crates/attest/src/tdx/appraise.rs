//! Do we accept the TD: the rules of the policy's `tdx` section.

use super::Claims;
use crate::dcap;
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

    policy.attributes.check(Reason::TdxAttributes, "TDATTRIBUTES", report.td_attributes, checks);
    policy.xfam.check(Reason::TdxAttributes, "XFAM", report.xfam, checks);
    // XFAM_FIXED1 (TDX module ABI, table of XFAM bits): no TD runs without x87 and SSE state.
    let state = report.xfam & 3 == 3;
    checks.require(Reason::TdxAttributes, "XFAM x87, SSE", state, "set", Value::Bits(report.xfam));
    if let Some(extended) = &report.extended {
        let bound = &extended.mr_service_td;
        let accepted = *bound == [0; 48] || policy.service_td.iter().any(|entry| entry.0 == *bound);
        checks.require(
            Reason::TdxServiceTd,
            Value::None,
            accepted,
            "none, or one of the policy's list",
            bound,
        );
    }
    let rules = dcap::appraise::Rules { tcb: &policy.tcb, platform: &policy.platform, advisories: &[] };
    dcap::appraise::appraise(&detail.platform, &rules, now, checks);
}
