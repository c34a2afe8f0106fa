//! A certificate, decoded once and kept with its exact bytes.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use crate::crypto::{PublicKey, Scheme, sha256};
use crate::cursor::{self, Malformed, Problem};
use crate::der::{Reader, tag};
use crate::time::Window;

/// The largest certificate: vendors' are below 2 KiB, Nitro's field allows 1 KiB.
pub const MAX_SIZE: usize = 8 * 1024;

/// The most extensions: a PCK has six, a VCEK fourteen.
const MAX_EXTENSIONS: usize = 32;

/// An X.509 certificate (RFC 5280 section 4.1).
#[derive(Clone, Debug)]
pub struct Certificate {
    der: Box<[u8]>,
    digest: [u8; 32],
    signed: Range<usize>,
    serial: Range<usize>,
    issuer: Range<usize>,
    subject: Range<usize>,
    common_name: Arc<str>,
    spki: Range<usize>,
    spki_digest: [u8; 32],
    validity: Window,
    key: PublicKey,
    scheme: Scheme,
    signature: Vec<u8>,
    extensions: Vec<Extension>,
}

#[derive(Clone, Debug)]
struct Extension {
    oid: Range<usize>,
    critical: bool,
    value: Range<usize>,
}

/// What a certificate may sign (RFC 5280 sections 4.2.1.3 and 4.2.1.9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Constraints {
    /// basicConstraints names a CA.
    pub ca: bool,
    /// keyUsage allows to sign certificates.
    pub signs_certificates: bool,
    /// How many CAs may follow.
    pub path_length: Option<u64>,
}

impl Certificate {
    /// Decodes one DER certificate.
    pub fn decode(der: &[u8]) -> Result<Self, Malformed> {
        cursor::limit("certificate", der, MAX_SIZE)?;
        let mut item = Reader::new(der);
        let mut outer = item.sequence("certificate")?;
        item.finish("certificate")?;
        let signed = outer.expect("certificate.tbs", tag::SEQUENCE)?;
        let scheme = super::scheme("certificate.algorithm", &mut outer)?;
        let signature =
            super::signature("certificate.signature", scheme, outer.bits("certificate.signature")?)?;
        outer.finish("certificate")?;

        let mut fields = signed.reader();
        let mut version = fields.expect("certificate.version", tag::context(0))?.reader();
        match version.unsigned("certificate.version")? {
            2 => version.finish("certificate.version")?,
            found => {
                return Err(
                    version.fail("certificate.version", Problem::Unexpected { expected: "v3", found })
                );
            }
        }
        let within = |part: &[u8]| range(der, part);
        let serial = within(fields.integer("certificate.serial")?);
        let inner = fields;
        if super::scheme("certificate.tbs.algorithm", &mut fields)? != scheme {
            return Err(
                inner.fail("certificate.tbs.algorithm", Problem::NotCanonical("two algorithms are named"))
            );
        }
        let issuer = within(fields.expect("certificate.issuer", tag::SEQUENCE)?.whole);
        let mut dates = fields.sequence("certificate.validity")?;
        let validity =
            Window { from: dates.time("certificate.notBefore")?, to: dates.time("certificate.notAfter")? };
        dates.finish("certificate.validity")?;
        let subject = fields.expect("certificate.subject", tag::SEQUENCE)?.whole;
        // Looked for in every chain, so found once.
        let common_name = common_name(subject).unwrap_or_default().into();
        let spki = fields.expect("certificate.spki", tag::SEQUENCE)?.whole;
        let key = PublicKey::from_spki(spki)?;
        let extensions = match fields.optional("certificate.extensions", tag::context(3))? {
            Some(element) => extensions(der, element.reader())?,
            None => Vec::new(),
        };
        fields.finish("certificate.tbs")?;
        Ok(Self {
            digest: sha256(der),
            signed: within(signed.whole),
            serial,
            issuer,
            subject: within(subject),
            common_name,
            spki: within(spki),
            spki_digest: sha256(spki),
            validity,
            key,
            scheme,
            signature,
            extensions,
            der: der.into(),
        })
    }

    /// The exact bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of the exact bytes.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The serial number, as it is encoded.
    pub fn serial(&self) -> &[u8] {
        &self.der[self.serial.clone()]
    }

    /// The issuer's name, as DER.
    pub fn issuer(&self) -> &[u8] {
        &self.der[self.issuer.clone()]
    }

    /// The subject's name, as DER.
    pub fn subject(&self) -> &[u8] {
        &self.der[self.subject.clone()]
    }

    /// The SubjectPublicKeyInfo, as DER.
    pub fn spki(&self) -> &[u8] {
        &self.der[self.spki.clone()]
    }

    /// SHA-256 of the SubjectPublicKeyInfo.
    pub fn spki_digest(&self) -> &[u8; 32] {
        &self.spki_digest
    }

    /// The subject's key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// When it is valid.
    pub fn validity(&self) -> Window {
        self.validity
    }

    /// The subject's common name, or nothing when it has none that is text.
    pub fn common_name(&self) -> &str {
        &self.common_name
    }

    /// The same, to be kept.
    pub(crate) fn shared_name(&self) -> Arc<str> {
        self.common_name.clone()
    }

    /// The issuer's common name.
    pub fn issuer_common_name(&self) -> &str {
        common_name(self.issuer()).unwrap_or_default()
    }

