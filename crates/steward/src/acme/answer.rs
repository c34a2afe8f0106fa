//! What a challenge is answered with, and how it becomes a request for a certificate.

use attest::carrier::{Carrier, Submission, csr, key_algorithm};
use attest::crypto::sha384;
use attest::reason::{Reason, Rejection};
use axum::http::StatusCode;
use service::problem::Problem;

use super::error::{malformed, problem};
use super::store::Identifier;
use crate::refusal::Refusal;
use crate::request::Request;

/// subjectAltName, 2.5.29.17.
const OID_SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1D, 0x11];

/// Reads a CMW that answers a challenge: it must hold KeepClaims with this nonce, and of the workload that was ordered.
/// Whether the evidence inside is genuine and bound to those claims is not said yet.
pub fn decode(body: &[u8], nonce: &[u8; 32], identifier: &Identifier) -> Result<Submission, Refusal> {
    let submission = Submission::open(body).map_err(Refusal::Evidence)?;
    let wrong = |reason, expected: &'static str, found: &str| {
        Refusal::Evidence(Rejection::one(reason, expected, found.to_owned()))
    };
    if submission.carriers.first() != Some(&Carrier::Cmw) {
        return Err(wrong(Reason::CarrierMalformed, "a conceptual message wrapper", &submission.describe()));
    }
    let Some(claims) = &submission.keep_claims else {
        return Err(wrong(Reason::BindingMissing, "KeepClaims beside the evidence", "none"));
    };
    if claims.nonce.as_deref() != Some(nonce.as_slice()) {
        return Err(wrong(Reason::NonceMissing, "the challenge's freshness nonce", "another nonce, or none"));
    }
    match identifier {
        Identifier::Workload(digest) if *digest != claims.workload => {
            Err(wrong(Reason::WorkloadMismatch, "the workload that was ordered", "another workload"))
        }
        _ => Ok(submission),
    }
}

/// Joins the answer of a challenge with the order's CSR, which must be by the key that the claims name. What else the CSR
/// says has no effect; names are refused, so that nobody takes them for granted.
pub fn request(submission: Submission, der: &[u8]) -> Result<Request, Problem> {
    let bad = |detail: String| problem(StatusCode::BAD_REQUEST, "badCSR", detail);
    let csr = csr::Request::decode(der).map_err(|error| bad(error.to_string()))?;
    if !csr.proves_possession() {
        return Err(bad("the CSR is not signed by its key".into()));
    }
    if csr.extensions.iter().any(|extension| extension.oid == OID_SUBJECT_ALT_NAME) {
        return Err(bad("the CSR asks for names; what a certificate says comes from the evidence".into()));
    }
    let named = submission.keep_claims.as_ref().map(|claims| claims.spki_digest);
    if named != Some(sha384(csr.spki)) {
        return Err(bad("the CSR is of another key than the KeepClaims name".into()));
    }
    let fits = |evidence| key_algorithm(evidence).is_none_or(|expected| expected == csr.key().algorithm());
    if !submission.evidence.iter().all(fits) {
        return Err(bad("the key is of another kind than the evidence's own".into()));
    }
    Request::answered(submission, csr.spki).ok_or_else(|| malformed("the answer holds no claims"))
}
