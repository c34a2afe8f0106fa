//! Do we accept the report: the rules of the policy's `snp` section.

use super::Claims;
use super::flags::{POLICY_KNOWN, PlatformInfo};
use super::tcb::Tcb;
use crate::claims;
use crate::policy::bits;
use crate::policy::hex::Hex;
use crate::policy::snp::{MitigationBit, ProductRules, SnpPolicy};
use crate::reason::{Checks, Reason};
use crate::value::Value;

/// Applies the policy's section.
pub(crate) fn appraise(_: &claims::Claims, detail: &Claims, policy: &SnpPolicy, checks: &mut Checks) {
    signers(detail, policy, checks);
    launch(detail, policy, checks);
    let line = detail.line;
    let accepted = policy.lines.is_empty() || policy.lines.contains(&line);
    let accepted = accepted && !policy.denied_lines.contains(&line);
    checks.require(Reason::SnpLine, Value::None, accepted, "a line of the policy", line.name());
    flags(detail, policy, checks);
    if policy.settled_tcb {
        let Claims { committed, reported, launch, .. } = *detail;
        checks.equal(Reason::SnpTcbSettled, "reported", committed, reported);
        checks.equal(Reason::SnpTcbSettled, "launch", committed, launch);
    }
    if let Some(rules) = policy.product(line, detail.product) {
        floors(detail, rules, checks);
    }
    host(detail, policy, checks);
}

/// Who signed the launch, and what was launched.
fn signers(detail: &Claims, policy: &SnpPolicy, checks: &mut Checks) {
    let report = &detail.report;
    if !policy.signer.is_empty() {
        let enabled = report.has_author_key();
        checks.require(Reason::SnpAuthorKey, "AUTHOR_KEY_EN", enabled, true, enabled);
    }
    allow(Reason::SnpAuthorKey, Value::None, &policy.signer, &report.author_key_digest, checks);
    allow(Reason::SnpIdKey, Value::None, &policy.id_key_digest, &report.id_key_digest, checks);
    deny(Reason::SnpIdKey, &policy.id_key_digest_blacklist, &report.id_key_digest, checks);
    allow(Reason::MeasurementUnknown, Value::None, &policy.hash, &report.measurement, checks);
    deny(Reason::MeasurementDenied, &policy.hash_blacklist, &report.measurement, checks);
}

/// What the launcher stated besides.
fn launch(detail: &Claims, policy: &SnpPolicy, checks: &mut Checks) {
    let report = &detail.report;
    allow(Reason::SnpLaunchIds, "FAMILY_ID", &policy.family_id, &report.family_id, checks);
    allow(Reason::SnpLaunchIds, "IMAGE_ID", &policy.image_id, &report.image_id, checks);
    allow(Reason::SnpLaunchIds, "HOST_DATA", &policy.host_data, &report.host_data, checks);
    let (least, svn) = (policy.minimum_guest_svn, report.guest_svn);
    checks.require(Reason::SnpGuestSvn, Value::None, svn >= least, least, svn);
    let [major, minor] = report.abi();
    let abi = semver::Version::new(major.into(), minor.into(), 0);
    let holds = policy.abi.matches(&abi);
    checks.require(Reason::SnpAbi, "guest policy", holds, "as the policy demands", &report.abi());
}

/// POLICY and PLATFORM_INFO, bit by bit.
fn flags(detail: &Claims, policy: &SnpPolicy, checks: &mut Checks) {
    let report = &detail.report;
    policy.guest_policy.check(Reason::SnpGuestPolicy, report.policy, POLICY_KNOWN, checks);
    let old = policy.policy_flags.iter().map(|flag| (flag.flag(), bits::Demand::Set)).collect();
    bits::demand(&old, Reason::SnpGuestPolicy, report.policy, checks);
    policy.platform_info.check(Reason::SnpPlatform, report.platform, PlatformInfo::KNOWN, checks);
    if let Some(old) = policy.platform_info_flags {
        let found = Value::Bits(report.platform);
        let holds = report.platform == old.value();
        checks.require(Reason::SnpPlatform, "PLATFORM_INFO", holds, Value::Bits(old.value()), found);
    }
    let agent = report.has_migration_agent();
    let excused = policy.migration_agent;
    checks.require_unless(excused, Reason::SnpMigrationAgent, Value::None, !agent, false, agent);
}