    /// The value of an extension.
    pub fn extension(&self, oid: &[u8]) -> Option<&[u8]> {
        let extension = self.extensions.iter().find(|extension| &self.der[extension.oid.clone()] == oid)?;
        Some(&self.der[extension.value.clone()])
    }

    /// Every extension: OID, critical, value.
    pub fn extensions(&self) -> impl Iterator<Item = (&[u8], bool, &[u8])> {
        self.extensions.iter().map(|extension| {
            (&self.der[extension.oid.clone()], extension.critical, &self.der[extension.value.clone()])
        })
    }

    /// What it may sign.
    pub fn constraints(&self) -> Result<Constraints, Malformed> {
        let mut constraints = Constraints::default();
        if let Some(value) = self.extension(OID_BASIC_CONSTRAINTS) {
            let mut item = Reader::new(value);
            let mut fields = item.sequence("basicConstraints")?;
            item.finish("basicConstraints")?;
            if fields.peek() == Some(tag::BOOLEAN) {
                constraints.ca = fields.boolean("basicConstraints.cA")?;
            }
            if !fields.is_empty() {
                constraints.path_length = Some(fields.unsigned("basicConstraints.pathLen")?);
            }
            fields.finish("basicConstraints")?;
        }
        if let Some(value) = self.extension(OID_KEY_USAGE) {
            let mut item = Reader::new(value);
            let usage = item.expect("keyUsage", tag::BIT_STRING)?.contents;
            item.finish("keyUsage")?;
            // keyCertSign is bit 5 counted from the most significant one (RFC 5280 section 4.2.1.3).
            constraints.signs_certificates = usage.get(1).is_some_and(|bits| bits & 0x04 != 0);
        }
        Ok(constraints)
    }

    /// The address of the list that would name this certificate: the first one of cRLDistributionPoints (RFC 5280 section
    /// 4.2.1.13) that is a full name, a URI.
    pub fn distribution_point(&self) -> Option<&str> {
        let value = self.extension(OID_DISTRIBUTION_POINTS)?;
        let mut points = Reader::new(value).sequence("cRLDistributionPoints").ok()?;
        let mut point = points.sequence("distributionPoint").ok()?;
        let mut name = point.expect("distributionPoint.name", tag::context(0)).ok()?.reader();
        let mut full = name.expect("distributionPoint.fullName", tag::context(0)).ok()?.reader();
        let uri = full.expect("distributionPoint.uri", TAG_URI).ok()?;
        core::str::from_utf8(uri.contents).ok()
    }

    /// Verifies that the holder of `issuer` signed this certificate.
    pub fn is_signed_by(&self, issuer: &PublicKey) -> bool {
        issuer.verify(self.scheme, &self.der[self.signed.clone()], &self.signature).is_ok()
    }
}

fn extensions(der: &[u8], mut reader: Reader<'_>) -> Result<Vec<Extension>, Malformed> {
    let mut list = reader.sequence("certificate.extensions")?;
    reader.finish("certificate.extensions")?;
    let mut extensions: Vec<Extension> = Vec::new();
    while !list.is_empty() {
        let at = list;
        let mut fields = list.sequence("certificate.extension")?;
        let oid = fields.oid("certificate.extension.oid")?;
        let critical = match fields.peek() {
            Some(tag::BOOLEAN) => fields.boolean("certificate.extension.critical")?,
            _ => false,
        };
        let value = range(der, fields.octets("certificate.extension.value")?);
        fields.finish("certificate.extension")?;
        if extensions.len() == MAX_EXTENSIONS {
            let problem = Problem::TooLong { limit: MAX_EXTENSIONS, found: MAX_EXTENSIONS + 1 };
            return Err(at.fail("certificate.extensions", problem));
        }
        if extensions.iter().any(|extension| &der[extension.oid.clone()] == oid) {
            return Err(at.fail("certificate.extension.oid", Problem::Duplicate));
        }
        extensions.push(Extension { oid: range(der, oid), critical, value });
    }
    Ok(extensions)
}

/// The last common name of a Name.
fn common_name(name: &[u8]) -> Option<&str> {
    let mut found = None;
    let mut sets = Reader::new(name).sequence("name").ok()?;
    while !sets.is_empty() {
        let mut set = sets.expect("name.rdn", tag::SET).ok()?.reader();
        while !set.is_empty() {
            let mut attribute = set.sequence("name.attribute").ok()?;
            let oid = attribute.oid("name.type").ok()?;
            let value = attribute.any("name.value").ok()?;
            if oid == OID_COMMON_NAME {
                found = core::str::from_utf8(value.contents).ok();
            }
        }
    }
    found
}

/// Where `part`, a subslice of `whole`, stands in it.
fn range(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr()).min(whole.len());
    start..(start + part.len()).min(whole.len())
}

/// id-at-commonName, 2.5.4.3.
const OID_COMMON_NAME: &[u8] = &[0x55, 4, 3];
/// id-ce-cRLDistributionPoints, 2.5.29.31.
const OID_DISTRIBUTION_POINTS: &[u8] = &[0x55, 0x1D, 31];
/// uniformResourceIdentifier of a GeneralName (RFC 5280 section 4.2.1.6).
const TAG_URI: u8 = 0x86;
/// id-ce-keyUsage, 2.5.29.15.
const OID_KEY_USAGE: &[u8] = &[0x55, 0x1D, 15];
/// id-ce-basicConstraints, 2.5.29.19.
const OID_BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1D, 19];
