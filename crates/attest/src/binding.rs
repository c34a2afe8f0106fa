//! What binds evidence to a keep: KeepClaims, and the report data made of them. Both directions stand here.
//!
//! ```text
//! report data = SHA-512("enarx keep claims v1" 00 ‖ DER(KeepClaims))
//!
//! KeepClaims ::= SEQUENCE {
//!     spkiDigest  OCTET STRING (SIZE(48)),            -- SHA-384 of the SubjectPublicKeyInfo
//!     workload    OCTET STRING (SIZE(32..64)),        -- Merkle root of the package
//!     slug        [0] UTF8String OPTIONAL,            -- if deployed by name
//!     nonce       [1] OCTET STRING OPTIONAL,          -- if the verifier gave one
//!     lifetime    INTEGER (0..MAX) }                  -- requested, in seconds
//! ```

use alloc::string::String;
use alloc::vec::Vec;

use crate::crypto::{sha256, sha384, sha512};
use crate::cursor::{self, Malformed, Problem};
use crate::der::{self, Reader, tag};

/// Separates these report data from every other use of the field.
pub const LABEL: &[u8] = b"enarx keep claims v1\0";

/// The largest encoded claims.
const MAX_SIZE: usize = 1024;

/// The longest nonce.
const MAX_NONCE: usize = 64;

/// The longest slug.
const MAX_SLUG: usize = 512;

/// What a keep says of itself, and binds to its evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeepClaims {
    /// SHA-384 of the key's SubjectPublicKeyInfo.
    pub spki_digest: [u8; 48],
    /// The workload package's digest.
    pub workload: Vec<u8>,
    /// The name that it was deployed by.
    pub slug: Option<String>,
    /// The verifier's nonce.
    pub nonce: Option<Vec<u8>>,
    /// The certificate lifetime that the keep asks for, in seconds.
    pub lifetime: u64,
}

/// What the report data of evidence must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Made of KeepClaims; `nonce_fresh` says that the nonce inside is one that the verifier gave and has not seen since.
    Keep {
        /// The claims that came with the evidence.
        claims: KeepClaims,
        /// Whether the caller recognised the nonce.
        nonce_fresh: bool,
    },
    /// The form of old keeps, of the key alone: SHA-384 of the SubjectPublicKeyInfo (SGX: SHA-256), then zeros.
    LegacyKey {
        /// The key, as DER.
        spki: Vec<u8>,
    },
    /// Exactly these bytes, zeros after them.
    Exact(Vec<u8>),
    /// A nonce that the verifier gave and has not seen since, zeros after it.
    Nonce(Vec<u8>),
}

impl KeepClaims {
    /// Encodes as DER.
    pub fn encode(&self) -> Vec<u8> {
        let slug = self
            .slug
            .as_ref()
            .map(|slug| der::element(tag::context(0), &der::element(tag::UTF8_STRING, slug.as_bytes())));
        let nonce = self
            .nonce
            .as_ref()
            .map(|nonce| der::element(tag::context(1), &der::element(tag::OCTET_STRING, nonce)));
        der::sequence(&[
            &der::element(tag::OCTET_STRING, &self.spki_digest),
            &der::element(tag::OCTET_STRING, &self.workload),
            &slug.unwrap_or_default(),
            &nonce.unwrap_or_default(),
            &der::unsigned(self.lifetime),
        ])
    }

    /// Decodes DER.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        cursor::limit("keepClaims", bytes, MAX_SIZE)?;
        let mut item = Reader::new(bytes);
        let mut fields = item.sequence("keepClaims")?;
        item.finish("keepClaims")?;
        let at = fields;
        let Ok(spki_digest) = fields.octets("keepClaims.spkiDigest")?.try_into() else {
            return Err(at.fail("keepClaims.spkiDigest", Problem::NotCanonical("not 48 bytes")));
        };
        let at = fields;
        let workload = fields.octets("keepClaims.workload")?.to_vec();
        if !(32..=64).contains(&workload.len()) {
            return Err(at.fail("keepClaims.workload", Problem::TooLong { limit: 64, found: workload.len() }));
        }
        let slug = match fields.optional("keepClaims.slug", tag::context(0))? {
            Some(element) => Some(slug(element.reader())?),
            None => None,
        };
        let nonce = match fields.optional("keepClaims.nonce", tag::context(1))? {
            Some(element) => Some(nonce(element.reader())?),
            None => None,
        };
        let lifetime = fields.unsigned("keepClaims.lifetime")?;
        fields.finish("keepClaims")?;
        Ok(Self { spki_digest, workload, slug, nonce, lifetime })
    }

    /// The 64 bytes that the environment signs.
    pub fn report_data(&self) -> [u8; 64] {
        sha512(&[LABEL, &self.encode()].concat())
    }
}

