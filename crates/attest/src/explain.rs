//! Results and rejections as text for people: what failed first, then what was excused, then what held; in groups, with what
//! was expected and found, and what to do about it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use crate::reason::{Check, Checks, Class, Outcome, Reason, Rejection};
use crate::result::AttestationResult;
use crate::value::Value;

/// Explains a result.
pub fn result(result: &AttestationResult) -> String {
    let head = alloc::format!(
        "accepted: {}, {}, judged at {}",
        result.tee(),
        result.trust().as_str(),
        result.judged_at()
    );
    render(&head, result.checks())
}

/// Explains a rejection.
pub fn rejection(rejection: &Rejection) -> String {
    let failed = rejection.checks().failures().count();
    let checks = if failed == 1 { "check" } else { "checks" };
    let head =
        alloc::format!("rejected: {failed} {checks} failed, first of all {}", title(rejection.class()));
    render(&head, rejection.checks())
}

/// What to do when a rule does not hold.
pub fn hint(reason: Reason) -> &'static str {
    match reason {
        Reason::EvidenceUnknown => {
            "give a report, quote, token, request, certificate or bundle as it was made"
        }
        Reason::EvidenceUnsupported => "a newer verifier may know this version",
        Reason::CarrierEmpty => "the sender must put its evidence inside",
        Reason::CarrierSignature => "the request was changed after it was signed, or signed by another key",
        Reason::CarrierKey => {
            "the keep makes one key of the kind its evidence demands, and names it in its claims"
        }
        Reason::ChainAnchor => "for a simulator, add its root and name it in the policy",
        Reason::ChainValidity => "judge at the time the evidence was made, or fetch newer certificates",
        Reason::CrlMissing | Reason::CrlStale | Reason::CrlAge => {
            "fetch lists with `enarx platform endorsements fetch`, or judge at the time of the evidence"
        }
        Reason::CrlRevoked => "do not trust this platform; ask its operator for one that is not revoked",
        Reason::BindingMismatch => "the evidence was made for another key, workload or nonce",
        Reason::BindingMissing => "say what the evidence must be bound to: a key, claims or a nonce",
        Reason::NonceMissing => "ask the keep again, with a nonce of yours",
        Reason::SnpVekMissing => "fetch the chip's certificate with `enarx platform endorsements fetch`",
        Reason::IntelCollateralMissing | Reason::IntelCollateralStale => {
            "fetch TCB info and QE identity with `enarx platform endorsements fetch`"
        }
        Reason::MeasurementUnknown => "compare with `enarx measure`, and add the value if it is yours",
        Reason::TrustUnattested => "only a policy for laboratories accepts keeps that nobody vouches for",
        Reason::TrustSimulated => "only a policy that names this root accepts a simulator",
        _ => match reason.class() {
            Class::Malformed => "the bytes were damaged on their way, or are of another kind",
            Class::Signature => "the evidence or an endorsement was changed, or does not belong to the other",
            Class::Revoked => "do not trust this platform",
            Class::Tcb => "the platform needs newer firmware or microcode",
            Class::Stale => "fetch newer endorsements",
            Class::Debug => "start the keep without debugging, on genuine hardware",
            Class::Measurement => "the workload or its launcher is not the expected one",
            Class::Policy => "change the platform's configuration, or the policy if this is acceptable",
        },
    }
}

/// The groups, in the order of what decides.
const CLASSES: [Class; 8] = [
    Class::Malformed,
    Class::Signature,
    Class::Revoked,
    Class::Tcb,
    Class::Stale,
    Class::Debug,
    Class::Measurement,
    Class::Policy,
];

/// The name of a group.
pub fn title(class: Class) -> &'static str {
    match class {
        Class::Malformed => "form",
        Class::Signature => "signatures and bindings",
        Class::Revoked => "revocation",
        Class::Tcb => "security version",
        Class::Stale => "dates and endorsements",
        Class::Debug => "secrecy",
        Class::Measurement => "workload",
        Class::Policy => "policy",
    }
}

fn render(head: &str, checks: &Checks) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, head, checks);
    text
}

fn write(text: &mut String, head: &str, checks: &Checks) -> fmt::Result {
    writeln!(text, "{head}")?;
    for (outcome, heading) in
        [(Outcome::Fail, "failed"), (Outcome::Note, "excused by the policy"), (Outcome::Pass, "held")]
    {
        let with_outcome = || checks.iter().filter(move |check| check.outcome == outcome);
        if with_outcome().next().is_none() {
            continue;
        }
        writeln!(text, "\n{heading}:")?;
        for class in CLASSES {
            let group: Vec<&Check> = with_outcome().filter(|check| check.reason.class() == class).collect();
            if group.is_empty() {
                continue;
            }
            writeln!(text, "  {}", title(class))?;
            match outcome {
                Outcome::Pass => group.iter().try_for_each(|check| writeln!(text, "    {}", Name(check)))?,
                Outcome::Fail | Outcome::Note => write_full(text, &group)?,
            }
        }
    }
    Ok(())
}

/// Each rule once, with everything it was applied to.
fn write_full(text: &mut String, group: &[&Check]) -> fmt::Result {
    let mut written = Vec::new();
    for &Check { reason, .. } in group {
        if written.contains(reason) {
            continue;
        }
        written.push(*reason);
        writeln!(text, "    {reason}: {}", reason.meaning())?;
        for check in group.iter().filter(|check| check.reason == *reason) {
            let Check { subject, expected, found, .. } = check;
            match subject {
                Value::None => writeln!(text, "      expected {expected}, found {found}")?,
                _ => writeln!(text, "      {subject}: expected {expected}, found {found}")?,
            }
        }
        writeln!(text, "      hint: {}", hint(*reason))?;
    }
    Ok(())
}

/// The rule and what it was applied to.
struct Name<'a>(&'a Check);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.subject {
            Value::None => write!(f, "{}", self.0.reason),
            subject => write!(f, "{} [{subject}]", self.0.reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_stand_first_with_rule_values_and_hint() {
        let mut checks = Checks::new();
        checks.require(Reason::ChainAnchor, Value::None, true, "a pinned anchor", "ARK-Milan");
        checks.require(Reason::CrlMissing, "ARK-Milan", false, "a revocation list", Value::None);
        checks.fail(Reason::SnpVmpl, 0_u32, 2_u32);
        let rejected = rejection(&Rejection::unless_passed(checks).expect_err("two failed"));
        let expected = "\
rejected: 2 checks failed, first of all dates and endorsements

failed:
  dates and endorsements
    crl.missing: A revocation list is given for every issuer that publishes one.
      ARK-Milan: expected a revocation list, found nothing
      hint: fetch lists with `enarx platform endorsements fetch`, or judge at the time of the evidence
  policy
    snp.vmpl: The report was made at an accepted VMPL.
      expected 0, found 2
      hint: change the platform's configuration, or the policy if this is acceptable

held:
  signatures and bindings
    chain.anchor
";
        assert_eq!(rejected, expected);
    }

    #[test]
    fn every_reason_has_a_hint() {
        for reason in Reason::ALL {
            assert!(!hint(*reason).is_empty(), "{reason}");
        }
    }
}
