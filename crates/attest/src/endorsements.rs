//! What endorsers say about a platform: certificates, revocation lists, collateral.
//!
//! The caller fetches them (the host is a mere courier), adds them once and keeps the set for many appraisals; each item
//! is decoded and hashed when it is added, and proven when it is used.

mod certificates;

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use self::certificates::Certificates;
use crate::crypto::sha256;
use crate::cursor::{self, Malformed};
use crate::dcap::collateral::Collateral;
use crate::memory::{Forgetful, Memory};
use crate::roots::{self, Anchor, Vendor};
use crate::x509::certificate::Certificate;
use crate::x509::crl::Crl;

/// The largest document: Intel's TCB info is below 32 KiB.
const MAX_DOCUMENT: usize = 256 * 1024;

/// A set of endorsements under a set of trust anchors.
#[derive(Clone)]
pub struct Endorsements {
    anchors: Vec<Anchor>,
    certificates: Certificates,
    crls: Vec<Arc<Crl>>,
    documents: BTreeMap<[u8; 32], Arc<Document>>,
    collateral: Collateral,
    memory: Arc<dyn Memory>,
}

/// A signed document that is neither certificate nor list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// What it is.
    pub kind: DocumentKind,
    /// Its exact bytes.
    pub bytes: Vec<u8>,
}

/// The kinds of signed documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentKind {
    /// Intel's TCB info (PCS API v4), for SGX or TDX.
    TcbInfo,
    /// The identity of Intel's quoting enclave, for SGX or TDX.
    QeIdentity,
    /// Public keys of Arm CCA platforms, by instance id, as a JWK set: there is no public service, so they are configured.
    CcaKeys,
}

impl Endorsements {
    /// An empty set under these anchors.
    pub fn new(anchors: Vec<Anchor>) -> Self {
        Self {
            anchors,
            certificates: Certificates::default(),
            crls: Vec::new(),
            documents: BTreeMap::new(),
            collateral: Collateral::default(),
            memory: Arc::new(Forgetful),
        }
    }

    /// The vendors' roots, with the intermediates that come with the crate.
    pub fn shipped() -> Result<Self, Malformed> {
        let mut endorsements = Self::new(roots::shipped()?);
        roots::intermediates()?
            .into_iter()
            .for_each(|certificate| endorsements.certificates.add(certificate));
        Ok(endorsements)
    }

    /// Remembers verified signatures in `memory`.
    pub fn remembering(mut self, memory: Arc<dyn Memory>) -> Self {
        self.memory = memory;
        self
    }

    /// Adds a trust anchor.
    pub fn add_anchor(&mut self, anchor: Anchor) {
        self.anchors.push(anchor);
    }

    /// Adds a certificate; the same one twice counts once.
    pub fn add_certificate(&mut self, der: &[u8]) -> Result<(), Malformed> {
        self.certificates.add(Certificate::decode(der)?);
        Ok(())
    }

    /// Adds a revocation list; the same one twice counts once.
    pub fn add_crl(&mut self, der: &[u8]) -> Result<(), Malformed> {
        self.keep_crl(Crl::decode(der)?);
        Ok(())
    }

    /// Adds a revocation list that was fetched from this address: AMD's two lists of a line are told apart by it alone.
    pub fn add_crl_from(&mut self, address: &str, der: &[u8]) -> Result<(), Malformed> {
        self.keep_crl(Crl::decode(der)?.fetched_from(address));
        Ok(())
    }

    /// Adds a signed document; the same one twice counts once.
    pub fn add_document(&mut self, kind: DocumentKind, bytes: &[u8]) -> Result<(), Malformed> {
        cursor::limit("document", bytes, MAX_DOCUMENT)?;
        let digest = sha256(bytes);
        if !self.documents.contains_key(&digest) {
            match kind {
                DocumentKind::TcbInfo => self.collateral.add_tcb_info(bytes)?,
                DocumentKind::QeIdentity => self.collateral.add_identity(bytes)?,
                DocumentKind::CcaKeys => {}
            }
            self.documents.insert(digest, Arc::new(Document { kind, bytes: bytes.into() }));
        }
        Ok(())
    }

    /// The anchors of a vendor.
    pub fn anchors(&self, vendor: Vendor) -> impl Iterator<Item = &Anchor> {
        self.anchors.iter().filter(move |anchor| anchor.vendor == vendor)
    }

    /// Every certificate.
    pub fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        self.certificates.iter()
    }

    /// The certificates whose subject has this common name.
    pub(crate) fn certificates_of(&self, name: &str) -> impl Iterator<Item = &Certificate> {
        self.certificates.of_name(name)
    }

    /// The VCEKs of a CHIP_ID, the PCKs of a PPID, or the VLEKs for an empty id.
    pub(crate) fn platform_keys(&self, platform: &[u8]) -> impl Iterator<Item = &Certificate> {
        self.certificates.of_platform(platform)
    }

    /// Every revocation list.
    pub fn crls(&self) -> impl Iterator<Item = &Crl> {
        self.crls.iter().map(Arc::as_ref)
    }

    /// The documents of a kind, each with its SHA-256.
    pub fn documents(&self, kind: DocumentKind) -> impl Iterator<Item = (&[u8; 32], &Document)> {
        let documents = self.documents.iter().map(|(digest, document)| (digest, document.as_ref()));
        documents.filter(move |(_, document)| document.kind == kind)
    }

    /// Intel's documents, decoded.
    pub fn collateral(&self) -> &Collateral {
        &self.collateral
    }

    /// Where verified signatures are remembered.
    pub fn memory(&self) -> &dyn Memory {
        self.memory.as_ref()
    }

    fn keep_crl(&mut self, crl: Crl) {
        let known = |known: &Crl| known.digest() == crl.digest() && known.source() == crl.source();
        if !self.crls().any(known) {
            self.crls.push(Arc::new(crl));
        }
    }
}

impl fmt::Debug for Endorsements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endorsements")
            .field("anchors", &self.anchors.len())
            .field("certificates", &self.certificates.len())
            .field("crls", &self.crls.len())
            .field("documents", &self.documents.len())
            .finish_non_exhaustive()
    }
}
