//! Revocation lists: decoded once, searched by serial number, judged at a time.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use super::certificate::Certificate;
use super::chain::Path;
use crate::crypto::{PublicKey, Scheme, sha256};
use crate::cursor::{self, Malformed, Problem};
use crate::der::{Reader, tag};
use crate::endorsements::Endorsements;
use crate::memory;
use crate::reason::{Checks, Reason};
use crate::time::{Time, Window};

/// The largest list: Intel's PCK lists have some thousand entries of 30 bytes.
pub const MAX_SIZE: usize = 4 * 1024 * 1024;

/// A certificate revocation list (RFC 5280 section 5.1).
#[derive(Clone, Debug)]
pub struct Crl {
    der: Box<[u8]>,
    digest: [u8; 32],
    signed: Range<usize>,
    issuer: Range<usize>,
    window: Window,
    number: Option<u64>,
    revoked: Vec<Box<[u8]>>,
    scheme: Scheme,
    signature: Vec<u8>,
    source: Option<Box<str>>,
}

/// What the lists of one issuer say about a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// The issuer's common name.
    pub issuer: String,
    /// The common name of the certificate that was looked for.
    pub subject: String,
    /// When the newest authentic list is valid, or nothing when none was given.
    pub window: Option<Window>,
    /// Its cRLNumber, for callers that refuse to go back.
    pub number: Option<u64>,
}

impl Crl {
    /// Decodes one DER list. A list without nextUpdate is refused: it could be replayed for ever.
    pub fn decode(der: &[u8]) -> Result<Self, Malformed> {
        cursor::limit("crl", der, MAX_SIZE)?;
        let mut item = Reader::new(der);
        let mut outer = item.sequence("crl")?;
        item.finish("crl")?;
        let signed = outer.expect("crl.tbs", tag::SEQUENCE)?;
        let scheme = super::scheme("crl.algorithm", &mut outer)?;
        let signature = super::signature("crl.signature", scheme, outer.bits("crl.signature")?)?;
        outer.finish("crl")?;

        let mut fields = signed.reader();
        let at = fields;
        let version = fields.unsigned("crl.version")?;
        if version != 1 {
            return Err(at.fail("crl.version", Problem::Unexpected { expected: "v2", found: version }));
        }
        let at = fields;
        if super::scheme("crl.tbs.algorithm", &mut fields)? != scheme {
            return Err(at.fail("crl.tbs.algorithm", Problem::NotCanonical("two algorithms are named")));
        }
        let issuer = fields.expect("crl.issuer", tag::SEQUENCE)?;
        let window = Window { from: fields.time("crl.thisUpdate")?, to: fields.time("crl.nextUpdate")? };
        let revoked = match fields.optional("crl.revoked", tag::SEQUENCE)? {
            Some(list) => revoked(list.reader())?,
            None => Vec::new(),
        };
        let number = match fields.optional("crl.extensions", tag::context(0))? {
            Some(list) => number(list.reader())?,
            None => None,
        };
        fields.finish("crl.tbs")?;
        Ok(Self {
            digest: sha256(der),
            signed: signed.offset..signed.offset + signed.whole.len(),
            issuer: issuer.offset..issuer.offset + issuer.whole.len(),
            window,
            number,
            revoked,
            scheme,
            signature,
            source: None,
            der: der.into(),
        })
    }

    /// States where the list was fetched; nothing in it proves that.
    pub fn fetched_from(mut self, address: &str) -> Self {
        self.source = Some(address.into());
        self
    }

    /// Where the list was fetched, if whoever did so said it.
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// The exact bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of the exact bytes.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The issuer's name, as DER.
    pub fn issuer(&self) -> &[u8] {
        &self.der[self.issuer.clone()]
    }

    /// thisUpdate to nextUpdate.
    pub fn window(&self) -> Window {
        self.window
    }

    /// Whether the serial number, as it is encoded, is on the list.
    pub fn revokes(&self, serial: &[u8]) -> bool {
        self.revoked.binary_search_by(|entry| entry.as_ref().cmp(serial)).is_ok()
    }

    /// Verifies that the holder of `issuer` signed this list.
    pub fn is_signed_by(&self, issuer: &PublicKey) -> bool {
        issuer.verify(self.scheme, &self.der[self.signed.clone()], &self.signature).is_ok()
    }
}

