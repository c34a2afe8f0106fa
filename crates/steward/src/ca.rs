//! The authority: a key that signs, and the certificates that say so.

pub mod ceremony;
pub mod certificate;
#[cfg(not(target_os = "wasi"))]
pub mod directory;
pub mod key;
#[cfg(not(target_os = "wasi"))]
pub mod pkcs11;
#[cfg(not(target_os = "wasi"))]
pub mod rollover;
#[cfg(not(target_os = "wasi"))]
pub mod source;

use std::fmt;
use std::sync::Arc;

use attest::crypto::Algorithm;
use attest::cursor::Malformed;
use attest::time::{Time, Window};
use attest::x509::certificate::Certificate;
use der::Decode;
use x509_cert::spki::SubjectPublicKeyInfoRef;

use self::certificate::key_id;

/// The curve of an authority's key; it signs with the hash of the same strength.
#[cfg_attr(not(target_os = "wasi"), derive(clap::ValueEnum))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Curve {
    /// NIST P-256, with SHA-256.
    P256,
    /// NIST P-384, with SHA-384.
    P384,
}

/// A key that signs: in memory, or in a token.
pub trait Signer: Send + Sync {
    /// The key's curve.
    fn curve(&self) -> Curve;

    /// The public key, as SubjectPublicKeyInfo.
    fn spki(&self) -> &[u8];

    /// Signs a message; answers an Ecdsa-Sig-Value (RFC 3279 section 2.2.3).
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError>;
}

/// Why a key did not sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// The provider failed.
    #[error("the cryptographic provider failed")]
    Provider,
    /// The token failed, and opening it anew did not help.
    #[error("the token failed: {0}")]
    Token(String),
    /// No session of the token became free in time.
    #[error("no session of the token became free within {seconds} s")]
    Busy {
        /// How long was waited.
        seconds: u64,
    },
    /// A field has no encoding.
    #[error("a field cannot be encoded: {0}")]
    Encoding(der::Error),
}

impl From<der::Error> for SigningError {
    fn from(error: der::Error) -> Self {
        Self::Encoding(error)
    }
}

/// A key, its certificate, and the certificates up to a root.
#[derive(Clone)]
pub struct Authority {
    signer: Arc<dyn Signer>,
    chain: Vec<Certificate>,
    key_id: Vec<u8>,
    validity: Window,
}

/// Why key and certificates are no authority.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// No certificate is given.
    #[error("no certificate is given for the authority's key")]
    Empty,
    /// More certificates than a chain has.
    #[error("a chain of {found} certificates is over the limit of {MAX_CHAIN}")]
    TooLong {
        /// How many there are.
        found: usize,
    },
    /// A certificate does not decode.
    #[error("certificate {place} of the chain does not decode: {error}")]
    Malformed {
        /// Its place, from 1.
        place: usize,
        /// What is wrong.
        error: Malformed,
    },
    /// The first certificate is of another key.
    #[error("the certificate `{name}` is not of the authority's key")]
    OtherKey {
        /// Its common name.
        name: String,
    },
    /// A certificate that may not sign certificates.
    #[error("the certificate `{name}` is not of a CA that may sign certificates at its depth")]
    NotACa {
        /// Its common name.
        name: String,
    },
    /// A certificate that the next one did not sign.
    #[error("the certificate `{name}` is not signed by the next of the chain")]
    NotSigned {
        /// Its common name.
        name: String,
    },
}

impl AuthorityError {
    /// The way out.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Empty | Self::TooLong { .. } | Self::Malformed { .. } => {
                "give the issuing certificate first, then those above it, as PEM"
            }
            Self::OtherKey { .. } => "give the key and the certificate that were made together",
            Self::NotACa { .. } => {
                "an issuing certificate needs basicConstraints CA:TRUE and keyUsage keyCertSign; `steward ca init` makes one"
            }
            Self::NotSigned { .. } => "order the chain from the issuing certificate upwards, without gaps",
        }
    }
}

/// The most certificates of a chain.
const MAX_CHAIN: usize = 6;

