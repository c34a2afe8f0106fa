//! Issues certificates, for tests of chains that are made in code.

use std::string::String;
use std::vec::Vec;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RsaEncoding};

use crate::cose::signing::Signer;
use crate::crypto::PublicKey;
use crate::der::{Reader, element, sequence, tag, unsigned};

/// A key that signs certificates.
pub(crate) enum Key {
    /// ECDSA with SHA-384 on P-384.
    Ec(Signer),
    /// RSASSA-PKCS1-v1_5 with SHA-512, of 2048 bits.
    Rsa(KeyPair),
}

/// What a certificate says.
pub(crate) struct Content<'a> {
    pub(crate) subject: &'a str,
    pub(crate) issuer: &'a str,
    /// GeneralizedTime of both ends.
    pub(crate) validity: [&'a str; 2],
    /// The path length of a CA.
    pub(crate) ca: Option<u64>,
}

impl Key {
    pub(crate) fn rsa() -> Self {
        Self::Rsa(KeyPair::generate(KeySize::Rsa2048).expect("a key pair"))
    }

    /// A certificate of `subject` by the holder of this key.
    pub(crate) fn issue(&self, content: &Content<'_>, subject: &Key) -> Vec<u8> {
        let version = element(tag::context(0), &unsigned(2));
        let [from, to] = content.validity.map(|text| element(tag::GENERALIZED_TIME, text.as_bytes()));
        let extensions = element(tag::context(3), &sequence(&[&extensions(content.ca)]));
        let tbs = sequence(&[
            &version,
            &unsigned(7),
            &self.algorithm(),
            &name(content.issuer),
            &sequence(&[&from, &to]),
            &name(content.subject),
            &subject.spki(),
            &extensions,
        ]);
        let signature = element(tag::BIT_STRING, &[&[0], self.sign(&tbs).as_slice()].concat());
        sequence(&[&tbs, &self.algorithm(), &signature])
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256, as TPMs sign.
    pub(crate) fn sign_quote(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa(pair) => rsa_sign(pair, &RSA_PKCS1_SHA256, message),
            Self::Ec(_) => Vec::new(),
        }
    }

    /// Modulus and exponent.
    pub(crate) fn rsa_parts(&self) -> (Vec<u8>, Vec<u8>) {
        match self {
            Self::Rsa(pair) => {
                let mut key = Reader::new(pair.public_key().as_ref()).sequence("key").expect("DER");
                let mut part = || key.magnitude("key").expect("an integer").to_vec();
                (part(), part())
            }
            Self::Ec(_) => Default::default(),
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ec(signer) => {
                let raw = signer.sign(message);
                let (r, s) = raw.split_at(raw.len() / 2);
                sequence(&[&integer(r), &integer(s)])
            }
            Self::Rsa(pair) => rsa_sign(pair, &RSA_PKCS1_SHA512, message),
        }
    }

    fn algorithm(&self) -> Vec<u8> {
        match self {
            Self::Ec(_) => sequence(&[&oid(super::OID_ECDSA_SHA384)]),
            Self::Rsa(_) => sequence(&[&oid(super::OID_RSA_SHA512), &element(tag::NULL, &[])]),
        }
    }

    fn spki(&self) -> Vec<u8> {
        let (algorithm, bits) = match self {
            Self::Ec(signer) => {
                let curve: &[u8] = &[0x2B, 0x81, 4, 0, 34];
                let ec: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1];
                (sequence(&[&oid(ec), &oid(curve)]), signer.point().to_vec())
            }
            Self::Rsa(_) => {
                let (modulus, exponent) = self.rsa_parts();
                let rsa: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 1];
                let key = PublicKey::rsa(&modulus, &exponent).expect("a key");
                (sequence(&[&oid(rsa), &element(tag::NULL, &[])]), key.bits().to_vec())
            }
        };
        sequence(&[&algorithm, &element(tag::BIT_STRING, &[&[0], bits.as_slice()].concat())])
    }
}

fn rsa_sign(pair: &KeyPair, padding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
    let mut signature = std::vec![0; pair.public_modulus_len()];
    pair.sign(padding, &SystemRandom::new(), message, &mut signature).expect("signs");
    signature
}

/// basicConstraints and keyUsage, both critical, of a CA or a leaf.
fn extensions(ca: Option<u64>) -> Vec<u8> {
    let truth = element(tag::BOOLEAN, &[0xFF]);
    let (constraints, usage) = match ca {
        Some(length) => (sequence(&[&truth, &unsigned(length)]), [2, 0x04]),
        None => (sequence(&[]), [7, 0x80]),
    };
    let usage = element(tag::BIT_STRING, &usage);
    let extension =
        |arcs: &[u8], value: &[u8]| sequence(&[&oid(arcs), &truth, &element(tag::OCTET_STRING, value)]);
    [extension(&[0x55, 0x1D, 19], &constraints), extension(&[0x55, 0x1D, 15], &usage)].concat()
}

fn oid(arcs: &[u8]) -> Vec<u8> {
    element(tag::OID, arcs)
}

fn integer(magnitude: &[u8]) -> Vec<u8> {
    let start = magnitude.iter().position(|&byte| byte != 0).unwrap_or(magnitude.len() - 1);
    let magnitude = &magnitude[start..];
    let sign: &[u8] = if magnitude[0] & 0x80 != 0 { &[0] } else { &[] };
    element(tag::INTEGER, &[sign, magnitude].concat())
}

fn name(common: &str) -> Vec<u8> {
    let text = element(tag::UTF8_STRING, String::from(common).as_bytes());
    let attribute = sequence(&[&oid(&[0x55, 4, 3]), &text]);
    sequence(&[&element(tag::SET, &attribute)])
}
