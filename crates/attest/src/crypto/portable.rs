//! RustCrypto, for wasm32.

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rsa::pkcs1::DecodeRsaPublicKey;
use rsa::{Pkcs1v15Sign, Pss, RsaPublicKey};
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::{BadSignature, Scheme};

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// SHA-384.
pub fn sha384(bytes: &[u8]) -> [u8; 48] {
    Sha384::digest(bytes).into()
}

/// SHA-512.
pub fn sha512(bytes: &[u8]) -> [u8; 64] {
    Sha512::digest(bytes).into()
}

pub(super) fn verify(
    scheme: Scheme,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), BadSignature> {
    let holds = match scheme {
        Scheme::EcdsaP256Sha256 => {
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(key).map_err(|_| BadSignature)?;
            let signature = p256::ecdsa::Signature::from_slice(signature).map_err(|_| BadSignature)?;
            key.verify_prehash(&sha256(message), &signature).is_ok()
        }
        Scheme::EcdsaP384Sha384 => {
            let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(key).map_err(|_| BadSignature)?;
            let signature = p384::ecdsa::Signature::from_slice(signature).map_err(|_| BadSignature)?;
            key.verify_prehash(&sha384(message), &signature).is_ok()
        }
        Scheme::RsaPssSha256 => rsa(key)?.verify(Pss::<Sha256>::new(), &sha256(message), signature).is_ok(),
        Scheme::RsaPssSha384 => rsa(key)?.verify(Pss::<Sha384>::new(), &sha384(message), signature).is_ok(),
        Scheme::RsaPkcs1Sha256 => {
            rsa(key)?.verify(Pkcs1v15Sign::new::<Sha256>(), &sha256(message), signature).is_ok()
        }
        Scheme::RsaPkcs1Sha384 => {
            rsa(key)?.verify(Pkcs1v15Sign::new::<Sha384>(), &sha384(message), signature).is_ok()
        }
        Scheme::RsaPkcs1Sha512 => {
            rsa(key)?.verify(Pkcs1v15Sign::new::<Sha512>(), &sha512(message), signature).is_ok()
        }
    };
    holds.then_some(()).ok_or(BadSignature)
}

fn rsa(key: &[u8]) -> Result<RsaPublicKey, BadSignature> {
    RsaPublicKey::from_pkcs1_der(key).map_err(|_| BadSignature)
}
