//! What wraps evidence on its way: requests, bundles, certificates, conceptual message wrappers, what Linux and firmware hand
//! out.
//!
//! [`Submission::open`] tells bytes apart, opens every wrapper and returns what is inside: evidence, the endorsements that
//! came with it, the key that asks to be vouched for, and the claims that bind both. A wrapper proves nothing by itself,
//! except that a request and an RA-TLS certificate are signed by their own key, which is verified here.
//!
//! Each wrapper is a module that decodes and, where a keep writes it, encodes; depth, counts and sizes are limited.

pub mod bundle;
pub mod cert_table;
pub mod cmw;
pub mod csr;
pub mod legacy;
pub mod ra_tls;
pub mod tsm;

mod open;

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::binding::{Binding, KeepClaims};
use crate::crypto::Algorithm;
use crate::cursor::Malformed;
use crate::endorsements::{DocumentKind, Endorsements};
use crate::evidence::Evidence;
use crate::reason::{Reason, Rejection};
use crate::time::{Time, Window};

/// The largest submission.
pub const MAX_SIZE: usize = 512 * 1024;

/// What somebody submitted for appraisal.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The wrappers, from the outermost on; empty for bare evidence.
    pub carriers: Vec<Carrier>,
    /// The evidence; at least one, and all of it must be acceptable.
    pub evidence: Vec<Evidence>,
    /// The endorsements that came along.
    pub carried: Carried,
    /// The SubjectPublicKeyInfo of a key whose holder made the submission.
    pub spki: Option<Vec<u8>>,
    /// What the keep says of itself; names the key, if there is one.
    pub keep_claims: Option<KeepClaims>,
    /// Report data that a carrier's own format demands, in place of the claims of a keep.
    pub report_data: Option<Vec<u8>>,
    /// When the RA-TLS certificate that carried the evidence is valid, if one did.
    pub validity: Option<Window>,
}

/// Endorsements that came with evidence: sent by the attester or its host, and proven like all others when they are used.
#[derive(Clone, Debug, Default)]
pub struct Carried {
    /// Certificates, as DER; those that belong to an SNP report are with it and not here.
    pub certificates: Vec<Vec<u8>>,
    /// Revocation lists, as DER.
    pub crls: Vec<Vec<u8>>,
    /// Signed documents.
    pub documents: Vec<(DocumentKind, Vec<u8>)>,
}

/// A wrapper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// PEM.
    Pem,
    /// Base64 text.
    Base64,
    /// Hexadecimal text.
    Hexadecimal,
    /// A PKCS#10 request.
    Request,
    /// An attestation bundle.
    Bundle,
    /// An extension of old Enarx.
    Legacy,
    /// A conceptual message wrapper.
    Cmw,
    /// A report of configfs-tsm.
    Tsm,
    /// An SNP report followed by its certificate table.
    ExtendedReport,
    /// An RA-TLS certificate.
    RaTls,
}

impl Submission {
    /// Opens what was submitted.
    pub fn open(bytes: &[u8]) -> Result<Self, Rejection> {
        open::bytes(bytes)
    }

    /// Opens the files of a folder by their names: what configfs-tsm shows of one report.
    pub fn open_files(files: &[(&str, &[u8])]) -> Result<Self, Rejection> {
        open::files(files)
    }

    /// What the evidence must be bound to, as far as the submission says: the keep's claims, or in the form of old keeps
    /// the key alone. `nonce_fresh` says that the nonce of the claims is one that the caller gave and has not seen since.
    pub fn binding(&self, nonce_fresh: bool) -> Option<Binding> {
        let claims = self.keep_claims.clone().map(|claims| Binding::Keep { claims, nonce_fresh });
        let demanded = || self.report_data.clone().map(Binding::Exact);
        let key = || self.spki.clone().map(|spki| Binding::LegacyKey { spki });
        claims.or_else(demanded).or_else(key)
    }

    /// The endorsements to judge with: `base`, and what was carried beside it. Copies only when something was.
    pub fn endorse<'a>(&self, base: &'a Endorsements) -> Result<Cow<'a, Endorsements>, Rejection> {
        if self.carried.is_empty() {
            return Ok(Cow::Borrowed(base));
        }
        let mut endorsements = base.clone();
        let malformed = |error| Rejection::malformed(Reason::EndorsementMalformed, error);
        self.carried.add_to(&mut endorsements).map_err(malformed)?;
        Ok(Cow::Owned(endorsements))
    }

    /// Refuses a submission whose RA-TLS certificate is not valid at `now`. Requests and bundles have no dates.
    pub fn check_validity(&self, now: Time) -> Result<(), Rejection> {
        match self.validity.filter(|validity| !validity.contains(now)) {
            None => Ok(()),
            Some(validity) => Err(Rejection::one(Reason::ChainValidity, validity, now)),
        }
    }

    /// What was submitted, for people: `PKCS#10 request, attestation bundle: AMD SEV-SNP`.
    pub fn describe(&self) -> String {
        let mut text = String::new();
        for (place, carrier) in self.carriers.iter().enumerate() {
            text.push_str(if place == 0 { "" } else { ", " });
            text.push_str(carrier.name());
        }
        for (place, evidence) in self.evidence.iter().enumerate() {
            let separator = match (place, self.carriers.is_empty()) {
                (0, true) => "",
                (0, false) => ": ",
                _ => " and ",
            };
            text.push_str(separator);
            text.push_str(kind_name(evidence));
        }
        text
    }
}

impl Carried {
    /// Whether nothing was carried.
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty() && self.crls.is_empty() && self.documents.is_empty()
    }

    /// Adds everything to a set.
    pub fn add_to(&self, endorsements: &mut Endorsements) -> Result<(), Malformed> {
        self.certificates.iter().try_for_each(|der| endorsements.add_certificate(der))?;
        self.crls.iter().try_for_each(|der| endorsements.add_crl(der))?;
        self.documents.iter().try_for_each(|(kind, bytes)| endorsements.add_document(*kind, bytes))
    }
}

impl Carrier {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pem => "PEM",
            Self::Base64 => "base64",
            Self::Hexadecimal => "hexadecimal",
            Self::Request => "PKCS#10 request",
            Self::Bundle => "attestation bundle",
            Self::Legacy => "extension of old Enarx",
            Self::Cmw => "conceptual message wrapper",
            Self::Tsm => "configfs-tsm report",
            Self::ExtendedReport => "extended report",
            Self::RaTls => "RA-TLS certificate",
        }
    }
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The kind of key that a keep of this environment makes: the kind that signs its evidence, so that nothing is negotiated and
/// nothing is weaker than the rest. Behind a vTPM the inner report decides, so either will do.
pub fn key_algorithm(evidence: &Evidence) -> Option<Algorithm> {
    match evidence {
        Evidence::Snp(_) | Evidence::Cca(_) | Evidence::Nitro(_) => Some(Algorithm::P384),
        Evidence::Sgx(_) | Evidence::Tdx(_) | Evidence::Unattested => Some(Algorithm::P256),
        Evidence::Vtpm(_) => None,
    }
}

fn kind_name(evidence: &Evidence) -> &'static str {
    match evidence {
        Evidence::Snp(_) => "AMD SEV-SNP",
        Evidence::Sgx(_) => "Intel SGX",
        Evidence::Tdx(_) => "Intel TDX",
        Evidence::Cca(_) => "Arm CCA",
        Evidence::Nitro(_) => "AWS Nitro Enclaves",
        Evidence::Vtpm(_) => "Azure vTPM",
        Evidence::Unattested => "unattested",
    }
}
