//! A TPM quote: TPMS_ATTEST (TPM 2.0 Library, Part 2, section 10.12.12), its signature, and the PCRs it speaks of.

use alloc::vec::Vec;

use crate::crypto::{PublicKey, Scheme, sha256};
use crate::cursor::{self, Cursor, Malformed, Problem};

/// The PCRs of Azure's quotes: all of them.
pub const PCRS: usize = 24;

/// The largest TPM2B_DATA and digest here: SHA-512 (Part 2, sections 10.4.2 and 10.4.3).
const MAX_DATA: usize = 64;

/// The largest TPMS_ATTEST of a quote.
const MAX_SIZE: usize = 512;

/// A quote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TpmQuote {
    /// What was signed, decoded.
    pub attested: Attested,
    /// The PCRs that came with the quote.
    pub pcrs: [[u8; 32]; PCRS],
    message: Vec<u8>,
    signature: Vec<u8>,
}

/// The part of TPMS_ATTEST that is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attested {
    /// extraData: the nonce.
    pub nonce: Vec<u8>,
    /// firmwareVersion.
    pub firmware: u64,
    /// The digest of the PCRs.
    pub digest: Vec<u8>,
}

impl TpmQuote {
    /// Decodes a quote.
    pub fn decode(message: &[u8], signature: &[u8], pcrs: &[Vec<u8>]) -> Result<Self, Malformed> {
        cursor::limit("tpm.quote", message, MAX_SIZE)?;
        cursor::limit("tpm.signature", signature, MAX_SIZE)?;
        let wrong = |found| Malformed {
            field: "tpm.pcrs",
            offset: 0,
            problem: Problem::Unexpected { expected: "24 registers of 32 bytes", found },
        };
        if pcrs.len() != PCRS {
            return Err(wrong(pcrs.len() as u64));
        }
        let mut registers = [[0; 32]; PCRS];
        for (register, value) in registers.iter_mut().zip(pcrs) {
            *register = value.as_slice().try_into().map_err(|_| wrong(value.len() as u64))?;
        }
        let attested = Attested::decode(message)?;
        Ok(Self { attested, pcrs: registers, message: message.into(), signature: signature.into() })
    }

    /// Whether the key signed the quote. Azure's attestation keys sign with RSASSA-PKCS1-v1_5 and SHA-256 only.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        key.verify(Scheme::RsaPkcs1Sha256, &self.message, &self.signature).is_ok()
    }

    /// The digest of the PCRs that came with the quote (Part 1, section 17.6: in order of their numbers).
    pub fn expected_digest(&self) -> [u8; 32] {
        sha256(self.pcrs.as_flattened())
    }
}

impl Attested {
    /// Decodes TPMS_ATTEST of a quote over all PCRs of SHA-256.
    pub fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let mut at = Cursor::new(message);
        expect(&mut at, "tpm.magic", MAGIC)?;
        expect(&mut at, "tpm.type", &TYPE_QUOTE)?;
        data(&mut at, "tpm.qualifiedSigner")?;
        let nonce = data(&mut at, "tpm.extraData")?;
        // TPMS_CLOCK_INFO: clock, resetCount, restartCount, safe (section 10.11.1).
        at.take("tpm.clockInfo", 16)?;
        let here = at;
        let safe = at.u8("tpm.clockInfo.safe")?;
        if safe > 1 {
            let problem = Problem::Unexpected { expected: "a boolean", found: safe.into() };
            return Err(here.error("tpm.clockInfo.safe", problem));
        }
        let firmware = at.u64_be("tpm.firmwareVersion")?;
        expect(&mut at, "tpm.pcrSelect", SELECTION)?;
        let digest = data(&mut at, "tpm.pcrDigest")?;
        at.finish("tpm.quote")?;
        Ok(Self { nonce, firmware, digest })
    }
}

/// A TPM2B: its size, and as many bytes.
fn data(at: &mut Cursor<'_>, field: &'static str) -> Result<Vec<u8>, Malformed> {
    let here = *at;
    let size = usize::from(at.u16_be(field)?);
    match size > MAX_DATA {
        true => Err(here.error(field, Problem::TooLong { limit: MAX_DATA, found: size })),
        false => at.take(field, size).map(Vec::from),
    }
}

fn expect(at: &mut Cursor<'_>, field: &'static str, bytes: &[u8]) -> Result<(), Malformed> {
    let here = *at;
    match at.take(field, bytes.len())? == bytes {
        true => Ok(()),
        false => Err(here.error(field, Problem::NotCanonical("another value is defined here"))),
    }
}

/// TPM_GENERATED_VALUE (Part 2, section 6.2): only the TPM writes it at the start of what it signs.
const MAGIC: &[u8] = &[0xFF, b'T', b'C', b'G'];
/// TPM_ST_ATTEST_QUOTE (section 6.9).
const TYPE_QUOTE: [u8; 2] = [0x80, 0x18];
/// TPML_PCR_SELECTION (section 10.9.7): one bank, TPM_ALG_SHA256, three bytes, every PCR.
const SELECTION: &[u8] = &[0, 0, 0, 1, 0, 0x0B, 3, 0xFF, 0xFF, 0xFF];
