//! Do we accept the report: the rules of the policy's `snp` section.

use super::Claims;
use crate::claims;
use crate::policy::hex::Hex;
use crate::policy::snp::SnpPolicy;
use crate::reason::{Checks, Reason};
use crate::value::Value;

/// Applies the policy's section.
pub(crate) fn appraise(_: &claims::Claims, detail: &Claims, policy: &SnpPolicy, checks: &mut Checks) {
    let report = &detail.report;
    let listed =
        |list: &[Hex<48>], digest: &[u8; 48]| list.is_empty() || list.iter().any(|entry| entry.0 == *digest);
    let mut allow = |reason, list: &[Hex<48>], digest: &[u8; 48]| {
        checks.require(reason, Value::None, listed(list, digest), "one of the policy's list", digest);
    };
    allow(Reason::SnpAuthorKey, &policy.signer, &report.author_key_digest);
    allow(Reason::SnpIdKey, &policy.id_key_digest, &report.id_key_digest);
    allow(Reason::MeasurementUnknown, &policy.hash, &report.measurement);
    let denied = policy.hash_blacklist.iter().any(|entry| entry.0 == report.measurement);
    checks.require(
        Reason::MeasurementDenied,
        Value::None,
        !denied,
        "not on the deny list",
        &report.measurement,
    );

    let line_accepted = policy.lines.is_empty() || policy.lines.contains(&detail.line);
    checks.require(Reason::SnpLine, Value::None, line_accepted, "a line of the policy", detail.line.name());
    if let Some(minimum) = policy.minimum_tcb.get(&detail.line) {
        for (name, tcb) in
            [("reported", detail.reported), ("committed", detail.committed), ("launch", detail.launch)]
        {
            checks.require(Reason::SnpTcbMinimum, name, tcb.reaches(minimum), *minimum, tcb);
        }
    }
    let vmpl_accepted = report.vmpl <= policy.maximum_vmpl.min(3);
    checks.require(Reason::SnpVmpl, Value::None, vmpl_accepted, policy.maximum_vmpl, report.vmpl);
    let agent = report.has_migration_agent();
    checks.require_unless(
        policy.migration_agent,
        Reason::SnpMigrationAgent,
        Value::None,
        !agent,
        false,
        agent,
    );
    let masked = report.chip_id == [0; 64];
    checks.require_unless(
        policy.masked_chip,
        Reason::SnpChipMasked,
        Value::None,
        !masked,
        "a chip",
        &report.chip_id,
    );
    if let Some(csp) = &detail.csp {
        let accepted = policy.csp.is_empty() || policy.csp.contains(csp);
        checks.require(Reason::SnpCsp, Value::None, accepted, "a provider of the policy", csp.clone());
    }
}
