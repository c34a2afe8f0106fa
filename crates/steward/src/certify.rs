//! The whole way of a request, pure: authenticate and appraise its evidence, look whether anything of it was revoked, issue.
//!
//! Who calls has decoded the request, looked up endorsements, recognised the nonce, read the clock and drawn the number.

use std::collections::BTreeSet;

use attest::appraise;
use attest::carrier::Submission;
use attest::der::{element, sequence, tag};
use attest::endorsements::Endorsements;
use attest::policy::Policy;
use attest::reason::{Reason, Rejection};
use attest::reference::{ReferenceValues, holds_digest};
use attest::result::AttestationResult;
use attest::time::Time;

use crate::ca::Authority;
use crate::issue::serial::Serial;
use crate::issue::{Issued, Order, Profile, check_clock, issue};
use crate::refusal::Refusal;
use crate::request::Request;
use crate::revocation::{Revocations, Subject, chip};

/// What requests are judged by.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Which platforms are good enough.
    pub policy: &'a Policy,
    /// Launch measurements that are accepted; empty leaves it to the policy.
    pub measurements: &'a BTreeSet<Vec<u8>>,
    /// What vendors say of platforms.
    pub endorsements: &'a Endorsements,
    /// What was revoked.
    pub revocations: &'a Revocations,
}

/// Judges the evidence of a submission. Of several pieces each must be acceptable, and the weakest is what the result speaks of.
pub fn judge(
    submission: &Submission,
    rules: &Rules<'_>,
    nonce_fresh: bool,
    now: Time,
) -> Result<AttestationResult, Refusal> {
    let workload = submission.keep_claims.as_ref().map(|claims| claims.workload.as_slice());
    let endorsements = submission.endorse(rules.endorsements).map_err(Refusal::Evidence)?;
    let reference = ReferenceValues {
        measurements: rules.measurements.clone(),
        workload: None,
        binding: submission.binding(nonce_fresh),
    };
    let mut weakest: Option<AttestationResult> = None;
    for evidence in &submission.evidence {
        let result = appraise::appraise(evidence, &endorsements, &reference, rules.policy, now);
        let result = result.map_err(Refusal::Evidence)?;
        check_launch(workload, &result)?;
        check_revoked(workload, &result, rules.revocations)?;
        if weakest.as_ref().is_none_or(|weakest| result.trust() < weakest.trust()) {
            weakest = Some(result);
        }
    }
    weakest.ok_or(Refusal::NoEvidence)
}

/// Judges, and issues upon the result. The clock comes first: a wrong one would judge wrongly.
pub fn certify(
    request: &Request,
    profile: &Profile,
    authority: &Authority,
    rules: &Rules<'_>,
    circumstances: Circumstances<'_>,
) -> Result<(AttestationResult, Issued), Refusal> {
    let Circumstances { nonce_fresh, now, serial } = circumstances;
    check_clock(authority, now)?;
    let result = judge(request.submission(), rules, nonce_fresh, now)?;
    let order = Order { request, result: &result, profile, now, serial };
    let issued = issue(&order, authority)?;
    Ok((result, issued))
}

/// What is different for each request.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// Whether the nonce of the claims is one that we gave and have not seen since.
    pub nonce_fresh: bool,
    /// The clock.
    pub now: Time,
    /// The number that the certificate gets.
    pub serial: &'a Serial,
}

/// The answer of the old Steward to one request: a PkiPath, the issuer first.
pub fn pki_path(authority: &Authority, certificate: &[u8]) -> Vec<u8> {
    let above = authority.intermediates().iter().rev().map(|certificate| certificate.der());
    element(tag::SEQUENCE, &above.chain([certificate]).collect::<Vec<_>>().concat())
}

/// The answer of the old Steward to a bundle: `SEQUENCE { chain SEQUENCE OF Certificate, issued SEQUENCE OF Certificate }`.
pub fn bundle_answer(authority: &Authority, certificates: &[&[u8]]) -> Vec<u8> {
    let above: Vec<&[u8]> =
        authority.intermediates().iter().rev().map(|certificate| certificate.der()).collect();
    sequence(&[&sequence(&above), &sequence(certificates)])
}

/// What the launcher said of the workload, where the environment has a field for it and something is in it, is what the
/// keep says. The keep's word is what counts: it is measured, and the launcher is not.
fn check_launch(workload: Option<&[u8]>, result: &AttestationResult) -> Result<(), Refusal> {
    let field = result.claims().host_data.as_slice();
    let Some(digest) = workload.filter(|_| field.iter().any(|&byte| byte != 0)) else {
        return Ok(());
    };
    match holds_digest(field, digest) {
        true => Ok(()),
        false => Err(Refusal::Evidence(Rejection::one(Reason::WorkloadMismatch, digest, field))),
    }
}

fn check_revoked(
    workload: Option<&[u8]>,
    result: &AttestationResult,
    revocations: &Revocations,
) -> Result<(), Refusal> {
    let workload = workload.map(|digest| Subject::Workload(digest.to_vec()));
    let subjects = workload.into_iter().chain(chip(result).map(Subject::Chip));
    let found = subjects.filter_map(|subject| Some((revocations.find(&subject)?.at, subject))).next();
    found.map_or(Ok(()), |(at, subject)| Err(Refusal::Revoked { subject, at }))
}
