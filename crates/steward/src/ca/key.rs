//! Keys in memory: read from files, the environment and credential directories, or made on the spot.
//!
//! Bytes of keys are wiped when they are let go; the provider wipes its own.

#[cfg(not(target_os = "wasi"))]
#[path = "key/native.rs"]
mod provider;
#[cfg(target_os = "wasi")]
#[path = "key/portable.rs"]
mod provider;

use std::fmt;

use zeroize::Zeroizing;

use self::provider::Pair;
use super::{Curve, Signer, SigningError};

/// A key in memory.
pub struct MemoryKey {
    pair: Pair,
    curve: Curve,
    spki: Vec<u8>,
}

/// Why bytes are no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Neither PEM nor DER of a private key.
    #[error("no private key of a known form: PKCS#8 as PEM or DER, or SEC1 as PEM")]
    Form,
    /// A key under a password.
    #[error("the private key is under a password")]
    Encrypted,
    /// A key of another kind.
    #[error("the private key is not of P-256 or P-384")]
    Kind,
    /// The provider failed.
    #[error("the cryptographic provider failed")]
    Provider,
}

impl KeyError {
    /// The way out.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Form => "`openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384` makes one",
            Self::Encrypted => {
                "decrypt it with `openssl pkey`, and keep it in a credential or in a token instead"
            }
            Self::Kind => "`steward ca init` makes keys of these curves; RSA and others are not issued with",
            Self::Provider => "ask again",
        }
    }
}

impl MemoryKey {
    /// Makes a key.
    pub fn generate(curve: Curve) -> Result<Self, KeyError> {
        Self::of(Pair::generate(curve)?, curve)
    }

    /// Reads a key: PEM (PKCS#8, or SEC1 as `openssl ecparam` writes it), or DER (PKCS#8).
    pub fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        let der = match std::str::from_utf8(bytes) {
            Ok(text) if text.contains("-----BEGIN ") => from_pem(text)?,
            _ => Zeroizing::new(bytes.to_vec()),
        };
        for curve in [Curve::P256, Curve::P384] {
            if let Some(pair) = Pair::decode(curve, &der) {
                return Self::of(pair, curve);
            }
        }
        // A SEQUENCE of a version and more is some private key.
        match der.first() {
            Some(0x30) => Err(KeyError::Kind),
            _ => Err(KeyError::Form),
        }
    }

    /// Encodes as PEM, PKCS#8.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        let der = self.pair.to_pkcs8()?;
        let text = der::pem::encode_string(LABEL_PKCS8, der::pem::LineEnding::LF, &der);
        text.map(Zeroizing::new).map_err(|_| KeyError::Provider)
    }

    fn of(pair: Pair, curve: Curve) -> Result<Self, KeyError> {
        Ok(Self { spki: pair.spki()?, pair, curve })
    }
}

impl Signer for MemoryKey {
    fn curve(&self) -> Curve {
        self.curve
    }

    fn spki(&self) -> &[u8] {
        &self.spki
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        self.pair.sign(message).ok_or(SigningError::Provider)
    }
}

impl fmt::Debug for MemoryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryKey").field("curve", &self.curve).finish_non_exhaustive()
    }
}

/// The first private key of a PEM text; `openssl ecparam` writes the curve before it, others the certificate.
fn from_pem(text: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    // PKCS#8, and SEC1 as RFC 1421 encrypts it.
    if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(KeyError::Encrypted);
    }
    let block = [LABEL_PKCS8, LABEL_SEC1].into_iter().find_map(|label| {
        let start = text.find(&format!("-----BEGIN {label}-----"))?;
        let end = format!("-----END {label}-----");
        let length = text[start..].find(&end)? + end.len();
        Some(&text[start..start + length])
    });
    let (_, der) =
        der::pem::decode_vec(block.ok_or(KeyError::Form)?.as_bytes()).map_err(|_| KeyError::Form)?;
    Ok(Zeroizing::new(der))
}

const LABEL_PKCS8: &str = "PRIVATE KEY";
const LABEL_SEC1: &str = "EC PRIVATE KEY";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_pem() {
        for curve in [Curve::P256, Curve::P384] {
            let key = MemoryKey::generate(curve).expect("generated");
            let pem = key.to_pem().expect("encodes");
            let read = MemoryKey::decode(pem.as_bytes()).expect("reads back");
            assert_eq!((read.spki(), read.curve()), (key.spki(), curve));
        }
    }

    #[test]
    fn what_is_no_key_is_refused_with_its_reason() {
        let check = |bytes: &[u8], expected| assert_eq!(MemoryKey::decode(bytes).err(), Some(expected));
        check(b"", KeyError::Form);
        check(b"hello", KeyError::Form);
        check(&[0x30, 0], KeyError::Kind);
        check(b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", KeyError::Form);
        check(
            b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n",
            KeyError::Encrypted,
        );
    }
}
