//! RustCrypto, for WASI: signatures are deterministic (RFC 6979), and its keys wipe themselves.

use p256::ecdsa::signature::Signer;
use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey};
use zeroize::Zeroizing;

use super::KeyError;
use crate::ca::Curve;

/// A key pair.
pub enum Pair {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
}

/// How often a scalar is drawn: one that is out of range happens once in 2^32 draws.
const DRAWS: usize = 4;

impl Pair {
    pub fn generate(curve: Curve) -> Result<Self, KeyError> {
        for _ in 0..DRAWS {
            let mut scalar = Zeroizing::new([0; 48]);
            getrandom::fill(&mut *scalar).map_err(|_| KeyError::Provider)?;
            let pair = match curve {
                Curve::P256 => p256::ecdsa::SigningKey::from_slice(&scalar[..32]).map(Self::P256),
                Curve::P384 => p384::ecdsa::SigningKey::from_slice(&*scalar).map(Self::P384),
            };
            if let Ok(pair) = pair {
                return Ok(pair);
            }
        }
        Err(KeyError::Provider)
    }

    /// Reads PKCS#8.
    pub fn decode(curve: Curve, der: &[u8]) -> Option<Self> {
        match curve {
            Curve::P256 => p256::ecdsa::SigningKey::from_pkcs8_der(der).ok().map(Self::P256),
            Curve::P384 => p384::ecdsa::SigningKey::from_pkcs8_der(der).ok().map(Self::P384),
        }
    }

    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let der = match self {
            Self::P256(key) => key.to_pkcs8_der(),
            Self::P384(key) => key.to_pkcs8_der(),
        };
        der.map(|der| Zeroizing::new(der.as_bytes().to_vec())).map_err(|_| KeyError::Provider)
    }

    pub fn spki(&self) -> Result<Vec<u8>, KeyError> {
        let der = match self {
            Self::P256(key) => key.verifying_key().to_public_key_der(),
            Self::P384(key) => key.verifying_key().to_public_key_der(),
        };
        der.map(|der| der.into_vec()).map_err(|_| KeyError::Provider)
    }

    pub fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::P256(key) => {
                let signature: p256::ecdsa::DerSignature = key.try_sign(message).ok()?;
                Some(signature.as_bytes().to_vec())
            }
            Self::P384(key) => {
                let signature: p384::ecdsa::DerSignature = key.try_sign(message).ok()?;
                Some(signature.as_bytes().to_vec())
            }
        }
    }
}