impl Authority {
    /// Joins a key with its certificates, the issuing one first. Whether they are valid now is asked at each use.
    pub fn new(signer: Arc<dyn Signer>, chain: &[Vec<u8>]) -> Result<Self, AuthorityError> {
        if chain.len() > MAX_CHAIN {
            return Err(AuthorityError::TooLong { found: chain.len() });
        }
        let decode = |(place, der): (usize, &Vec<u8>)| {
            let malformed = |error| AuthorityError::Malformed { place: place + 1, error };
            Certificate::decode(der).map_err(malformed)
        };
        let chain: Vec<Certificate> = chain.iter().enumerate().map(decode).collect::<Result<_, _>>()?;
        let issuing = chain.first().ok_or(AuthorityError::Empty)?;
        let name = |certificate: &Certificate| certificate.common_name().to_owned();
        if issuing.spki() != signer.spki() {
            return Err(AuthorityError::OtherKey { name: name(issuing) });
        }
        for (depth, certificate) in chain.iter().enumerate() {
            let allowed = certificate.constraints().is_ok_and(|allowed| {
                let deep = allowed.path_length.is_none_or(|limit| limit >= depth as u64);
                allowed.ca && allowed.signs_certificates && deep
            });
            if !allowed {
                return Err(AuthorityError::NotACa { name: name(certificate) });
            }
        }
        for pair in chain.windows(2) {
            let signed = pair[0].issuer() == pair[1].subject() && pair[0].is_signed_by(pair[1].key());
            if !signed {
                return Err(AuthorityError::NotSigned { name: name(&pair[0]) });
            }
        }
        let key_id = key_id(issuing);
        let validity = chain.iter().map(Certificate::validity).fold(issuing.validity(), Window::intersect);
        Ok(Self { signer, chain, key_id, validity })
    }

    /// Leaves away what has expired at the top of the chain: after a rollover a new root stands on its own once the old one,
    /// which certified it, has expired.
    pub fn without_expired(mut self, now: Time) -> Self {
        while self.chain.len() > 1 && self.chain.last().is_some_and(|last| last.validity().to < now) {
            self.chain.pop();
        }
        let issuing = self.chain[0].validity();
        self.validity = self.chain.iter().map(Certificate::validity).fold(issuing, Window::intersect);
        self
    }

    /// The key.
    pub fn signer(&self) -> &dyn Signer {
        self.signer.as_ref()
    }

    /// The issuing certificate.
    pub fn issuing(&self) -> &Certificate {
        &self.chain[0]
    }

    /// The certificates, the issuing one first; the root is among them if the operator gave it.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// What goes to a peer after a certificate: the chain without a root above the issuing certificate (RFC 8446 section
    /// 4.4.2). An issuing certificate that is a root itself stays, as old clients expect it.
    pub fn intermediates(&self) -> &[Certificate] {
        match self.chain.split_last() {
            Some((last, below)) if !below.is_empty() && is_self_signed(last) => below,
            _ => &self.chain,
        }
    }

    /// The root, if it is among the certificates.
    pub fn root(&self) -> Option<&Certificate> {
        self.chain.last().filter(|last| is_self_signed(last))
    }

    /// The identifier of the issuing key, as its certificate gives it.
    pub fn key_id(&self) -> &[u8] {
        &self.key_id
    }

    /// When every certificate of the chain is valid.
    pub fn validity(&self) -> Window {
        self.validity
    }

    /// Whether the authority may sign at `now`.
    pub fn is_valid(&self, now: Time) -> bool {
        self.validity.contains(now)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.chain.iter().map(Certificate::common_name).collect();
        f.debug_struct("Authority")
            .field("chain", &names)
            .field("validity", &self.validity)
            .finish_non_exhaustive()
    }
}

impl Curve {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::P256 => Algorithm::P256.name(),
            Self::P384 => Algorithm::P384.name(),
        }
    }
}

/// Whether a certificate is signed by its own key.
pub fn is_self_signed(certificate: &Certificate) -> bool {
    certificate.issuer() == certificate.subject() && certificate.is_signed_by(certificate.key())
}

/// The bits of a public key.
pub(crate) fn spki_bits(spki: &[u8]) -> der::Result<&[u8]> {
    let spki = SubjectPublicKeyInfoRef::from_der(spki)?;
    spki.subject_public_key.as_bytes().ok_or_else(|| der::ErrorKind::Failed.into())
}
