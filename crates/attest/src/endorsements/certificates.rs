//! Certificates, found by name and by the platform that they were issued to: a service keeps thousands of VCEKs and PCKs.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::dcap::pck::Pck;
use crate::snp::vek::Vek;
use crate::x509::certificate::Certificate;

/// A set of certificates; a copy shares them.
#[derive(Clone, Default)]
pub(super) struct Certificates {
    all: BTreeMap<[u8; 32], Arc<Certificate>>,
    by_name: BTreeMap<Arc<str>, Vec<Arc<Certificate>>>,
    by_platform: BTreeMap<Vec<u8>, Vec<Arc<Certificate>>>,
}

impl Certificates {
    /// Adds one; the same one twice counts once.
    pub fn add(&mut self, certificate: Certificate) {
        let certificate = Arc::new(certificate);
        if self.all.insert(*certificate.digest(), certificate.clone()).is_some() {
            return;
        }
        if let Some(platform) = platform(&certificate) {
            self.by_platform.entry(platform).or_default().push(certificate.clone());
        }
        self.by_name.entry(certificate.shared_name()).or_default().push(certificate);
    }

    /// Every one.
    pub fn iter(&self) -> impl Iterator<Item = &Certificate> {
        self.all.values().map(Arc::as_ref)
    }

    /// Those whose subject has this common name.
    pub fn of_name(&self, name: &str) -> impl Iterator<Item = &Certificate> {
        self.by_name.get(name).into_iter().flatten().map(Arc::as_ref)
    }

    /// Those of a platform; of none, for VLEKs.
    pub fn of_platform(&self, platform: &[u8]) -> impl Iterator<Item = &Certificate> {
        self.by_platform.get(platform).into_iter().flatten().map(Arc::as_ref)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }
}

/// CHIP_ID of a VCEK, PPID of a PCK, nothing in a VLEK.
fn platform(certificate: &Certificate) -> Option<Vec<u8>> {
    match Vek::decode(certificate) {
        Ok(vek) => Some(vek.hwid.map(Vec::from).unwrap_or_default()),
        Err(_) => Pck::decode(certificate).ok().map(|pck| pck.ppid.to_vec()),
    }
}