/// What depends on the product.
fn floors(detail: &Claims, rules: &ProductRules, checks: &mut Checks) {
    let report = &detail.report;
    let minimum = rules.minimum_tcb;
    let mut reach = |name: &'static str, tcb: Tcb| {
        checks.require(Reason::SnpTcbMinimum, name, tcb.reaches(&minimum), minimum, tcb);
    };
    reach("reported", detail.reported);
    reach("committed", detail.committed);
    reach("launch", detail.launch);
    if let Some(least) = &rules.minimum_firmware {
        let [major, minor, build] = report.committed_version;
        let has = (u64::from(major), u64::from(minor), u64::from(build));
        let holds = has >= (least.major, least.minor, least.patch);
        let expected = alloc::format!("{least}");
        checks.require(Reason::SnpFirmware, "committed", holds, expected, &report.committed_version);
    }
    let [launch, current] = report.mitigations.unwrap_or_default();
    let mut mitigate = |name: &'static str, vector: u64, bits: &mut dyn Iterator<Item = &MitigationBit>| {
        let demanded = bits.fold(0, |mask, bit| mask | bit.mask());
        let holds = vector & demanded == demanded;
        checks.require(Reason::SnpMitigation, name, holds, Value::Bits(demanded), Value::Bits(vector));
    };
    mitigate("launch", launch, &mut rules.launch_mitigations.iter());
    mitigate("current", current, &mut rules.current_mitigations.iter());
    bits::demand(&rules.guest_policy, Reason::SnpGuestPolicy, report.policy, checks);
    bits::demand(&rules.platform_info, Reason::SnpPlatform, report.platform, checks);
}

/// Which chip, whose cloud, at which privilege level.
fn host(detail: &Claims, policy: &SnpPolicy, checks: &mut Checks) {
    let report = &detail.report;
    // A report that the host asked for has all ones here, and says nothing of what runs inside.
    let limit = policy.maximum_vmpl.min(3);
    checks.require(Reason::SnpVmpl, Value::None, report.vmpl <= limit, limit, report.vmpl);
    let masked = report.masks_chip();
    let excused = policy.masked_chip;
    checks.require_unless(excused, Reason::SnpChipMasked, Value::None, !masked, "a chip", !masked);
    if !policy.chips.is_empty() || !policy.denied_chips.is_empty() {
        let allowed = policy.chips.is_empty() || policy.chips.iter().any(|chip| chip.0 == report.chip_id);
        let denied = policy.denied_chips.iter().any(|chip| chip.0 == report.chip_id);
        let expected = "a chip that the policy accepts";
        checks.require(Reason::SnpChip, Value::None, allowed && !denied, expected, &report.chip_id);
    }
    if let Some(csp) = &detail.csp {
        let accepted = policy.csp.is_empty() || policy.csp.contains(csp);
        checks.require(Reason::SnpCsp, Value::None, accepted, "a provider of the policy", csp.clone());
    }
}

fn allow<const N: usize>(
    reason: Reason,
    subject: impl Into<Value>,
    list: &[Hex<N>],
    found: &[u8; N],
    checks: &mut Checks,
) {
    let listed = list.is_empty() || list.iter().any(|entry| entry.0 == *found);
    checks.require(reason, subject, listed, "one of the policy's list", found);
}

fn deny(reason: Reason, list: &[Hex<48>], found: &[u8; 48], checks: &mut Checks) {
    let listed = list.iter().any(|entry| entry.0 == *found);
    checks.require(reason, "deny list", !listed, "not listed", found);
}
