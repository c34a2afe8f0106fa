//! RA-TLS: a self-signed certificate that carries evidence of the environment that made its key.
//!
//! Ours carries an attestation bundle under 1.3.6.1.4.1.58270.2.3. Others are read too: a conceptual message wrapper under
//! id-pe-cmw (RFC 9999 section 4), the tagged evidence of the Confidential Computing Consortium's interoperable RA-TLS under
//! TCG's tcg-dice-TaggedEvidence, and the bare quote of Gramine.

use alloc::vec::Vec;

use super::cmw;
use crate::cbor::{Key, Reader as Cbor};
use crate::crypto::{sha256, sha384, sha512};
use crate::cursor::{Malformed, Problem};
use crate::der::{self, Reader, tag};
use crate::x509::certificate::Certificate;

/// The arc of Enarx, 1.3.6.1.4.1.58270.
pub const OID_ENARX: &[u8] = &[0x2B, 6, 1, 4, 1, 0x83, 0xC7, 0x1E];

/// Our extension, 1.3.6.1.4.1.58270.2.3.
pub const OID_EVIDENCE: &[u8] = &[0x2B, 6, 1, 4, 1, 0x83, 0xC7, 0x1E, 2, 3];

/// What a certificate carries.
#[derive(Clone, Debug)]
pub enum Inside<'a> {
    /// An attestation bundle.
    Bundle(&'a [u8]),
    /// A conceptual message wrapper in JSON.
    Json(&'a [u8]),
    /// A conceptual message wrapper in CBOR.
    Cbor(&'a [u8]),
    /// Evidence with a claims buffer.
    Tagged(TaggedEvidence),
    /// A quote, bound to the key.
    Quote(&'a [u8]),
}

/// Evidence bound to a buffer of claims, which names the key (interoperable RA-TLS, CCC Attestation SIG).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaggedEvidence {
    /// The quote.
    pub evidence: Vec<u8>,
    /// The claims, as CBOR; the report data are their SHA-256.
    pub claims: Vec<u8>,
    /// `pubkey-hash`: the algorithm of the IANA named-information registry, and the digest.
    pub key_digest: (u64, Vec<u8>),
}

impl<'a> Inside<'a> {
    /// What is inside, or nothing when the certificate carries no evidence.
    pub fn of(certificate: &'a Certificate) -> Result<Option<Self>, Malformed> {
        if let Some(value) = certificate.extension(OID_EVIDENCE) {
            return Ok(Some(Self::Bundle(value)));
        }
        if let Some(value) = certificate.extension(cmw::OID) {
            return wrapper(value).map(Some);
        }
        if let Some(value) = certificate.extension(OID_TAGGED_EVIDENCE) {
            return TaggedEvidence::decode(value).map(Self::Tagged).map(Some);
        }
        Ok(certificate.extension(OID_GRAMINE_QUOTE).map(Self::Quote))
    }
}

/// Whether a certificate carries evidence, readable or not.
pub fn is_carrier(der: &[u8]) -> bool {
    let carries = |certificate: Certificate| {
        let oids = [OID_EVIDENCE, cmw::OID, OID_TAGGED_EVIDENCE, OID_GRAMINE_QUOTE];
        oids.iter().any(|oid| certificate.extension(oid).is_some())
    };
    Certificate::decode(der).is_ok_and(carries)
}

/// Encodes our extension: an Extension of a certificate or request (RFC 5280 section 4.1), not critical.
pub fn encode_extension(bundle: &[u8]) -> Vec<u8> {
    der::sequence(&[&der::element(tag::OID, OID_EVIDENCE), &der::element(tag::OCTET_STRING, bundle)])
}

impl TaggedEvidence {
    /// `60000([ evidence: bstr, claims: bstr ])`, the claims a map that has `pubkey-hash: [ algorithm, digest ]`.
    pub fn decode(value: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Cbor::new(value);
        let start = reader;
        let tag = reader.tag("taggedEvidence")?;
        if tag != TAG_TEE_QUOTE {
            let problem = Problem::Unexpected { expected: "the tag of a quote", found: tag };
            return Err(start.fail("taggedEvidence", problem));
        }
        let (evidence, claims) = reader.tuple("taggedEvidence", 2, |pair| {
            Ok((pair.bytes("taggedEvidence.evidence")?, pair.bytes("taggedEvidence.claims")?))
        })?;
        reader.finish("taggedEvidence")?;
        let mut key_digest = None;
        let mut buffer = Cbor::new(claims);
        buffer.map("claims", MAX_CLAIMS, |key, value| {
            if key != Key::Text("pubkey-hash") {
                return value.skip("claims").map(drop);
            }
            key_digest = Some(value.tuple("claims.pubkey-hash", 2, |pair| {
                Ok((pair.unsigned("claims.algorithm")?, pair.bytes("claims.digest")?.to_vec()))
            })?);
            Ok(())
        })?;
        let missing = buffer.fail("claims.pubkey-hash", Problem::Missing);
        buffer.finish("claims")?;
        let key_digest = key_digest.ok_or(missing)?;
        Ok(Self { evidence: evidence.to_vec(), claims: claims.to_vec(), key_digest })
    }

    /// Whether the claims name this key.
    pub fn names(&self, spki: &[u8]) -> bool {
        let (algorithm, digest) = &self.key_digest;
        // The IANA named-information hash algorithm registry (RFC 6920 section 9.4).
        match algorithm {
            1 => digest == &sha256(spki),
            7 => digest == &sha384(spki),
            8 => digest == &sha512(spki),
            _ => false,
        }
    }

    /// The report data that the evidence must have.
    pub fn report_data(&self) -> Vec<u8> {
        sha256(&self.claims).to_vec()
    }
}

/// `CMW ::= CHOICE { json UTF8String, cbor OCTET STRING }` (RFC 9999 section 4).
fn wrapper(value: &[u8]) -> Result<Inside<'_>, Malformed> {
    let mut item = Reader::new(value);
    let at = item;
    let element = item.any("cmw.extension")?;
    item.finish("cmw.extension")?;
    match element.tag {
        tag::UTF8_STRING => Ok(Inside::Json(element.contents)),
        tag::OCTET_STRING => Ok(Inside::Cbor(element.contents)),
        found => {
            let problem = Problem::Unexpected { expected: "UTF8String or OCTET STRING", found: found.into() };
            Err(at.fail("cmw.extension", problem))
        }
    }
}

/// The most claims of a buffer.
const MAX_CLAIMS: usize = 16;

/// CBOR tag of a quote of SGX or TDX (interoperable RA-TLS, section "CBOR tags").
const TAG_TEE_QUOTE: u64 = 60_000;

/// tcg-dice-TaggedEvidence, 2.23.133.5.4.9.
const OID_TAGGED_EVIDENCE: &[u8] = &[0x67, 0x81, 0x05, 5, 4, 9];

/// The quote of Gramine (ra-tls-attest), 1.2.840.113741.1337.6.
const OID_GRAMINE_QUOTE: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF8, 0x4D, 0x8A, 0x39, 6];
