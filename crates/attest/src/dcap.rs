//! What Intel SGX and TDX share: the quote's envelope, the PCK certificate, the collateral, and the judgement of a TCB.
//!
//! ```text
//!  root CA ──▶ PCK CA ──▶ PCK ──▶ QE report ──▶ attestation key ──▶ header ‖ body
//!     └──────▶ TCB signing ──▶ TCB info (FMSPC), QE identity
//! ```
//!
//! The certificate of a platform (PCK) names its FMSPC and security versions; TCB info says what they are worth, the QE
//! identity says which enclave may vouch for attestation keys. Both are documents that Intel signs for thirty days.

pub(crate) mod appraise;
pub(crate) mod authenticate;
pub mod collateral;
pub mod enclave;
pub mod json;
pub mod pck;
pub mod pem;
pub mod quote;
pub mod tcb;

use alloc::vec::Vec;

use self::enclave::Report;
use self::pck::Pck;
use self::quote::Quote;
use self::tcb::Verdict;
use crate::x509::certificate::Certificate;

/// A quote, and the certificates that came beside it.
#[derive(Clone, Debug)]
pub struct Evidence<B> {
    /// The decoded quote.
    pub quote: Quote<B>,
    /// Certificates that a carrier brought along.
    pub certificates: Vec<Certificate>,
}

/// What only a quote says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims<B> {
    /// The report of the enclave or TD.
    pub report: B,
    /// The platform.
    pub platform: Platform,
}

/// What is known of the platform that a quote comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// What its certificate says; nothing when no certificate was found or it could not be read.
    pub pck: Option<Pck>,
    /// The quoting enclave's report.
    pub quoting_enclave: Report,
    /// What the collateral says; nothing when it is missing or does not fit.
    pub verdict: Option<Verdict>,
}
