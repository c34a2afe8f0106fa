//! Azure's virtual TPM: a paravisor inside the confidential machine owns the SNP or TDX report and runs a TPM, whose
//! attestation key the report names.
//!
//! ```text
//!  silicon ──signs──▶ REPORT_DATA = hash ──▶ runtime data: AK, configuration, user data
//!                                                           │
//!                             nonce, PCRs ◀──signed by── AK ◀──certified by── Microsoft (newer machines)
//! ```

mod appraise;
mod authenticate;
pub mod carrier;
pub mod hcl;
pub mod quote;
mod td_report;

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::claims::Detail;
use crate::cursor::Malformed;
use crate::x509::certificate::Certificate;
use crate::{snp, tdx};

pub(crate) use self::appraise::appraise;
pub(crate) use self::authenticate::authenticate;
use self::hcl::{HclReport, Runtime};
use self::quote::TpmQuote;

/// A report, and what came with it.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The HCL report.
    pub report: HclReport,
    /// What the silicon signed.
    pub silicon: Silicon,
    /// The TPM quote; a bare report has none.
    pub quote: Option<TpmQuote>,
    /// The certificate of the attestation key and its intermediates, the leaf first.
    pub certificates: Vec<Certificate>,
    /// Whether the carrier promises that the user data repeat the nonce (version 2 of trustee's evidence).
    pub user_data_is_nonce: bool,
}

/// The evidence of the silicon.
#[derive(Clone, Debug)]
pub enum Silicon {
    /// The SNP report stands in the HCL report.
    Snp(Box<snp::Evidence>),
    /// The HCL report has the TD report, which only its own CPU can check; the TD quote says the same with a signature.
    Tdx(Option<Box<TdQuote>>),
}

/// A TD quote.
#[derive(Clone, Debug)]
pub struct TdQuote {
    /// Decoded.
    pub evidence: tdx::Evidence,
    /// Its exact bytes.
    pub bytes: Vec<u8>,
}

/// What the virtual TPM adds to what the silicon says.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    /// What the silicon says.
    pub silicon: Detail,
    /// The runtime data.
    pub runtime: Runtime,
    /// The PCRs of SHA-256, if they were quoted.
    pub pcrs: Option<[[u8; 32]; quote::PCRS]>,
    /// The nonce that was quoted.
    pub nonce: Option<Vec<u8>>,
    /// Whether a chain to Microsoft's root certifies the attestation key.
    pub certified: bool,
}

/// Decodes a bare HCL report, or one of the JSON forms that carry it with a quote.
pub fn decode(bytes: &[u8]) -> Result<Evidence, Malformed> {
    match carrier::is_json(bytes) {
        true => carrier::decode(bytes),
        false => Evidence::new(bytes, None, None, Vec::new()),
    }
}

impl Evidence {
    fn new(
        report: &[u8],
        quote: Option<TpmQuote>,
        td_quote: Option<Vec<u8>>,
        certificates: Vec<Certificate>,
    ) -> Result<Self, Malformed> {
        let report = HclReport::decode(report)?;
        let silicon = match report.kind {
            hcl::Kind::Snp => Silicon::Snp(Box::new(snp::decode(&report.hardware[..snp::report::SIZE])?)),
            hcl::Kind::Tdx => Silicon::Tdx(match td_quote {
                Some(bytes) => Some(Box::new(TdQuote { evidence: tdx::decode(&bytes)?, bytes })),
                None => None,
            }),
        };
        Ok(Self { report, silicon, quote, certificates, user_data_is_nonce: false })
    }
}
