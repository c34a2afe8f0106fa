//! The envelope of an ECDSA quote, version 3, 4 and 5.
//!
//! ```text
//! header(48) ‖ [v5: body type u16, body size u32] ‖ body ‖ signature size u32 ‖ signature(64) ‖ attestation key(64)
//!   v3:      ‖ QE report(384) ‖ QE report signature(64) ‖ auth size u16 ‖ auth ‖ certification type u16, size u32, data
//!   v4, v5:  ‖ type u16 = 6, size u32 ‖ { the same as behind the key in v3 }
//! ```
//!
//! Intel SGX ECDSA QuoteLibReference DCAP API, appendix A.4 (version 3); Intel TDX DCAP Quoting Library API, appendix A.3
//! (versions 4 and 5). Everything before the signature size is signed.

use alloc::vec::Vec;

use super::{enclave, pem};
use crate::cursor::{Cursor, Malformed, Problem};
use crate::x509::certificate::Certificate;

/// The TEE type of SGX.
pub const SGX: u32 = 0;

/// The TEE type of TDX.
pub const TDX: u32 = 0x81;

/// A quote with a body of one TEE.
#[derive(Clone, Debug)]
pub struct Quote<B> {
    /// The version of the envelope.
    pub version: u16,
    /// What the quote is about.
    pub body: B,
    /// The attestation key's signature over everything before it, as `r ‖ s`.
    pub signature: [u8; 64],
    /// The attestation key, as `x ‖ y`.
    pub attestation_key: [u8; 64],
    /// The quoting enclave's report, which names the attestation key.
    pub enclave: enclave::Report,
    /// The exact bytes of that report.
    pub enclave_bytes: [u8; enclave::SIZE],
    /// The PCK's signature over that report.
    pub enclave_signature: [u8; 64],
    /// Data of the quoting enclave that its report names beside the key.
    pub auth_data: Vec<u8>,
    /// What leads to the PCK.
    pub certification: Certification,
    signed: Vec<u8>,
}

/// How a quote says which PCK signed the quoting enclave's report (appendix A.4, table 9).
#[derive(Clone, Debug)]
pub enum Certification {
    /// Types 4 and 5: the certificate itself, alone or with its whole chain.
    Certificates(Vec<Certificate>),
    /// Type 1: the platform's id in plain text, with its CPUSVN and PCESVN.
    Platform {
        /// PPID.
        ppid: [u8; 16],
        /// CPUSVN.
        cpu_svn: [u8; 16],
        /// PCESVN.
        pce_svn: u16,
    },
}

