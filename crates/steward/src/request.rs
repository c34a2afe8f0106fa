//! What somebody asks for: bytes become requests whose keys prove possession. Nothing of the evidence is judged yet.

use attest::carrier::csr::MAX_SIZE;
use attest::carrier::{Carrier, Submission};
use attest::cursor;
use attest::der::{Reader, tag};
use attest::reason::{Reason, Rejection};

use crate::refusal::Refusal;

/// The most requests of one bundle. The old Steward had no limit; each costs a millisecond.
pub const MAX_BUNDLE: usize = 256;

/// The largest bundle: what the old Steward took.
pub const MAX_BUNDLE_SIZE: usize = 2 * 1024 * 1024;

/// A request for a certificate, signed by its own key.
#[derive(Clone, Debug)]
pub struct Request {
    submission: Submission,
    spki: Vec<u8>,
}

impl Request {
    /// Decodes one PKCS#10 request, as DER or PEM; in PEM, endorsements may stand beside it.
    pub fn decode(body: &[u8]) -> Result<Self, Refusal> {
        let submission = Submission::open(body).map_err(refused)?;
        let requested = matches!(
            submission.carriers.as_slice(),
            [Carrier::Request, ..] | [Carrier::Pem, Carrier::Request, ..]
        );
        match submission.spki.clone() {
            Some(spki) if requested => Ok(Self { submission, spki }),
            _ => Err(Refusal::NotARequest { found: submission.describe() }),
        }
    }

    /// A request whose evidence came before its key, as in ACME: the caller has verified that a CSR of this key proves
    /// possession, and that the claims name it.
    #[cfg(not(target_os = "wasi"))]
    pub(crate) fn answered(submission: Submission, spki: &[u8]) -> Option<Self> {
        submission.keep_claims.as_ref()?;
        Some(Self { submission, spki: spki.to_vec() })
    }

    /// Decodes the bundle of the old Steward: `SEQUENCE OF CertificationRequest`, DER.
    pub fn decode_bundle(body: &[u8]) -> Result<Vec<Self>, Refusal> {
        cursor::limit("bundle", body, MAX_BUNDLE_SIZE).map_err(Refusal::Malformed)?;
        let mut item = Reader::new(body);
        let mut list = item.sequence("bundle").map_err(Refusal::Malformed)?;
        item.finish("bundle").map_err(Refusal::Malformed)?;
        let mut requests = Vec::new();
        while !list.is_empty() {
            if requests.len() == MAX_BUNDLE {
                return Err(Refusal::TooMany { limit: MAX_BUNDLE });
            }
            let der = list.expect("bundle.request", tag::SEQUENCE).map_err(Refusal::Malformed)?.whole;
            cursor::limit("bundle.request", der, MAX_SIZE).map_err(Refusal::Malformed)?;
            requests.push(Self::decode(der)?);
        }
        Ok(requests)
    }

    /// Everything that was submitted.
    pub fn submission(&self) -> &Submission {
        &self.submission
    }

    /// The key to certify, as SubjectPublicKeyInfo.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The nonce that the keep bound.
    pub fn nonce(&self) -> Option<&[u8]> {
        self.submission.keep_claims.as_ref()?.nonce.as_deref()
    }

    /// The digest of the workload that the keep bound; nothing for evidence of old keeps.
    pub fn workload(&self) -> Option<&[u8]> {
        Some(&self.submission.keep_claims.as_ref()?.workload)
    }

    /// The name that the keep was deployed by.
    pub fn slug(&self) -> Option<&str> {
        self.submission.keep_claims.as_ref()?.slug.as_deref()
    }

    /// The seconds that the keep asks for; nothing or zero leaves it to the profile.
    pub fn lifetime(&self) -> Option<u64> {
        Some(self.submission.keep_claims.as_ref()?.lifetime).filter(|&seconds| seconds != 0)
    }

    /// Whether the evidence is bound to the key alone, as old keeps do it.
    pub fn is_legacy(&self) -> bool {
        self.submission.keep_claims.is_none()
    }
}

fn refused(rejection: Rejection) -> Refusal {
    match rejection.has(Reason::CarrierEmpty) {
        true => Refusal::NoEvidence,
        false => Refusal::Evidence(rejection),
    }
}