/// Looks for every certificate of a path in the lists of its issuer, and says how well the lists cover `now`.
///
/// `skip` is the number of certificates, from the leaf, whose issuer publishes no list (AMD's VEKs: every one has serial
/// number zero). A revocation counts in every authentic list, outdated or not; being outdated or missing is left to the
/// policy, which refuses both unless it says otherwise.
pub fn check(
    path: &Path<'_>,
    skip: usize,
    endorsements: &Endorsements,
    now: Time,
    checks: &mut Checks,
) -> Vec<Coverage> {
    check_where(path, skip, endorsements, now, |_, _, _| true, checks)
}

/// Like [`check`], for issuers of several lists: `covers` says whether a list is the one that would name the certificate,
/// given the list, the certificate and its issuer. A revocation counts in every list of the issuer nevertheless.
pub fn check_where(
    path: &Path<'_>,
    skip: usize,
    endorsements: &Endorsements,
    now: Time,
    covers: impl Fn(&Crl, &Certificate, &Certificate) -> bool,
    checks: &mut Checks,
) -> Vec<Coverage> {
    let mut coverage: Vec<Coverage> = Vec::new();
    for (certificate, issuer) in path.links().skip(skip) {
        let mut newest: Option<&Crl> = None;
        for crl in endorsements.crls().filter(|crl| crl.issuer() == issuer.subject()) {
            let memory = endorsements.memory();
            if !memory::verified(memory, issuer.spki_digest(), crl.digest(), || {
                crl.is_signed_by(issuer.key())
            }) {
                checks.require(Reason::CrlSignature, "crl", false, "signed by its issuer", crl.digest());
                continue;
            }
            let listed = crl.revokes(certificate.serial());
            let name = certificate.shared_name();
            checks.require(Reason::CrlRevoked, name, !listed, "not listed", certificate.serial());
            let fresher = |other: &Crl| {
                (crl.window.contains(now), crl.window.from) > (other.window.contains(now), other.window.from)
            };
            if covers(crl, certificate, issuer) && newest.is_none_or(fresher) {
                newest = Some(crl);
            }
        }
        let name = issuer.common_name();
        if coverage.iter().all(|known| known.issuer != name) {
            let number = newest.and_then(|crl| crl.number);
            let (issuer, subject) = (name.into(), certificate.common_name().into());
            coverage.push(Coverage { issuer, subject, window: newest.map(|crl| crl.window), number });
        }
    }
    coverage
}

fn revoked(mut list: Reader<'_>) -> Result<Vec<Box<[u8]>>, Malformed> {
    let mut serials: Vec<Box<[u8]>> = Vec::new();
    while !list.is_empty() {
        let mut entry = list.sequence("crl.entry")?;
        serials.push(entry.integer("crl.entry.serial")?.into());
        entry.time("crl.entry.date")?;
        entry.optional("crl.entry.extensions", tag::SEQUENCE)?;
        entry.finish("crl.entry")?;
    }
    serials.sort_unstable();
    Ok(serials)
}

fn number(mut outer: Reader<'_>) -> Result<Option<u64>, Malformed> {
    let mut list = outer.sequence("crl.extensions")?;
    outer.finish("crl.extensions")?;
    let mut number = None;
    while !list.is_empty() {
        let at = list;
        let mut fields = list.sequence("crl.extension")?;
        let oid = fields.oid("crl.extension.oid")?;
        let critical = fields.peek() == Some(tag::BOOLEAN) && fields.boolean("crl.extension.critical")?;
        let value = fields.octets("crl.extension.value")?;
        fields.finish("crl.extension")?;
        if oid == OID_CRL_NUMBER {
            let mut item = Reader::new(value);
            number = Some(item.unsigned("crl.number")?);
            item.finish("crl.number")?;
        } else if critical {
            // A delta or partial list says nothing about the rest; RFC 5280 section 5.2 forbids to use it unread.
            return Err(
                at.fail("crl.extension", Problem::NotCanonical("critical extension that is not known"))
            );
        }
    }
    Ok(number)
}

/// id-ce-cRLNumber, 2.5.29.20.
const OID_CRL_NUMBER: &[u8] = &[0x55, 0x1D, 20];
