//! COSE (RFC 9052): COSE_Sign1 with ECDSA, and EC2 keys, as Arm CCA and AWS Nitro use them.
//!
//! Nothing that is not signed may vary: the protected header is exactly `{1: algorithm}` and the unprotected header is
//! empty, as in every genuine item. A header with `crit` or anything else that a verifier would have to understand is
//! therefore refused (section 3.1).

use alloc::vec::Vec;

use crate::cbor::{Key, Kind, Reader, Writer};
use crate::crypto::{Algorithm, PublicKey, Scheme};
use crate::cursor::{Malformed, Problem};

/// A COSE_Sign1 item (RFC 9052 section 4.2), decoded and not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign1 {
    /// What the protected header says of the signature.
    pub scheme: Scheme,
    /// The signed bytes.
    pub payload: Vec<u8>,
    protected: Vec<u8>,
    signature: Vec<u8>,
}

impl Sign1 {
    /// Decodes an item with or without its tag 18 (section 2: the tag may be left out where the context says what it is).
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        if reader.peek() == Some(Kind::Tag) {
            let start = reader;
            let found = reader.tag("cose.tag")?;
            if found != TAG_SIGN1 {
                let problem = Problem::Unexpected { expected: "tag 18, COSE_Sign1", found };
                return Err(start.fail("cose.tag", problem));
            }
        }
        let item = reader.tuple("cose.sign1", 4, |reader| {
            let protected = reader.bytes("cose.protected")?;
            let scheme = scheme(protected)?;
            reader.map("cose.unprotected", 0, |_, _| Ok(()))?;
            let payload = reader.bytes("cose.payload")?.to_vec();
            let start = *reader;
            let signature = reader.bytes("cose.signature")?.to_vec();
            let size = if scheme == Scheme::EcdsaP256Sha256 { 64 } else { 96 };
            if signature.len() != size {
                let problem = Problem::TooLong { limit: size, found: signature.len() };
                return Err(start.fail("cose.signature", problem));
            }
            Ok(Self { scheme, payload, protected: protected.into(), signature })
        })?;
        reader.finish("cose.sign1")?;
        Ok(item)
    }

    /// Whether the holder of the key signed the payload (section 4.4), without external data.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        key.verify(self.scheme, &to_be_signed(&self.protected, &self.payload), &self.signature).is_ok()
    }
}

/// The Sig_structure (section 4.4).
pub fn to_be_signed(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    Writer::new().array(4).text("Signature1").bytes(protected).bytes(&[]).bytes(payload).finish()
}

/// Decodes a COSE_Key with a point on P-256 or P-384 (RFC 9053 section 7.1.1), exactly `{1: 2, -1: curve, -2: x, -3: y}`.
pub fn key(bytes: &[u8]) -> Result<PublicKey, Malformed> {
    let mut reader = Reader::new(bytes);
    let start = reader;
    let (mut kind, mut curve, mut x, mut y) = (None, None, None, None);
    reader.map("cose.key", 4, |label, reader| {
        match label {
            Key::Number(1) => kind = Some(reader.unsigned("cose.key.kty")?),
            Key::Number(-1) => curve = Some(reader.unsigned("cose.key.crv")?),
            Key::Number(-2) => x = Some(reader.bytes("cose.key.x")?),
            Key::Number(-3) => y = Some(reader.bytes("cose.key.y")?),
            _ => {
                return Err(
                    reader.fail("cose.key", Problem::NotCanonical("a parameter that is not used here"))
                );
            }
        }
        Ok(())
    })?;
    reader.finish("cose.key")?;
    let (Some(x), Some(y)) = (x, y) else { return Err(start.fail("cose.key", Problem::Missing)) };
    let algorithm = match (kind, curve) {
        (Some(2), Some(1)) => Algorithm::P256,
        (Some(2), Some(2)) => Algorithm::P384,
        _ => return Err(start.fail("cose.key", Problem::NotCanonical("not an EC2 key on P-256 or P-384"))),
    };
    point(algorithm, x, y)
        .ok_or_else(|| start.fail("cose.key", Problem::NotCanonical("coordinates of another curve")))
}

/// A key from the coordinates of its point, each of the curve's length.
pub fn point(algorithm: Algorithm, x: &[u8], y: &[u8]) -> Option<PublicKey> {
    match x.len() == y.len() {
        true => PublicKey::new(algorithm, &[&[4], x, y].concat()),
        false => None,
    }
}

/// The protected header is exactly `{1: ES256 or ES384}` (RFC 9053 section 2.1).
fn scheme(protected: &[u8]) -> Result<Scheme, Malformed> {
    match protected {
        PROTECTED_ES256 => Ok(Scheme::EcdsaP256Sha256),
        PROTECTED_ES384 => Ok(Scheme::EcdsaP384Sha384),
        _ => Err(Reader::new(protected)
            .fail("cose.protected", Problem::NotCanonical("not exactly the algorithm, ES256 or ES384"))),
    }
}

/// COSE_Sign1 (RFC 9052 section 2, table 1).
const TAG_SIGN1: u64 = 18;
/// `{1: -7}`.
const PROTECTED_ES256: &[u8] = &[0xA1, 1, 0x26];
/// `{1: -35}`.
const PROTECTED_ES384: &[u8] = &[0xA1, 1, 0x38, 0x22];

