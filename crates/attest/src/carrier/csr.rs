//! PKCS#10 certification requests (RFC 2986), and the attribute of draft-ietf-lamps-csr-attestation-29.
//!
//! ```text
//! CertificationRequest ::= SEQUENCE { info CertificationRequestInfo, algorithm, signature BIT STRING }
//! CertificationRequestInfo ::= SEQUENCE { version INTEGER (0), subject Name, spki, attributes [0] SET OF Attribute }
//! ```

use alloc::vec::Vec;

use super::bundle::{self, Bundle};
use super::legacy;
use crate::crypto::{PublicKey, Scheme};
use crate::cursor::{self, Malformed, Problem};
use crate::der::{self, Reader, tag};
use crate::x509;

/// The largest request: an old SGX one with lists and TCB info is below 16 KiB.
pub const MAX_SIZE: usize = 256 * 1024;

/// The most attributes, and the most requested extensions.
const MAX_ITEMS: usize = 16;

/// A decoded request. Whether its key signed it is said by [`Request::proves_possession`].
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The SubjectPublicKeyInfo, as DER.
    pub spki: &'a [u8],
    /// The subject's Name, as DER.
    pub subject: &'a [u8],
    /// The extensions that it asks for.
    pub extensions: Vec<Extension<'a>>,
    /// The attestation attribute.
    pub bundle: Option<Bundle<'a>>,
    key: PublicKey,
    signed: &'a [u8],
    scheme: Scheme,
    signature: Vec<u8>,
}

/// A requested extension (RFC 2985 section 5.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    /// Its OID, encoded.
    pub oid: &'a [u8],
    /// Whether it is critical.
    pub critical: bool,
    /// Its value.
    pub value: &'a [u8],
}

impl<'a> Request<'a> {
    /// Decodes one DER request.
    pub fn decode(der: &'a [u8]) -> Result<Self, Malformed> {
        cursor::limit("csr", der, MAX_SIZE)?;
        let mut item = Reader::new(der);
        let mut outer = item.sequence("csr")?;
        item.finish("csr")?;
        let info = outer.expect("csr.info", tag::SEQUENCE)?;
        let scheme = x509::scheme("csr.algorithm", &mut outer)?;
        let signature = x509::signature("csr.signature", scheme, outer.bits("csr.signature")?)?;
        outer.finish("csr")?;

        let mut fields = info.reader();
        let at = fields;
        let version = fields.unsigned("csr.version")?;
        if version != 0 {
            return Err(at.fail("csr.version", Problem::Unexpected { expected: "v1", found: version }));
        }
        let subject = fields.expect("csr.subject", tag::SEQUENCE)?.whole;
        let spki = fields.expect("csr.spki", tag::SEQUENCE)?.whole;
        let list = fields.expect("csr.attributes", tag::context(0))?.reader();
        fields.finish("csr.info")?;
        let mut request = Self {
            key: PublicKey::from_spki(spki)?,
            extensions: Vec::new(),
            bundle: None,
            signed: info.whole,
            spki,
            subject,
            scheme,
            signature,
        };
        request.read_attributes(list)?;
        Ok(request)
    }

    /// Whether the holder of the key made the request.
    pub fn proves_possession(&self) -> bool {
        self.key.verify(self.scheme, self.signed, &self.signature).is_ok()
    }

    /// The key that certification is asked for.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Attributes that are not known are left alone: nothing of a request is copied into a certificate.
    fn read_attributes(&mut self, mut list: Reader<'a>) -> Result<(), Malformed> {
        let mut known: Vec<&[u8]> = Vec::new();
        while !list.is_empty() {
            let at = list;
            let mut fields = list.sequence("csr.attribute")?;
            let oid = fields.oid("csr.attribute.type")?;
            let values = fields.expect("csr.attribute.values", tag::SET)?;
            fields.finish("csr.attribute")?;
            if known.contains(&oid) {
                return Err(at.fail("csr.attribute", Problem::Duplicate));
            }
            if known.len() == MAX_ITEMS {
                let problem = Problem::TooLong { limit: MAX_ITEMS, found: MAX_ITEMS + 1 };
                return Err(at.fail("csr.attributes", problem));
            }
            known.push(oid);
            // Both are single-valued: RFC 2985 section 5.4.2, and COUNTS MAX 1 of the draft's section 4.3.
            let mut value = values.reader();
            match oid {
                OID_EXTENSION_REQUEST => {
                    self.extensions = extensions(value.sequence("csr.extensionRequest")?)?;
                    value.finish("csr.extensionRequest")?;
                }
                bundle::OID => self.bundle = Some(Bundle::read(value)?),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Encodes what an attester signs: an empty subject, its key, and its bundle as the only attribute.
pub fn encode_info(spki: &[u8], bundle: &[u8]) -> Vec<u8> {
    let oid = der::element(tag::OID, bundle::OID);
    let attribute = der::sequence(&[&oid, &der::element(tag::SET, bundle)]);
    let attributes = der::element(tag::context(0), &attribute);
    der::sequence(&[&der::unsigned(0), &der::sequence(&[]), spki, &attributes])
}

/// Encodes the request from what was signed and its Ecdsa-Sig-Value; nothing for RSA, which no keep signs with.
pub fn encode(info: &[u8], scheme: Scheme, signature: &[u8]) -> Option<Vec<u8>> {
    let bits = der::element(tag::BIT_STRING, &[&[0], signature].concat());
    Some(der::sequence(&[info, &x509::ecdsa_algorithm(scheme)?, &bits]))
}

fn extensions(mut list: Reader<'_>) -> Result<Vec<Extension<'_>>, Malformed> {
    let mut extensions: Vec<Extension<'_>> = Vec::new();
    while !list.is_empty() {
        let at = list;
        let mut fields = list.sequence("csr.extension")?;
        let oid = fields.oid("csr.extension.oid")?;
        let critical = fields.peek() == Some(tag::BOOLEAN) && fields.boolean("csr.extension.critical")?;
        let value = fields.octets("csr.extension.value")?;
        fields.finish("csr.extension")?;
        if extensions.len() == MAX_ITEMS {
            let problem = Problem::TooLong { limit: MAX_ITEMS, found: MAX_ITEMS + 1 };
            return Err(at.fail("csr.extensionRequest", problem));
        }
        if extensions.iter().any(|extension| extension.oid == oid) {
            return Err(at.fail("csr.extension.oid", Problem::Duplicate));
        }
        if critical && legacy::Kind::of(oid).is_some() {
            return Err(at.fail("csr.extension.critical", Problem::NotCanonical("evidence is not critical")));
        }
        extensions.push(Extension { oid, critical, value });
    }
    Ok(extensions)
}

/// extensionRequest, 1.2.840.113549.1.9.14.
const OID_EXTENSION_REQUEST: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 14];
