//! The TD report of an HCL report (Intel TDX module ABI, TDREPORT_STRUCT), compared with the TD quote.
//!
//! Its MAC can be checked by the CPU that made it and by nobody else, so all that is trusted is what the quote repeats
//! with a signature. The two hashes inside are compared as well. MAC and CPUSVN prove nothing here: no rule reads them.

use alloc::boxed::Box;

use crate::crypto::sha384;
use crate::cursor::{Cursor, Malformed, Problem};
use crate::reason::{Checks, Reason};
use crate::vtpm::hcl::TD_REPORT_SIZE;

/// Where the body of a quote starts: after the header, and in version 5 after the body's type and size
/// (Intel TDX DCAP Quoting Library API, appendix A).
const BODY_V4: usize = 48;
const BODY_V5: usize = 54;

/// A decoded TD report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TdReport {
    bytes: Box<[u8; TD_REPORT_SIZE]>,
}

impl TdReport {
    /// Decodes a report of the TDX type; reserved fields are zero.
    pub(super) fn decode(area: &[u8]) -> Result<Self, Malformed> {
        let mut at = Cursor::new(area);
        let bytes = Box::new(at.array("tdReport")?);
        let mut at = Cursor::new(area);
        let here = at;
        // REPORTTYPE: type 0x81, subtype 0, version 0 (TD 1.0) or 1 (with a service TD).
        let [kind, subtype, version, reserved] = at.array("tdReport.type")?;
        if (kind, subtype, reserved) != (0x81, 0, 0) || version > 1 {
            let found = u32::from_be_bytes([kind, subtype, version, reserved]).into();
            let problem = Problem::Unexpected { expected: "the type of a TD report", found };
            return Err(here.error("tdReport.type", problem));
        }
        at.zeros("tdReport.reserved", 12)?;
        at.take("tdReport.mac", 208)?;
        Ok(Self { bytes })
    }

    /// REPORTDATA.
    pub(super) fn report_data(&self) -> &[u8] {
        &self.bytes[128..192]
    }

    /// Compares every field that the quote repeats, and the two hashes of the report itself.
    pub(super) fn check(&self, quote: &[u8], checks: &mut Checks) {
        let report = &self.bytes;
        let mut equal = |field, expected: &[u8], found: &[u8]| {
            checks.equal(Reason::VtpmReport, field, expected, found);
        };
        equal("TEE_TCB_INFO_HASH", &sha384(&report[256..495]), &report[32..80]);
        equal("TEE_INFO_HASH", &sha384(&report[512..]), &report[80..128]);
        let start = if quote.first() == Some(&4) { BODY_V4 } else { BODY_V5 };
        let body = |from: usize, to: usize| quote.get(start + from..start + to).unwrap_or_default();
        equal("TEE_TCB_SVN, MRSEAM, MRSIGNERSEAM, SEAMATTRIBUTES", body(0, 120), &report[264..384]);
        equal(
            "TDATTRIBUTES, XFAM, MRTD, MRCONFIGID, MROWNER, MROWNERCONFIG, RTMR",
            body(120, 520),
            &report[512..912],
        );
        equal("REPORTDATA", body(520, 584), self.report_data());
        checks.require(
            Reason::VtpmReport,
            "reserved",
            report[192..224].iter().chain(&report[495..512]).all(|&byte| byte == 0),
            "zero",
            &report[495..512],
        );
    }
}