/// Signs as an attester would, for the tests of all that carry COSE.
#[cfg(test)]
pub(crate) mod signing {
    use std::vec::Vec;

    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, KeyPair,
    };

    use super::*;

    /// A key pair of a curve.
    pub(crate) struct Signer {
        pub(crate) algorithm: Algorithm,
        pair: EcdsaKeyPair,
    }

    impl Signer {
        pub(crate) fn new(algorithm: Algorithm) -> Self {
            let kind: &'static EcdsaSigningAlgorithm = match algorithm {
                Algorithm::P256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
                _ => &ECDSA_P384_SHA384_FIXED_SIGNING,
            };
            Self { algorithm, pair: EcdsaKeyPair::generate(kind).expect("a key pair") }
        }

        /// The uncompressed point.
        pub(crate) fn point(&self) -> &[u8] {
            self.pair.public_key().as_ref()
        }

        pub(crate) fn public(&self) -> PublicKey {
            PublicKey::new(self.algorithm, self.point()).expect("a key")
        }

        pub(crate) fn protected(&self) -> &'static [u8] {
            if self.algorithm == Algorithm::P256 { PROTECTED_ES256 } else { PROTECTED_ES384 }
        }

        /// The signature as `r ‖ s`.
        pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
            self.pair.sign(&SystemRandom::new(), message).expect("signs").as_ref().to_vec()
        }

        /// A COSE_Sign1 without tag.
        pub(crate) fn sign1(&self, payload: &[u8]) -> Vec<u8> {
            let signature = self.sign(&to_be_signed(self.protected(), payload));
            let item = Writer::new().array(4).bytes(self.protected()).map(0);
            item.bytes(payload).bytes(&signature).finish()
        }

        /// A COSE_Key.
        pub(crate) fn key(&self) -> Vec<u8> {
            let half = self.point().len() / 2;
            let curve = if self.algorithm == Algorithm::P256 { 1 } else { 2 };
            let key = Writer::new().map(4).integer(1).integer(2).integer(-1).integer(curve);
            let key = key.integer(-2).bytes(&self.point()[1..=half]);
            key.integer(-3).bytes(&self.point()[half + 1..]).finish()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::signing::Signer;
    use super::*;

    #[test]
    fn only_what_the_key_signed_verifies() {
        for algorithm in [Algorithm::P256, Algorithm::P384] {
            let signer = Signer::new(algorithm);
            let item = signer.sign1(b"payload");
            let tagged = [&[0xD2], item.as_slice()].concat();
            assert!(Sign1::decode(&tagged).expect("decodes").is_signed_by(&signer.public()));
            assert!(!Sign1::decode(&item).expect("decodes").is_signed_by(&Signer::new(algorithm).public()));
            for bit in 0..8 * item.len() {
                let mut flipped = item.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let accepted = Sign1::decode(&flipped).is_ok_and(|item| item.is_signed_by(&signer.public()));
                assert!(!accepted, "bit {bit}");
            }
            for length in 0..item.len() {
                assert!(Sign1::decode(&item[..length]).is_err(), "cut at {length}");
            }
        }
    }

    #[test]
    fn a_signature_is_of_its_algorithm_only() {
        let (small, large) = (Signer::new(Algorithm::P256), Signer::new(Algorithm::P384));
        let item = Sign1::decode(&small.sign1(b"payload")).expect("decodes");
        assert!(!item.is_signed_by(&large.public()));
    }

    #[test]
    fn nothing_unsigned_varies() {
        fn check(protected: &[u8], unprotected: &[u8], signature: usize, good: bool) {
            let item = Writer::new().array(4).bytes(protected).raw(unprotected).bytes(b"payload");
            let item = item.bytes(&std::vec![1; signature]).finish();
            assert_eq!(Sign1::decode(&item).is_ok(), good, "{protected:02x?} {unprotected:02x?} {signature}");
        }
        check(PROTECTED_ES384, &[0xA0], 96, true);
        check(PROTECTED_ES256, &[0xA0], 64, true);
        check(PROTECTED_ES256, &[0xA0], 96, false);
        // EdDSA, a content type, `crit`, no header, an unprotected kid.
        check(&[0xA1, 1, 0x27], &[0xA0], 64, false);
        check(&[0xA2, 1, 0x38, 0x22, 3, 0], &[0xA0], 96, false);
        check(&[0xA2, 1, 0x38, 0x22, 2, 0x81, 1], &[0xA0], 96, false);
        check(&[], &[0xA0], 96, false);
        check(PROTECTED_ES384, &[0xA1, 4, 0x41, 1], 96, false);
        check(PROTECTED_ES384, &[0xF6], 96, false);
    }

    #[test]
    fn keys_are_points_of_their_curve() {
        fn check(key_bytes: &[u8], algorithm: Option<Algorithm>) {
            assert_eq!(key(key_bytes).ok().map(|key| key.algorithm()), algorithm, "{key_bytes:02x?}");
        }
        let encode = |kind: i64, curve: i64, x: usize, y: usize| {
            let key = Writer::new().map(4).integer(1).integer(kind).integer(-1).integer(curve);
            key.integer(-2).bytes(&std::vec![1; x]).integer(-3).bytes(&std::vec![2; y]).finish()
        };
        check(&encode(2, 1, 32, 32), Some(Algorithm::P256));
        check(&encode(2, 2, 48, 48), Some(Algorithm::P384));
        check(&encode(2, 2, 32, 32), None);
        check(&encode(2, 2, 47, 49), None);
        check(&encode(2, 3, 66, 66), None);
        check(&encode(1, 1, 32, 32), None);
        check(&[0xA0], None);
        check(&Signer::new(Algorithm::P384).key(), Some(Algorithm::P384));
    }
}
