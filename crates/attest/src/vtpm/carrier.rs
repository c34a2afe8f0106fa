//! The JSON forms that carry an HCL report with its TPM quote: versions 0, 1 and 2 of the evidence of Confidential
//! Containers' trustee, for SNP and TDX, and the document of Flashbots' attested-tls.
//!
//! Version 0 writes bytes as lists of numbers and the VCEK as PEM; version 1 writes Base64 and hexadecimal; in version 2
//! the user data of the runtime data repeat the nonce. Hexadecimal digits are lower case, Base64 is strict: one encoding of
//! everything that no signature covers.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::quote::TpmQuote;
use super::{Evidence, Silicon};
use crate::cursor::{Malformed, Problem};
use crate::x509::certificate::Certificate;
use crate::{base64, pem};

/// The most intermediates of an attestation key.
const MAX_INTERMEDIATES: usize = 4;

/// Whether bytes look like one of these documents.
pub fn is_json(bytes: &[u8]) -> bool {
    let names = |name: &[u8]| bytes.windows(name.len()).any(|window| window == name);
    bytes.trim_ascii_start().first() == Some(&b'{') && (names(b"\"hcl_report") || names(b"\"vcek\""))
}

/// Decodes a document.
pub fn decode(bytes: &[u8]) -> Result<Evidence, Malformed> {
    let raw: Raw = serde_json::from_slice(bytes).map_err(|_| fail("not a document that is known"))?;
    let user_data_is_nonce = match raw.version {
        None | Some(1) => false,
        Some(2) => true,
        Some(found) => {
            let problem = Problem::Unexpected { expected: "version 1 or 2", found: found.into() };
            return Err(Malformed { field: "vtpm.version", offset: 0, problem });
        }
    };
    let (quote, certificates) = match (raw.tpm_quote, raw.tpm_attestation) {
        (Some(quote), None) => (quote, Vec::new()),
        (None, Some(attestation)) => {
            let certificates = attestation.certificates()?;
            (attestation.quote, certificates)
        }
        _ => return Err(fail("not exactly one TPM quote")),
    };
    let report = raw.hcl_report.base64("vtpm.report")?;
    let quote = quote.decode()?;
    let td_quote = raw.td_quote.map(|quote| quote.base64("vtpm.tdQuote")).transpose()?;
    let mut evidence = Evidence::new(&report, Some(quote), td_quote, certificates)?;
    evidence.user_data_is_nonce = user_data_is_nonce;
    match (&mut evidence.silicon, raw.vcek) {
        (Silicon::Snp(silicon), Some(vcek)) => silicon.certificates.push(vcek_certificate(&vcek)?),
        (Silicon::Tdx(Some(_)), None) => {}
        _ => return Err(fail("a VCEK belongs to SNP, a TD quote to TDX")),
    }
    Ok(evidence)
}

fn vcek_certificate(text: &str) -> Result<Certificate, Malformed> {
    match pem::is_pem(text.as_bytes()) {
        true => one_pem(text),
        false => Certificate::decode(&base64::decode("vtpm.vcek", text.as_bytes())?),
    }
}

fn one_pem(text: &str) -> Result<Certificate, Malformed> {
    // JSON can write other control characters than line feeds; PEM would take some of them for whitespace.
    if text.bytes().any(|byte| byte < b' ' && byte != b'\n') {
        return Err(fail("a control character inside PEM"));
    }
    match pem::decode(text.as_bytes())?.as_slice() {
        [block] if block.label == "CERTIFICATE" => Certificate::decode(&block.bytes),
        _ => Err(fail("not exactly one certificate")),
    }
}

fn fail(rule: &'static str) -> Malformed {
    Malformed { field: "vtpm.json", offset: 0, problem: Problem::NotCanonical(rule) }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    version: Option<u32>,
    #[serde(alias = "report", alias = "hcl_report_base64")]
    hcl_report: Blob,
    #[serde(alias = "quote")]
    tpm_quote: Option<Quote>,
    #[serde(alias = "tdx_quote_base64")]
    td_quote: Option<Blob>,
    vcek: Option<String>,
    tpm_attestation: Option<Attestation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Quote {
    message: Blob,
    signature: Blob,
    pcrs: Vec<Blob>,
}

/// The event log and what the cloud says of the instance are signed by nobody and judged by nobody.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attestation {
    ak_certificate_pem: String,
    #[serde(default)]
    ak_intermediate_certificates_pem: Vec<String>,
    quote: Quote,
    #[serde(default, rename = "event_log")]
    _event_log: IgnoredAny,
    #[serde(default, rename = "instance_info")]
    _instance_info: IgnoredAny,
}

/// Bytes as a list of numbers or as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Blob {
    Numbers(Vec<u8>),
    Text(String),
}

impl Quote {
    fn decode(self) -> Result<TpmQuote, Malformed> {
        let pcrs: Result<Vec<_>, _> = self.pcrs.into_iter().map(Blob::hex).collect();
        TpmQuote::decode(&self.message.hex()?, &self.signature.hex()?, &pcrs?)
    }
}

impl Attestation {
    /// The leaf and its intermediates.
    fn certificates(&self) -> Result<Vec<Certificate>, Malformed> {
        if self.ak_intermediate_certificates_pem.len() > MAX_INTERMEDIATES {
            return Err(fail("too many intermediates"));
        }
        let leaf = core::iter::once(&self.ak_certificate_pem);
        leaf.chain(&self.ak_intermediate_certificates_pem).map(|text| one_pem(text)).collect()
    }
}

impl Blob {
    fn base64(self, field: &'static str) -> Result<Vec<u8>, Malformed> {
        match self {
            Self::Numbers(bytes) => Ok(bytes),
            Self::Text(text) => base64::decode(field, text.as_bytes()),
        }
    }

    fn hex(self) -> Result<Vec<u8>, Malformed> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        match self {
            Self::Numbers(bytes) => Ok(bytes),
            Self::Text(text) => {
                let pairs = text.as_bytes().chunks_exact(2);
                let even = pairs.remainder().is_empty();
                let bytes = pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect();
                Option::filter(bytes, |_| even).ok_or_else(|| fail("not hexadecimal in lower case"))
            }
        }
    }
}
