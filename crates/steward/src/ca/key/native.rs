//! aws-lc-rs.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    KeyPair,
};
use zeroize::Zeroizing;

use super::KeyError;
use crate::ca::Curve;

/// A key pair.
pub struct Pair {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl Pair {
    pub fn generate(curve: Curve) -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::generate(signing(curve)).map_err(|_| KeyError::Provider)?;
        Ok(Self { pair, random: SystemRandom::new() })
    }

    /// Reads PKCS#8 or SEC1.
    pub fn decode(curve: Curve, der: &[u8]) -> Option<Self> {
        let pair = EcdsaKeyPair::from_private_key_der(signing(curve), der).ok()?;
        Some(Self { pair, random: SystemRandom::new() })
    }

    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let der = self.pair.to_pkcs8v1().map_err(|_| KeyError::Provider)?;
        Ok(Zeroizing::new(der.as_ref().to_vec()))
    }

    pub fn spki(&self) -> Result<Vec<u8>, KeyError> {
        let spki: PublicKeyX509Der<'static> =
            self.pair.public_key().as_der().map_err(|_| KeyError::Provider)?;
        Ok(spki.as_ref().to_vec())
    }

    pub fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        Some(self.pair.sign(&self.random, message).ok()?.as_ref().to_vec())
    }
}

fn signing(curve: Curve) -> &'static EcdsaSigningAlgorithm {
    match curve {
        Curve::P256 => &ECDSA_P256_SHA256_ASN1_SIGNING,
        Curve::P384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
    }
}
