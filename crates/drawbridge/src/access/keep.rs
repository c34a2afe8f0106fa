//! What a keep's certificate proves, under a release policy.
//!
//! The Steward that issued it chains to a root of the policy, and vouches for three things: the package that the keep
//! runs (the SPIFFE id), the environment that it runs in (the attestation result, 1.3.6.1.4.1.58270.2.4), and that it holds
//! the key, which TLS has checked.

use crate::settings::{Release, Trust};
use api::digest::{Algorithm, Digest};
use attest::der::Reader;
use attest::result::extension::{OID, ResultExtension};
use attest::x509::certificate::Certificate;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use std::sync::Arc;
use std::time::Duration;

/// subjectAltName, 2.5.29.17.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1D, 0x11];
/// The tag of a URI among GeneralNames (RFC 5280 section 4.2.1.6).
const URI: u8 = 0x86;

/// A keep that a policy accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// The digest of the one package that it runs.
    pub workload: Digest,
    /// Its environment.
    pub tee: String,
    /// How far that can be trusted.
    pub trust: Trust,
    /// SHA-384 of the policy that it was judged by, in hexadecimal.
    pub policy: String,
    /// The certificate's serial number, in hexadecimal.
    pub serial: String,
}

/// Why a certificate does not open the gate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeepError {
    /// The policy's roots are none.
    #[error("the release policy has no usable root")]
    Roots,
    /// The chain ends nowhere that the policy trusts, or is not valid now.
    #[error("the certificate does not chain to a Steward of the release policy: {0}")]
    Chain(String),
    /// The certificate has parts that cannot be read.
    #[error("the certificate cannot be read: {0}")]
    Certificate(String),
    /// It names no workload under the trust domain, or more than one.
    #[error("expected one SPIFFE id {expected}, found {found}")]
    Name {
        /// The form.
        expected: String,
        /// The URIs that it has.
        found: String,
    },
    /// It says nothing of attestation.
    #[error("the certificate has no attestation result")]
    Result,
    /// The environment is of another kind.
    #[error("expected an environment of {expected}, found {found}")]
    Tee {
        /// Kinds that are accepted.
        expected: String,
        /// The kind.
        found: String,
    },
    /// The environment is less trustworthy.
    #[error("expected trust {expected:?} at least, found {found}")]
    Trust {
        /// The least.
        expected: Trust,
        /// What the Steward found.
        found: String,
    },
    /// The Steward judged by another policy.
    #[error("the Steward judged by policy {0}, which is not among those accepted")]
    Policy(String),
    /// The keep runs another package.
    #[error("the certificate is for a keep that runs {expected}; asked for was {}", .found.map_or("no package".into(), |found| found.to_string()))]
    Workload {
        /// What it runs.
        expected: Digest,
        /// What was asked for.
        found: Option<Digest>,
    },
}

impl KeepError {
    /// Stable code of the reason.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Roots => "release-roots",
            Self::Chain(_) => "keep-chain",
            Self::Certificate(_) => "keep-certificate",
            Self::Name { .. } => "keep-name",
            Self::Result => "keep-result",
            Self::Tee { .. } => "keep-tee",
            Self::Trust { .. } => "keep-trust",
            Self::Policy(_) => "keep-policy",
            Self::Workload { .. } => "keep-workload",
        }
    }
}

impl Keep {
    /// Judges a chain, the keep's own certificate first, whose key the caller has proved to hold.
    pub fn judge(chain: &[CertificateDer<'_>], release: &Release, now: i64) -> Result<Self, KeepError> {
        let [own, above @ ..] = chain else { return Err(KeepError::Chain("there is none".into())) };
        chains(own, above, release, now)?;
        let unreadable = |error: attest::cursor::Malformed| KeepError::Certificate(error.to_string());
        let certificate = Certificate::decode(own).map_err(unreadable)?;
        let workload = workload(&certificate, &release.trust_domain)?;
        let result = certificate.extension(OID).ok_or(KeepError::Result)?;
        let result = ResultExtension::decode(result).map_err(unreadable)?;
        if !release.tee.is_empty() && !release.tee.contains(&result.tee) {
            return Err(KeepError::Tee { expected: release.tee.join(" or "), found: result.tee });
        }
        let trust = Trust::named(&result.trust).filter(|trust| *trust >= release.minimum_trust);
        let trust = trust.ok_or(KeepError::Trust { expected: release.minimum_trust, found: result.trust })?;
        let policy = hex(&result.policy_digest);
        if !release.policies.is_empty() && !release.policies.contains(&policy) {
            return Err(KeepError::Policy(policy));
        }
        Ok(Self { workload, tee: result.tee, trust, policy, serial: hex(certificate.serial()) })
    }
}

/// Path validation is rustls-webpki's, for client authentication.
fn chains(
    own: &CertificateDer<'_>,
    above: &[CertificateDer<'_>],
    release: &Release,
    now: i64,
) -> Result<(), KeepError> {
    let mut roots = RootCertStore::empty();
    for root in &release.roots {
        let root = CertificateDer::from_pem_slice(root.as_bytes()).map_err(|_| KeepError::Roots)?;
        roots.add(root).map_err(|_| KeepError::Roots)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let verifier = verifier.map_err(|_| KeepError::Roots)?;
    let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now).unwrap_or(0)));
    let verified = verifier.verify_client_cert(own, above, now);
    verified.map(|_| ()).map_err(|error| KeepError::Chain(error.to_string()))
}

/// The digest in `spiffe://<trust domain>/workload/<digest>`, which is the only URI (SPIFFE X509-SVID section 2).
fn workload(certificate: &Certificate, trust_domain: &str) -> Result<Digest, KeepError> {
    let uris =
        uris(certificate).ok_or_else(|| KeepError::Certificate("subjectAltName is malformed".into()))?;
    let prefix = format!("spiffe://{trust_domain}/workload/");
    let digest = match uris.as_slice() {
        [uri] => {
            uri.strip_prefix(&prefix).and_then(|digits| Digest::from_hex(Algorithm::Sha256, digits).ok())
        }
        _ => None,
    };
    digest.ok_or_else(|| KeepError::Name { expected: format!("{prefix}<digest>"), found: uris.join(", ") })
}

fn uris(certificate: &Certificate) -> Option<Vec<String>> {
    let Some(value) = certificate.extension(SUBJECT_ALT_NAME) else { return Some(Vec::new()) };
    let mut item = Reader::new(value);
    let mut names = item.sequence("subjectAltName").ok()?;
    item.finish("subjectAltName").ok()?;
    let mut uris = Vec::new();
    while !names.is_empty() {
        let name = names.any("subjectAltName").ok()?;
        if name.tag == URI {
            uris.push(String::from_utf8(name.contents.to_vec()).ok()?);
        }
    }
    Some(uris)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
