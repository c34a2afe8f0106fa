//! Intel TDX: quotes of version 4 and 5; PCK, collateral and quoting enclave are judged as those of SGX.

mod appraise;
pub mod flags;
pub mod report;

use alloc::boxed::Box;
use alloc::vec::Vec;

pub(crate) use self::appraise::appraise;
use self::report::{Form, Report};
use crate::claims::{self, Detail};
use crate::cursor::{Cursor, Malformed};
use crate::dcap;
use crate::dcap::authenticate::Context;
use crate::dcap::collateral::TcbInfo;
use crate::dcap::quote::{self, Quote};
use crate::dcap::tcb::{Module, TdSvn};
use crate::endorsements::Endorsements;
use crate::evidence::Tee;
use crate::reason::{Checks, Reason};
use crate::time::Time;

/// A quote, and the certificates that came beside it.
pub type Evidence = dcap::Evidence<Report>;

/// What only a TDX quote says.
pub type Claims = dcap::Claims<Report>;

/// Decodes a bare quote.
pub fn decode(bytes: &[u8]) -> Result<Evidence, Malformed> {
    Ok(Evidence { quote: Quote::decode(bytes, quote::TDX, body)?, certificates: Vec::new() })
}

/// Runs every check of authentication.
pub(crate) fn authenticate(
    evidence: &Evidence,
    endorsements: &Endorsements,
    now: Time,
    checks: &mut Checks,
) -> Option<claims::Claims> {
    let report = evidence.quote.body.clone();
    let svn = TdSvn {
        launch: report.tee_tcb_svn,
        current: report.extended.as_ref().map(|extended| extended.tee_tcb_svn2),
    };
    let context = Context { carried: &evidence.certificates, endorsements, now };
    let proof = dcap::authenticate::authenticate(&evidence.quote, Some(svn), &context, checks);
    if let Some(info) = proof.info {
        check_module(&report, info, checks);
    }
    Some(claims::Claims {
        tee: Tee::Tdx,
        root: proof.root,
        measurement: report.mr_td.to_vec(),
        report_data: report.report_data.to_vec(),
        host_data: report.mr_config_id.to_vec(),
        debug: report.td_attributes & report::UNTRUSTED != 0,
        validity: proof.validity,
        revocation: proof.revocation,
        detail: Detail::Tdx(Box::new(Claims { report, platform: proof.platform })),
    })
}

/// The module is signed by whom the collateral says, and runs with the attributes that it says: none, for Intel's. Bits
/// outside the mask must be zero as well (TDX module ABI, TDREPORT: SEAMATTRIBUTES are zero in production).
fn check_module(report: &Report, info: &TcbInfo, checks: &mut Checks) {
    let generation = report.tee_tcb_svn[1];
    let Some(Module { module, .. }) = Module::find(info, generation) else {
        let expected = "an identity in the TCB info";
        checks.require(Reason::TdxModule, "generation", false, expected, generation);
        return;
    };
    checks.equal(Reason::TdxModule, "MRSIGNERSEAM", &module.mrsigner.0, &report.mr_signer_seam);
    checks.equal(Reason::TdxModule, "SEAMATTRIBUTES", &module.attributes.0, &report.seam_attributes);
}

/// The body; that of version 4 is of TDX 1.0.
fn body(version: u16, at: &mut Cursor<'_>) -> Result<Report, Malformed> {
    let size = |kind| Form::of(kind).map(Form::size);
    let kind = quote::body_kind(version, at, 2, size)?;
    Report::read(Form::of(kind).unwrap_or(Form::V1_0), at)
}