impl<B> Quote<B> {
    /// Decodes a quote of one TEE type; `body` reads what stands in a version's place of the body.
    pub fn decode(
        bytes: &[u8],
        tee: u32,
        body: impl FnOnce(u16, &mut Cursor<'_>) -> Result<B, Malformed>,
    ) -> Result<Self, Malformed> {
        let mut at = Cursor::new(bytes);
        let version = header(&mut at, tee)?;
        let body = body(version, &mut at)?;
        let signed = bytes[..at.offset()].to_vec();
        let size = length(at.u32_le("quote.signature.size")?);
        let offset = at.offset();
        let mut data = Cursor::at(at.take("quote.signature.data", size)?, offset);
        padding(at, bytes.len())?;

        let signature = data.array("quote.signature")?;
        let attestation_key = data.array("quote.attestation_key")?;
        if version > 3 {
            let start = data;
            let (kind, inner) = certification(&mut data)?;
            data.finish("quote.signature.data")?;
            if kind != 6 {
                let problem =
                    Problem::Unexpected { expected: "QE report certification (6)", found: kind.into() };
                return Err(start.error("quote.certification.type", problem));
            }
            data = inner;
        }
        let enclave_bytes: [u8; enclave::SIZE] = data.array("quote.qe_report")?;
        let enclave = enclave::Report::read(&mut Cursor::new(&enclave_bytes))?;
        let enclave_signature = data.array("quote.qe_report.signature")?;
        let auth_size = usize::from(data.u16_le("quote.auth.size")?);
        let auth_data = data.take("quote.auth", auth_size)?.to_vec();
        let start = data;
        let (kind, inner) = certification(&mut data)?;
        data.finish("quote.signature.data")?;
        let certification = Certification::read(kind, inner, start)?;
        Ok(Self {
            version,
            body,
            signature,
            attestation_key,
            enclave,
            enclave_bytes,
            enclave_signature,
            auth_data,
            certification,
            signed,
        })
    }

    /// The bytes that the attestation key signs.
    pub fn signed(&self) -> &[u8] {
        &self.signed
    }

    /// The certificates that came along.
    pub fn certificates(&self) -> &[Certificate] {
        match &self.certification {
            Certification::Certificates(certificates) => certificates,
            Certification::Platform { .. } => &[],
        }
    }
}

impl Certification {
    fn read(kind: u16, mut data: Cursor<'_>, start: Cursor<'_>) -> Result<Self, Malformed> {
        let certificates = match kind {
            4 => 1,
            5 => 3,
            1 => {
                let platform = Self::Platform {
                    ppid: data.array("quote.certification.ppid")?,
                    cpu_svn: data.array("quote.certification.cpusvn")?,
                    pce_svn: data.u16_le("quote.certification.pcesvn")?,
                };
                data.finish("quote.certification")?;
                return Ok(platform);
            }
            // Types 2 and 3 encrypt the PPID to Intel: only a service with the key can say which PCK is meant.
            found => {
                let expected = "a plain PPID (1), a PCK certificate (4) or a PCK chain (5)";
                let problem = Problem::Unexpected { expected, found: found.into() };
                return Err(start.error("quote.certification.type", problem));
            }
        };
        let chain = pem::chain(data.rest(), certificates)?;
        match chain.len() == certificates {
            true => Ok(Self::Certificates(chain)),
            false => Err(data.error("quote.certification", Problem::Missing)),
        }
    }
}

/// Version, key type, TEE type, four bytes without meaning (SVNs in version 3), vendor, user data.
fn header(at: &mut Cursor<'_>, tee: u32) -> Result<u16, Malformed> {
    let start = *at;
    let unexpected = |at: Cursor<'_>, field, expected, found: u32| {
        at.error(field, Problem::Unexpected { expected, found: found.into() })
    };
    let version = at.u16_le("quote.version")?;
    if !(3..=5).contains(&version) {
        return Err(unexpected(start, "quote.version", "version 3, 4 or 5", version.into()));
    }
    let start = *at;
    let key_type = at.u16_le("quote.key_type")?;
    if key_type != 2 {
        return Err(unexpected(start, "quote.key_type", "ECDSA P-256 (2)", key_type.into()));
    }
    let start = *at;
    let found = at.u32_le("quote.tee_type")?;
    if found != tee || (tee == TDX && version < 4) {
        return Err(unexpected(start, "quote.tee_type", "a TEE type that fits the version", found));
    }
    // QE_SVN and PCE_SVN of version 3: the QE's report and the PCK say the same, signed by somebody else.
    at.take("quote.svns", 4)?;
    let start = *at;
    if at.take("quote.vendor", INTEL.len())? != INTEL {
        return Err(start.error("quote.vendor", Problem::NotCanonical("not the quoting enclave of Intel")));
    }
    at.take("quote.user_data", 20)?;
    Ok(version)
}

/// The type of the body, which version 5 writes before it together with its size; other versions have one type.
pub(crate) fn body_kind(
    version: u16,
    at: &mut Cursor<'_>,
    only: u16,
    size: impl Fn(u16) -> Option<u32>,
) -> Result<u16, Malformed> {
    if version != 5 {
        return Ok(only);
    }
    let start = *at;
    let unexpected = |at: Cursor<'_>, field, expected, found: u32| {
        at.error(field, Problem::Unexpected { expected, found: found.into() })
    };
    let kind = at.u16_le("quote.body.type")?;
    let expected = size(kind)
        .ok_or_else(|| unexpected(start, "quote.body.type", "a body of the TEE type", kind.into()))?;
    let start = *at;
    match at.u32_le("quote.body.size")? {
        found if found == expected => Ok(kind),
        found => Err(unexpected(start, "quote.body.size", "the size of the body's type", found)),
    }
}

/// One certification item: its type, and a cursor over its data.
fn certification<'a>(at: &mut Cursor<'a>) -> Result<(u16, Cursor<'a>), Malformed> {
    let kind = at.u16_le("quote.certification.type")?;
    let size = length(at.u32_le("quote.certification.size")?);
    let offset = at.offset();
    Ok((kind, Cursor::at(at.take("quote.certification", size)?, offset)))
}

/// Nothing follows, or zeros up to the size of the buffer that the host hands out as a whole.
fn padding(mut at: Cursor<'_>, total: usize) -> Result<(), Malformed> {
    if BUFFERS.contains(&total) {
        let left = at.rest().len();
        at.zeros("quote.padding", left)?;
    }
    at.finish("quote")
}

/// A length of four bytes; on a machine that cannot address as much, no cursor has so many either.
fn length(size: u32) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

/// QE_VENDOR_ID of Intel, 939A7233-F79C-4CA9-940A-0DB3957F0607.
const INTEL: &[u8] =
    &[0x93, 0x9A, 0x72, 0x33, 0xF7, 0x9C, 0x4C, 0xA9, 0x94, 0x0A, 0x0D, 0xB3, 0x95, 0x7F, 0x06, 0x07];

/// Quote buffers seen: GCP's 8000 bytes, and GET_QUOTE_BUF_SIZE of Linux's tdx-guest driver, old and new.
const BUFFERS: &[usize] = &[8000, 8 * 1024, 16 * 1024, 128 * 1024];
