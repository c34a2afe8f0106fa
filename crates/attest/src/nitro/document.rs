//! The document inside the signature ("Attestation process" of aws-nitro-enclaves-nsm-api, sections 3.1 and 3.2.2.1).

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::cbor::{Key, Reader};
use crate::cursor::{Malformed, Problem};
use crate::time::Time;
use crate::x509::certificate::Certificate;

/// The size of a register: the digest is always SHA-384.
pub const PCR_SIZE: usize = 48;

/// An attestation document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The enclave's name: instance and enclave id.
    pub module_id: String,
    /// When it was made, in milliseconds since 1970.
    pub timestamp: u64,
    /// The registers by number; 0 to 2 are always there.
    pub pcrs: BTreeMap<usize, [u8; PCR_SIZE]>,
    /// A key that the enclave chose to name.
    pub public_key: Option<Vec<u8>>,
    /// Bytes that the enclave chose.
    pub user_data: Option<Vec<u8>>,
    /// The nonce that the enclave was given.
    pub nonce: Option<Vec<u8>>,
}

impl Document {
    /// When it was made.
    pub fn time(&self) -> Time {
        Time(self.timestamp / 1000)
    }

    /// In debug mode the registers that measure the image are zero, and the console is open ("Attestation process",
    /// section on debug mode).
    pub fn debug(&self) -> bool {
        (0..3).any(|index| self.pcrs.get(&index).is_none_or(|pcr| *pcr == [0; PCR_SIZE]))
    }
}

/// Decodes a document with its certificate and bundle. Every bound is AWS's own; unknown fields are refused, as the
/// definition is closed.
pub(super) fn decode(bytes: &[u8]) -> Result<(Document, Certificate, Vec<Certificate>), Malformed> {
    let mut reader = Reader::new(bytes);
    let start = reader;
    let (mut module_id, mut digest, mut timestamp, mut pcrs) = (None, None, None, None);
    let (mut certificate, mut bundle) = (None, Vec::new());
    let (mut public_key, mut user_data, mut nonce) = (None, None, None);
    reader.map("nitro.document", MAX_FIELDS, |key, reader| {
        let at = *reader;
        match key {
            Key::Text("module_id") => module_id = Some(reader.text("nitro.module_id")?),
            Key::Text("digest") => digest = Some(reader.text("nitro.digest")?),
            Key::Text("timestamp") => timestamp = Some(reader.unsigned("nitro.timestamp")?),
            Key::Text("pcrs") => pcrs = Some(registers(reader)?),
            Key::Text("certificate") => certificate = Some(single(reader, "nitro.certificate")?),
            Key::Text("cabundle") => {
                reader.array("nitro.cabundle", MAX_BUNDLE, |reader| {
                    bundle.push(single(reader, "nitro.cabundle")?);
                    Ok(())
                })?;
            }
            Key::Text("public_key") => public_key = optional(reader, "nitro.public_key", 1..=1024)?,
            Key::Text("user_data") => user_data = optional(reader, "nitro.user_data", 0..=512)?,
            Key::Text("nonce") => nonce = optional(reader, "nitro.nonce", 0..=512)?,
            _ => return Err(at.fail("nitro.document", Problem::NotCanonical("a field that is not defined"))),
        }
        Ok(())
    })?;
    reader.finish("nitro.document")?;
    let missing = |field| start.fail(field, Problem::Missing);
    if digest.ok_or_else(|| missing("nitro.digest"))? != "SHA384" {
        return Err(start.fail("nitro.digest", Problem::NotCanonical("not SHA384")));
    }
    let document = Document {
        module_id: module_id
            .filter(|name| !name.is_empty())
            .ok_or_else(|| missing("nitro.module_id"))?
            .into(),
        timestamp: timestamp.filter(|&time| time > 0).ok_or_else(|| missing("nitro.timestamp"))?,
        pcrs: pcrs.ok_or_else(|| missing("nitro.pcrs"))?,
        public_key,
        user_data,
        nonce,
    };
    if bundle.is_empty() {
        return Err(missing("nitro.cabundle"));
    }
    Ok((document, certificate.ok_or_else(|| missing("nitro.certificate"))?, bundle))
}

fn registers(reader: &mut Reader<'_>) -> Result<BTreeMap<usize, [u8; PCR_SIZE]>, Malformed> {
    let mut pcrs = BTreeMap::new();
    let start = *reader;
    reader.map("nitro.pcrs", MAX_PCRS, |key, reader| {
        let at = *reader;
        let index = match key {
            Key::Number(number) => usize::try_from(number).ok().filter(|&index| index < MAX_PCRS),
            Key::Text(_) => None,
        };
        let index =
            index.ok_or_else(|| at.fail("nitro.pcrs", Problem::NotCanonical("not a register, 0 to 31")))?;
        let value = reader.bytes("nitro.pcr")?;
        let register = value.try_into().map_err(|_| {
            at.fail("nitro.pcr", Problem::Unexpected { expected: "48 bytes", found: value.len() as u64 })
        })?;
        pcrs.insert(index, register);
        Ok(())
    })?;
    match (0..3).all(|index| pcrs.contains_key(&index)) {
        true => Ok(pcrs),
        false => Err(start.fail("nitro.pcrs", Problem::Missing)),
    }
}

fn single(reader: &mut Reader<'_>, field: &'static str) -> Result<Certificate, Malformed> {
    let at = *reader;
    let der = reader.bytes(field)?;
    match der.len() > MAX_CERTIFICATE {
        true => Err(at.fail(field, Problem::TooLong { limit: MAX_CERTIFICATE, found: der.len() })),
        false => Certificate::decode(der),
    }
}

fn optional(
    reader: &mut Reader<'_>,
    field: &'static str,
    bounds: core::ops::RangeInclusive<usize>,
) -> Result<Option<Vec<u8>>, Malformed> {
    if reader.null() {
        return Ok(None);
    }
    let at = *reader;
    let bytes = reader.bytes(field)?;
    match bounds.contains(&bytes.len()) {
        true => Ok(Some(bytes.into())),
        false => Err(at.fail(field, Problem::TooLong { limit: *bounds.end(), found: bytes.len() })),
    }
}

/// The fields that are defined.
const MAX_FIELDS: usize = 9;
/// "pcrs: … up to 32".
const MAX_PCRS: usize = 32;
/// "certificate: … 1 to 1024 bytes", also in the bundle.
const MAX_CERTIFICATE: usize = 1024;
/// Root, region, zone, instance; one more than any document has.
const MAX_BUNDLE: usize = 5;