impl Binding {
    /// Whether report data of this length are those that the binding demands.
    pub fn holds(&self, report_data: &[u8]) -> bool {
        let padded = |head: &[u8]| {
            report_data.strip_prefix(head).is_some_and(|tail| tail.iter().all(|&byte| byte == 0))
        };
        match self {
            Self::Keep { claims, .. } => report_data == claims.report_data(),
            Self::LegacyKey { spki } => padded(&sha384(spki)) || padded(&sha256(spki)),
            Self::Exact(bytes) | Self::Nonce(bytes) => padded(bytes),
        }
    }

    /// The bytes that are demanded, for the record.
    pub fn expected(&self) -> Vec<u8> {
        match self {
            Self::Keep { claims, .. } => claims.report_data().to_vec(),
            Self::LegacyKey { spki } => sha384(spki).to_vec(),
            Self::Exact(bytes) | Self::Nonce(bytes) => bytes.clone(),
        }
    }

    /// Whether the evidence answers a nonce that the caller gave.
    pub fn is_fresh(&self) -> bool {
        match self {
            Self::Keep { claims, nonce_fresh } => *nonce_fresh && claims.nonce.is_some(),
            Self::Nonce(_) => true,
            Self::LegacyKey { .. } | Self::Exact(_) => false,
        }
    }
}

fn slug(mut inner: Reader<'_>) -> Result<String, Malformed> {
    let at = inner;
    let text = inner.expect("keepClaims.slug", tag::UTF8_STRING)?.contents;
    inner.finish("keepClaims.slug")?;
    if text.len() > MAX_SLUG {
        return Err(at.fail("keepClaims.slug", Problem::TooLong { limit: MAX_SLUG, found: text.len() }));
    }
    let text = core::str::from_utf8(text);
    text.map(String::from).map_err(|_| at.fail("keepClaims.slug", Problem::NotCanonical("not UTF-8")))
}

fn nonce(mut inner: Reader<'_>) -> Result<Vec<u8>, Malformed> {
    let at = inner;
    let nonce = inner.octets("keepClaims.nonce")?.to_vec();
    inner.finish("keepClaims.nonce")?;
    match nonce.len() > MAX_NONCE {
        true => Err(at.fail("keepClaims.nonce", Problem::TooLong { limit: MAX_NONCE, found: nonce.len() })),
        false => Ok(nonce),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> KeepClaims {
        KeepClaims {
            spki_digest: [1; 48],
            workload: std::vec![2; 48],
            slug: None,
            nonce: None,
            lifetime: 86_400,
        }
    }

    #[test]
    fn claims_survive_encoding() {
        fn check(claims: KeepClaims) {
            let encoded = claims.encode();
            assert_eq!(KeepClaims::decode(&encoded), Ok(claims.clone()));
            for length in 0..encoded.len() {
                assert!(KeepClaims::decode(&encoded[..length]).is_err(), "cut at {length}");
            }
            assert!(KeepClaims::decode(&[encoded.as_slice(), &[0]].concat()).is_err());
        }
        check(claims());
        check(KeepClaims { slug: Some("a/b:1".into()), ..claims() });
        check(KeepClaims { nonce: Some(std::vec![3; 32]), slug: Some("a/b:1".into()), ..claims() });
    }

    #[test]
    fn a_binding_holds_for_its_claims_only() {
        let binding = Binding::Keep { claims: claims(), nonce_fresh: false };
        assert!(binding.holds(&claims().report_data()));
        assert!(!binding.holds(&KeepClaims { lifetime: 1, ..claims() }.report_data()));
        assert!(!binding.is_fresh());
        let exact = Binding::Exact(std::vec![7; 32]);
        assert!(exact.holds(&[[7; 32], [0; 32]].concat()));
        assert!(!exact.holds(&[7; 64]));
    }
}
