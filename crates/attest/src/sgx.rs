//! Intel SGX: quotes of version 3, and of 4 and 5 with the body of an enclave.

mod appraise;
pub mod flags;

use alloc::boxed::Box;
use alloc::vec::Vec;

pub(crate) use self::appraise::appraise;
use crate::claims::{self, Detail};
use crate::cursor::{Cursor, Malformed};
use crate::dcap;
use crate::dcap::authenticate::Context;
use crate::dcap::enclave::{self, Report};
use crate::dcap::quote::{self, Quote};
use crate::endorsements::Endorsements;
use crate::evidence::Tee;
use crate::reason::Checks;
use crate::time::Time;

/// A quote, and the certificates that came beside it.
pub type Evidence = dcap::Evidence<Report>;

/// What only an SGX quote says.
pub type Claims = dcap::Claims<Report>;

/// Decodes a bare quote.
pub fn decode(bytes: &[u8]) -> Result<Evidence, Malformed> {
    Ok(Evidence { quote: Quote::decode(bytes, quote::SGX, body)?, certificates: Vec::new() })
}

/// Runs every check of authentication.
pub(crate) fn authenticate(
    evidence: &Evidence,
    endorsements: &Endorsements,
    now: Time,
    checks: &mut Checks,
) -> Option<claims::Claims> {
    let context = Context { carried: &evidence.certificates, endorsements, now };
    let proof = dcap::authenticate::authenticate(&evidence.quote, None, &context, checks);
    let report = evidence.quote.body.clone();
    Some(claims::Claims {
        tee: Tee::Sgx,
        root: proof.root,
        measurement: report.mr_enclave.to_vec(),
        report_data: report.report_data.to_vec(),
        host_data: report.config_id.to_vec(),
        debug: report.flags & enclave::DEBUG != 0,
        validity: proof.validity,
        revocation: proof.revocation,
        detail: Detail::Sgx(Box::new(Claims { report, platform: proof.platform })),
    })
}

/// The body; other versions than 5 have no other type.
fn body(version: u16, at: &mut Cursor<'_>) -> Result<Report, Malformed> {
    quote::body_kind(version, at, 1, |kind| (kind == 1).then_some(enclave::SIZE as u32))?;
    Report::read(at)
}
