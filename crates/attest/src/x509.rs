//! X.509 as far as vendors' chains need it: certificates, revocation lists, paths to a pinned anchor.
//!
//! These chains are fixed shapes of two to five certificates with their own habits (explicit PSS defaults, leaves without
//! any standard extension, serial number zero), so they are checked by hand and not by a web PKI library.

pub mod certificate;
pub mod chain;
pub mod crl;
#[cfg(test)]
pub(crate) mod issuing;

use alloc::vec::Vec;

use crate::crypto::Scheme;
use crate::cursor::{Malformed, Problem};
use crate::der::{self, Reader, tag};

/// Reads a signature AlgorithmIdentifier.
///
/// RSASSA-PSS parameters come in two encodings: AMD's roots and intermediates, and its leaves up to August 2024, write the
/// default trailerField out; later leaves and all revocation lists leave it away (RFC 4055 section 3.1 allows readers both).
pub(crate) fn scheme(field: &'static str, identifier: &mut Reader<'_>) -> Result<Scheme, Malformed> {
    let mut fields = identifier.sequence(field)?;
    let scheme = match fields.oid(field)? {
        OID_ECDSA_SHA256 => Scheme::EcdsaP256Sha256,
        OID_ECDSA_SHA384 => Scheme::EcdsaP384Sha384,
        OID_RSA_SHA256 => {
            fields.expect(field, tag::NULL)?;
            Scheme::RsaPkcs1Sha256
        }
        OID_RSA_SHA384 => {
            fields.expect(field, tag::NULL)?;
            Scheme::RsaPkcs1Sha384
        }
        OID_RSA_SHA512 => {
            fields.expect(field, tag::NULL)?;
            Scheme::RsaPkcs1Sha512
        }
        OID_RSA_PSS => pss(field, &mut fields)?,
        _ => {
            return Err(
                fields.fail(field, Problem::NotCanonical("a signature algorithm that is not used here"))
            );
        }
    };
    fields.finish(field)?;
    Ok(scheme)
}

/// Writes a signature AlgorithmIdentifier; nothing for RSA, which no keep signs with.
pub(crate) fn ecdsa_algorithm(scheme: Scheme) -> Option<Vec<u8>> {
    let oid = match scheme {
        Scheme::EcdsaP256Sha256 => OID_ECDSA_SHA256,
        Scheme::EcdsaP384Sha384 => OID_ECDSA_SHA384,
        _ => return None,
    };
    Some(der::sequence(&[&der::element(tag::OID, oid)]))
}

/// The signature as [`crate::crypto`] wants it: an Ecdsa-Sig-Value (RFC 3279 section 2.2.3) becomes `r ‖ s`.
pub(crate) fn signature(field: &'static str, scheme: Scheme, bits: &[u8]) -> Result<Vec<u8>, Malformed> {
    let size = match scheme {
        Scheme::EcdsaP256Sha256 => 32,
        Scheme::EcdsaP384Sha384 => 48,
        _ => return Ok(bits.to_vec()),
    };
    let mut outer = Reader::new(bits);
    let mut fields = outer.sequence(field)?;
    outer.finish(field)?;
    let mut raw = alloc::vec![0; 2 * size];
    for half in raw.chunks_exact_mut(size) {
        let at = fields;
        let number = fields.magnitude(field)?;
        let Some(start) = size.checked_sub(number.len()) else {
            return Err(at.fail(field, Problem::TooLong { limit: size, found: number.len() }));
        };
        half[start..].copy_from_slice(number);
    }
    fields.finish(field)?;
    Ok(raw)
}

/// RSASSA-PSS-params (RFC 4055 section 3.1): hash, MGF1 with the same hash, salt of the hash's length, trailer 1 or absent.
fn pss(field: &'static str, fields: &mut Reader<'_>) -> Result<Scheme, Malformed> {
    let mut parameters = fields.sequence(field)?;
    let start = parameters;
    let mut hash_field = parameters.expect(field, tag::context(0))?.reader();
    let hash = digest(field, &mut hash_field)?;
    hash_field.finish(field)?;
    let mut mask_field = parameters.expect(field, tag::context(1))?.reader();
    let mut mask = mask_field.sequence(field)?;
    mask_field.finish(field)?;
    let mgf1 = mask.oid(field)? == OID_MGF1;
    let mask_hash = digest(field, &mut mask)?;
    mask.finish(field)?;
    let mut salt_field = parameters.expect(field, tag::context(2))?.reader();
    let salt = salt_field.unsigned(field)?;
    salt_field.finish(field)?;
    if let Some(trailer) = parameters.optional(field, tag::context(3))? {
        let mut trailer = trailer.reader();
        let at = trailer;
        let value = trailer.unsigned(field)?;
        trailer.finish(field)?;
        if value != 1 {
            return Err(at.fail(field, Problem::Unexpected { expected: "trailer field 1", found: value }));
        }
    }
    parameters.finish(field)?;
    match (hash, salt) {
        (OID_SHA256, 32) if mgf1 && mask_hash == hash => Ok(Scheme::RsaPssSha256),
        (OID_SHA384, 48) if mgf1 && mask_hash == hash => Ok(Scheme::RsaPssSha384),
        _ => Err(start.fail(field, Problem::NotCanonical("PSS parameters that are not used here"))),
    }
}

fn digest<'a>(field: &'static str, reader: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
    let mut identifier = reader.sequence(field)?;
    let oid = identifier.oid(field)?;
    identifier.optional(field, tag::NULL)?;
    identifier.finish(field)?;
    Ok(oid)
}

/// ecdsa-with-SHA256, 1.2.840.10045.4.3.2.
const OID_ECDSA_SHA256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2];
/// ecdsa-with-SHA384, 1.2.840.10045.4.3.3.
const OID_ECDSA_SHA384: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 3];
/// id-RSASSA-PSS, 1.2.840.113549.1.1.10.
const OID_RSA_PSS: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 10];
/// sha256WithRSAEncryption, 1.2.840.113549.1.1.11.
const OID_RSA_SHA256: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 11];
/// sha384WithRSAEncryption, 1.2.840.113549.1.1.12.
const OID_RSA_SHA384: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 12];
/// sha512WithRSAEncryption, 1.2.840.113549.1.1.13.
const OID_RSA_SHA512: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 13];
/// id-mgf1, 1.2.840.113549.1.1.8.
const OID_MGF1: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 8];
/// id-sha256, 2.16.840.1.101.3.4.2.1.
const OID_SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
/// id-sha384, 2.16.840.1.101.3.4.2.2.
const OID_SHA384: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2];
