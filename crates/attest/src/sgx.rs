//! Intel SGX: quotes of version 3, and of 4 and 5 with the body of an enclave.

mod appraise;
pub mod flags;

use alloc::boxed::Box;
use alloc::vec::Vec;

pub(crate) use self::appraise::appraise;
use crate::claims::{self, Detail};
use crate::cursor::{Cursor, Malformed, Problem};
use crate::dcap::authenticate::Context;
use crate::dcap::enclave::{self, Report};
use crate::dcap::quote::{self, Quote};
use crate::dcap::{self, Platform};
use crate::endorsements::Endorsements;
use crate::evidence::Tee;
use crate::reason::Checks;
use crate::time::Time;
use crate::x509::certificate::Certificate;

/// A quote, and the certificates that came beside it.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The decoded quote.
    pub quote: Quote<Report>,
    /// Certificates that a carrier brought along.
    pub certificates: Vec<Certificate>,
}

/// What only an SGX quote says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The enclave's report.
    pub report: Report,
    /// The platform.
    pub platform: Platform,
}

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

/// The body; version 5 writes its type and size before it.
fn body(version: u16, at: &mut Cursor<'_>) -> Result<Report, Malformed> {
    if version == 5 {
        let start = *at;
        let kind = at.u16_le("quote.body.type")?;
        let size = at.u32_le("quote.body.size")?;
        if (kind, size) != (1, enclave::SIZE as u32) {
            let problem = Problem::Unexpected { expected: "the body of an enclave (1)", found: kind.into() };
            return Err(start.error("quote.body.type", problem));
        }
    }
    Report::read(at)
}
