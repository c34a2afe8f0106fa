//! The cryptographic operations a verifier needs, and no others: hash, and verify a signature.
//!
//! Native builds use aws-lc-rs (its P-384 is three times faster than the next), wasm32 builds use RustCrypto; nothing
//! else is pluggable. A [`PublicKey`] keeps the key's bits: with aws-lc-rs a key parsed in advance saves nothing that can
//! be measured, since checking that a point lies on its curve is a hundredth of a verification.

use alloc::boxed::Box;

use crate::cursor::{Malformed, Problem};
use crate::der::{self, Reader};

#[cfg(not(target_arch = "wasm32"))]
#[path = "crypto/native.rs"]
mod provider;
#[cfg(target_arch = "wasm32")]
#[path = "crypto/portable.rs"]
mod provider;

pub use provider::{sha256, sha384, sha512};

/// The kind of a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// NIST P-256; bits are the uncompressed point.
    P256,
    /// NIST P-384; bits are the uncompressed point.
    P384,
    /// RSA of 2048 to 4096 bits; bits are a PKCS#1 RSAPublicKey.
    Rsa,
}

impl Algorithm {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::P256 => "P-256",
            Algorithm::P384 => "P-384",
            Algorithm::Rsa => "RSA",
        }
    }
}

/// How a signature is made. A P-256 key signs with SHA-256 only, a P-384 key with SHA-384 only: no TEE crosses them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// ECDSA over P-256 with SHA-256; the signature is `r ‖ s`, 64 bytes, big-endian.
    EcdsaP256Sha256,
    /// ECDSA over P-384 with SHA-384; the signature is `r ‖ s`, 96 bytes, big-endian.
    EcdsaP384Sha384,
    /// RSASSA-PSS with SHA-256, MGF1-SHA-256, salt of 32 bytes.
    RsaPssSha256,
    /// RSASSA-PSS with SHA-384, MGF1-SHA-384, salt of 48 bytes.
    RsaPssSha384,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RsaPkcs1Sha256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RsaPkcs1Sha384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RsaPkcs1Sha512,
}

/// The signature is not by this key over this message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSignature;

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    algorithm: Algorithm,
    bits: Box<[u8]>,
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7, RFC 5480 for the curves, RFC 3279 for RSA).
    pub fn from_spki(spki: &[u8]) -> Result<Self, Malformed> {
        let mut outer = Reader::new(spki);
        let mut fields = outer.sequence("spki")?;
        outer.finish("spki")?;
        let mut identifier = fields.sequence("spki.algorithm")?;
        let algorithm = match identifier.oid("spki.algorithm.oid")? {
            OID_EC_PUBLIC_KEY => match identifier.oid("spki.algorithm.curve")? {
                OID_P256 => Algorithm::P256,
                OID_P384 => Algorithm::P384,
                _ => return Err(identifier.fail("spki.algorithm.curve", UNKNOWN_ALGORITHM)),
            },
            OID_RSA => {
                identifier.expect("spki.algorithm.parameters", der::tag::NULL)?;
                Algorithm::Rsa
            }
            _ => return Err(identifier.fail("spki.algorithm.oid", UNKNOWN_ALGORITHM)),
        };
        identifier.finish("spki.algorithm")?;
        let at = fields;
        let bits = fields.bits("spki.key")?;
        fields.finish("spki")?;
        Self::new(algorithm, bits).ok_or_else(|| at.fail("spki.key", UNKNOWN_ALGORITHM))
    }

    /// A P-256 key from its affine coordinates `x ‖ y`, the form inside SGX and TDX quotes.
    pub fn p256_from_xy(xy: &[u8; 64]) -> Self {
        let mut point = alloc::vec![4; 65];
        point[1..].copy_from_slice(xy);
        Self { algorithm: Algorithm::P256, bits: point.into() }
    }

    /// A key from its bits; `None` when their form does not fit the algorithm.
    pub fn new(algorithm: Algorithm, bits: &[u8]) -> Option<Self> {
        let fits = match algorithm {
            Algorithm::P256 => bits.len() == 65 && bits[0] == 4,
            Algorithm::P384 => bits.len() == 97 && bits[0] == 4,
            // 4096 bits of modulus, 32 of exponent and their headers.
            Algorithm::Rsa => (256..=540).contains(&bits.len()),
        };
        fits.then(|| Self { algorithm, bits: bits.into() })
    }

    /// An RSA key from modulus and exponent, big-endian, the form inside a JWK.
    pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let integer = |magnitude: &[u8]| {
            let sign: &[u8] =
                if magnitude.first().is_some_and(|first| first & 0x80 != 0) { &[0] } else { &[] };
            der::element(der::tag::INTEGER, &[sign, magnitude].concat())
        };
        Self::new(Algorithm::Rsa, &der::sequence(&[&integer(modulus), &integer(exponent)]))
    }

    /// The kind of key.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key's bits, in the form that [`Algorithm`] names.
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }

    /// Verifies `signature` over `message`.
    pub fn verify(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        match scheme.algorithm() == self.algorithm {
            true => provider::verify(scheme, &self.bits, message, signature),
            false => Err(BadSignature),
        }
    }
}

impl Scheme {
    /// The kind of key that signs this way.
    pub fn algorithm(self) -> Algorithm {
        match self {
            Scheme::EcdsaP256Sha256 => Algorithm::P256,
            Scheme::EcdsaP384Sha384 => Algorithm::P384,
            Scheme::RsaPssSha256
            | Scheme::RsaPssSha384
            | Scheme::RsaPkcs1Sha256
            | Scheme::RsaPkcs1Sha384
            | Scheme::RsaPkcs1Sha512 => Algorithm::Rsa,
        }
    }
}

/// id-ecPublicKey, 1.2.840.10045.2.1.
const OID_EC_PUBLIC_KEY: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1];
/// secp256r1, 1.2.840.10045.3.1.7.
const OID_P256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7];
/// secp384r1, 1.3.132.0.34.
const OID_P384: &[u8] = &[0x2B, 0x81, 4, 0, 34];
/// rsaEncryption, 1.2.840.113549.1.1.1.
const OID_RSA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 1];

const UNKNOWN_ALGORITHM: Problem = Problem::NotCanonical("not a P-256, P-384 or RSA 2048 to 4096 key");
