//! Judges stored submissions: what a policy says of them now, and what another would.

use std::collections::BTreeSet;

use attest::appraise::appraise;
use attest::carrier::Submission;
use attest::endorsements::Endorsements;
use attest::policy::Policy;
use attest::reason::Rejection;
use attest::reference::ReferenceValues;
use attest::result::{AttestationResult, TrustLevel};
use attest::time::Time;

/// What a policy says of one submission: the trust of its weakest evidence, or why it is refused.
pub type Verdict = Result<TrustLevel, Rejection>;

/// Judges a submission of any form that the verifier knows. Its nonce, if it has one, is taken to have been fresh when it
/// was submitted: that was decided then.
pub fn judge(bytes: &[u8], policy: &Policy, endorsements: &Endorsements, now: Time) -> Verdict {
    let results = results(bytes, policy, endorsements, now)?;
    let weakest = results.iter().map(AttestationResult::trust).min();
    Ok(weakest.unwrap_or(TrustLevel::Unattested))
}

/// The same with each result in full.
pub fn results(
    bytes: &[u8],
    policy: &Policy,
    endorsements: &Endorsements,
    now: Time,
) -> Result<Vec<AttestationResult>, Rejection> {
    let submission = Submission::open(bytes)?;
    let endorsements = submission.endorse(endorsements)?;
    let reference =
        ReferenceValues { measurements: BTreeSet::new(), workload: None, binding: submission.binding(true) };
    submission
        .evidence
        .iter()
        .map(|evidence| appraise(evidence, &endorsements, &reference, policy, now))
        .collect()
}

/// How a change of policy changes a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Both accept, or both refuse.
    None,
    /// The new one refuses what the old one accepts.
    Refused(Rejection),
    /// The new one accepts what the old one refuses.
    Accepted(TrustLevel),
    /// Both accept, with another trust.
    Trust {
        /// Before.
        old: TrustLevel,
        /// After.
        new: TrustLevel,
    },
}

/// Compares two verdicts on one submission.
pub fn compare(old: Verdict, new: Verdict) -> Change {
    match (old, new) {
        (Ok(_), Err(rejection)) => Change::Refused(rejection),
        (Err(_), Ok(trust)) => Change::Accepted(trust),
        (Ok(old), Ok(new)) if old != new => Change::Trust { old, new },
        _ => Change::None,
    }
}

/// The ids of the failed checks, each once.
pub fn failed(rejection: &Rejection) -> Vec<&'static str> {
    let mut ids: Vec<&'static str> = Vec::new();
    for check in rejection.checks().failures() {
        if !ids.contains(&check.reason.id()) {
            ids.push(check.reason.id());
        }
    }
    ids
}
