//! AMD SEV-SNP: reports of version 2 to 5, signed by a chip's VCEK or a cloud provider's VLEK.

mod appraise;
mod authenticate;
pub mod flags;
mod lists;
pub mod report;
pub mod tcb;
pub mod vek;

use alloc::string::String;
use alloc::vec::Vec;

use crate::cursor::Malformed;
use crate::x509::certificate::Certificate;

pub(crate) use self::appraise::appraise;
pub(crate) use self::authenticate::authenticate;
use self::report::Report;
use self::tcb::{Line, Product, Tcb};

/// A report, and the certificates that came with it.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The decoded report.
    pub report: Report,
    /// The report's exact bytes.
    pub bytes: Vec<u8>,
    /// Certificates that a carrier brought along.
    pub certificates: Vec<Certificate>,
}

/// What only an SNP report says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The report.
    pub report: Report,
    /// The product line.
    pub line: Line,
    /// The product, as far as CPUID tells.
    pub product: Product,
    /// REPORTED_TCB.
    pub reported: Tcb,
    /// CURRENT_TCB.
    pub current: Tcb,
    /// COMMITTED_TCB.
    pub committed: Tcb,
    /// LAUNCH_TCB.
    pub launch: Tcb,
    /// The cloud provider that a VLEK belongs to.
    pub csp: Option<String>,
    /// Whether the VCEK was proven to be of CHIP_ID.
    pub chip_proven: bool,
}

/// Decodes a bare report.
pub fn decode(bytes: &[u8]) -> Result<Evidence, Malformed> {
    Ok(Evidence { report: Report::decode(bytes)?, bytes: bytes.into(), certificates: Vec::new() })
}
