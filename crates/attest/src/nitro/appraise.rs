//! Do we accept the document: the rules of the policy's `nitro` section.

use super::Claims;
use crate::claims;
use crate::policy::digest::{Digest, listed};
use crate::policy::nitro::NitroPolicy;
use crate::reason::{Checks, Reason};
use crate::time::Time;
use crate::value::Value;

/// Applies the policy's section.
pub(crate) fn appraise(
    claims: &claims::Claims,
    detail: &Claims,
    policy: &NitroPolicy,
    now: Time,
    checks: &mut Checks,
) {
    let image = claims.measurement.as_slice();
    let accepted = listed(&policy.hash, image);
    checks.require(Reason::MeasurementUnknown, Value::None, accepted, "one of the policy's list", image);
    let denied = policy.hash_blacklist.iter().any(|entry| entry.0 == image);
    checks.require(Reason::MeasurementDenied, Value::None, !denied, "not on the deny list", image);

    let document = &detail.document;
    let mut register = |index: usize, accepted: &[Digest]| {
        let found = document.pcrs.get(&index).map(|pcr| pcr.as_slice());
        let holds = found.is_some_and(|found| accepted.iter().any(|entry| entry.0 == found));
        checks.require(Reason::NitroPcr, index as u64, holds, "one of the policy's list", found);
    };
    for (index, accepted) in &policy.pcrs {
        register(index.0, accepted);
    }
    if !policy.signer.is_empty() {
        register(SIGNING_CERTIFICATE, &policy.signer);
    }

    let made = document.time();
    let (age, ahead) = (now.since(made), made.since(now));
    checks.require(Reason::NitroAge, "age", age <= policy.max_age_seconds, policy.max_age_seconds, age);
    let limit = policy.clock_skew_seconds;
    checks.require(Reason::NitroAge, "clock", ahead <= limit, limit, ahead);
    let nonce = document.nonce.as_deref().is_some_and(|nonce| !nonce.is_empty());
    let excused = !policy.nonce_required;
    if !excused || nonce {
        checks.require(Reason::NonceMissing, "document", nonce, "a nonce", document.nonce.as_deref());
    }
}

/// PCR8: the certificate that signed the image ("Cryptographic attestation" of the AWS Nitro Enclaves user guide).
const SIGNING_CERTIFICATE: usize = 8;
