//! What was revoked: certificates by their serial numbers, and everything of a workload or a chip.

pub mod crl;
#[cfg(not(target_os = "wasi"))]
pub mod ocsp;

use std::collections::BTreeMap;
use std::fmt;

use attest::claims::Detail;
use attest::result::AttestationResult;
use attest::time::Time;

use crate::issue::serial::Serial;

/// What is revoked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// One certificate.
    Serial(Serial),
    /// Every certificate of a workload, by its digest.
    Workload(Vec<u8>),
    /// Every certificate of keeps on a chip or platform.
    Chip(Vec<u8>),
}

/// Why it is revoked: the reasons of RFC 5280 section 5.3.1 that fit here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Nothing is said.
    #[default]
    Unspecified,
    /// The keep's key is known to others.
    KeyCompromise,
    /// A newer certificate took its place.
    Superseded,
    /// The workload does not run any more.
    CessationOfOperation,
    /// What it was issued upon does not hold any more: the workload or the platform is not trusted.
    PrivilegeWithdrawn,
}

/// When and why something was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// When.
    pub at: Time,
    /// Why.
    pub cause: Cause,
}

/// Everything that is revoked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocations(BTreeMap<Subject, Revocation>);

impl Revocations {
    /// Adds a revocation; the earlier of two stays.
    pub fn add(&mut self, subject: Subject, revocation: Revocation) {
        let known = self.0.entry(subject).or_insert(revocation);
        if revocation.at < known.at {
            *known = revocation;
        }
    }

    /// Every revocation.
    pub fn iter(&self) -> impl Iterator<Item = (&Subject, &Revocation)> {
        self.0.iter()
    }

    /// Whether something is revoked.
    pub fn find(&self, subject: &Subject) -> Option<&Revocation> {
        self.0.get(subject)
    }

    /// Whether a certificate is revoked: itself, or all of its workload or of its chip. The earliest counts.
    pub fn of_certificate(
        &self,
        serial: &Serial,
        workload: Option<&[u8]>,
        chip: Option<&[u8]>,
    ) -> Option<&Revocation> {
        let subjects = [
            Some(Subject::Serial(serial.clone())),
            workload.map(|digest| Subject::Workload(digest.to_vec())),
            chip.map(|chip| Subject::Chip(chip.to_vec())),
        ];
        subjects.iter().flatten().filter_map(|subject| self.find(subject)).min_by_key(|found| found.at)
    }
}

impl Subject {
    /// The stable code of a refusal for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Serial(_) => "revoked.certificate",
            Self::Workload(_) => "revoked.workload",
            Self::Chip(_) => "revoked.chip",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, bytes) = match self {
            Self::Serial(serial) => ("the certificate", serial.as_bytes()),
            Self::Workload(digest) => ("the workload", digest.as_slice()),
            Self::Chip(id) => ("the chip", id.as_slice()),
        };
        write!(f, "{kind} ")?;
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The identifier of the chip or platform that a keep runs on, where the evidence proves one: CHIP_ID, PPID, the instance of
/// a CCA platform. Nitro names no chip.
pub fn chip(result: &AttestationResult) -> Option<Vec<u8>> {
    match result.claims().detail.silicon() {
        Detail::Snp(claims) => claims.chip_proven.then(|| claims.report.chip_id.to_vec()),
        Detail::Sgx(claims) => claims.platform.pck.as_ref().map(|pck| pck.ppid.to_vec()),
        Detail::Tdx(claims) => claims.platform.pck.as_ref().map(|pck| pck.ppid.to_vec()),
        Detail::Cca(claims) => Some(claims.platform.instance_id.to_vec()),
        _ => None,
    }
}
