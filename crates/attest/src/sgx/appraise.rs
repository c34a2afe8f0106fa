//! Do we accept the enclave: the rules of the policy's `sgx` section.

use super::Claims;
use super::flags::Attribute;
use crate::dcap;
use crate::policy::bits::Flag;
use crate::policy::hex::Hex;
use crate::policy::sgx::SgxPolicy;
use crate::reason::{Checks, Reason};
use crate::time::Time;
use crate::value::Value;

/// Applies the policy's section.
pub(crate) fn appraise(detail: &Claims, policy: &SgxPolicy, now: Time, checks: &mut Checks) {
    let report = &detail.report;
    let mut allow = |reason, subject: &'static str, list: &[Hex<32>], found: &[u8; 32]| {
        let listed = list.is_empty() || list.iter().any(|entry| entry.0 == *found);
        checks.require(reason, subject, listed, "one of the policy's list", found);
    };
    allow(Reason::SgxSigner, "MRSIGNER", &policy.signer, &report.mr_signer);
    allow(Reason::MeasurementUnknown, "MRENCLAVE", &policy.hash, &report.mr_enclave);
    let denied = policy.hash_blacklist.iter().any(|entry| entry.0 == report.mr_enclave);
    let not_denied = "not on the deny list";
    checks.require(Reason::MeasurementDenied, Value::None, !denied, not_denied, &report.mr_enclave);
    if let Some(product) = policy.enclave_product_id {
        checks.equal(Reason::SgxProduct, Value::None, product, report.product_id);
    }
    if let Some(least) = policy.enclave_security_version {
        checks.require(Reason::SgxVersion, Value::None, report.svn >= least, least, report.svn);
    }
    check_attributes(detail, policy, checks);
    check_configuration(detail, policy, checks);
    let rules = dcap::appraise::Rules {
        tcb: &policy.tcb,
        platform: &policy.platform,
        advisories: &policy.allowed_advisories,
    };
    dcap::appraise::appraise(&detail.platform, &rules, now, checks);
}

fn check_attributes(detail: &Claims, policy: &SgxPolicy, checks: &mut Checks) {
    let report = &detail.report;
    policy.attributes.check(Reason::SgxAttributes, report.flags, Attribute::KNOWN, checks);
    // An initialized enclave with x87 and SSE state: what every enclave has (SDM volume 3D, section 37.7.2).
    let whole = report.flags & Attribute::Init.mask() != 0 && report.xfrm & 3 == 3;
    checks.require(Reason::SgxAttributes, "INIT, XFRM", whole, "set", &report.attributes());
    if let Some(features) = &policy.features {
        let always = Attribute::Init.mask() | Attribute::Mode64Bit.mask();
        let allowed = features.iter().fold(always, |mask, feature| mask | feature.mask());
        let held = report.flags & !allowed == 0;
        checks.require(
            Reason::SgxAttributes,
            "features",
            held,
            Value::Bits(allowed),
            Value::Bits(report.flags),
        );
    }
    let known = policy.misc_select.as_ref().map(|list| list.iter().fold(0, |mask, bit| mask | bit.mask()));
    if let Some(allowed) = known {
        let misc = u64::from(report.misc_select);
        let held = misc & !allowed == 0;
        checks.require(Reason::SgxAttributes, "MISCSELECT", held, Value::Bits(allowed), Value::Bits(misc));
    }
}

/// Key separation and sharing: what the launcher chose.
fn check_configuration(detail: &Claims, policy: &SgxPolicy, checks: &mut Checks) {
    let report = &detail.report;
    let reason = Reason::SgxConfiguration;
    if !policy.config_id.is_empty() {
        let listed = policy.config_id.iter().any(|entry| entry.0 == report.config_id);
        checks.require(reason, "CONFIGID", listed, "one of the policy's list", &report.config_id);
    }
    if let Some(least) = policy.config_svn {
        checks.require(reason, "CONFIGSVN", report.config_svn >= least, least, report.config_svn);
    }
    let ids = [
        ("ISVFAMILYID", &policy.family_id, &report.family_id),
        ("ISVEXTPRODID", &policy.extended_product_id, &report.extended_product_id),
    ];
    for (name, list, found) in ids {
        if !list.is_empty() {
            let listed = list.iter().any(|entry| entry.0 == *found);
            checks.require(reason, name, listed, "one of the policy's list", found);
        }
    }
}
