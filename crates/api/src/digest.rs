//! Digests of content: one algorithm or several at once, in the three notations that meet in a registry.
//!
//! * `sha256:<hex>`, of OCI (image-spec 1.1, descriptor.md "Digests"): [`Digest`]'s text.
//! * `sha-256=:<base64>:, …`, of HTTP's `Content-Digest` (RFC 9530 section 2): [`Digests::to_header`].
//! * `{"sha-256": "<base64>"}`, of a tree's entries: [`Digests`] as JSON.

mod hasher;
mod set;

pub use hasher::Hasher;
pub use set::Digests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// The longest digest in bytes.
const LONGEST: usize = 64;

/// A member of the SHA-2 family (FIPS 180-4). SHA-224 is here because clients before 0.8 send it, always beside the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// Every algorithm, in the order that canonical text has them.
    pub const ALL: [Self; 4] = [Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512];

    /// As HTTP and trees name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha224 => "sha-224",
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    /// As OCI names it.
    pub fn oci_name(self) -> &'static str {
        match self {
            Self::Sha224 => "sha224",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// The length of its digests in bytes.
    pub fn size(self) -> usize {
        match self {
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

/// A digest under one algorithm.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    /// Zero past the algorithm's size.
    bytes: [u8; LONGEST],
}

/// Why a text is no digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// Nothing divides algorithm and value.
    #[error("expected <algorithm>:<hexadecimal digits>, found {found:?}")]
    Form {
        /// What stands there, cut short.
        found: String,
    },
    /// The algorithm is none of ours.
    #[error("unknown digest algorithm {found:?}; known are {}", known())]
    Algorithm {
        /// What stands there, cut short.
        found: String,
    },
    /// The value has another length, or digits that are none.
    #[error("expected {} bytes of {} in lower-case hexadecimal or padded base64, found {found:?}", .algorithm.size(), .algorithm.name())]
    Value {
        /// The algorithm.
        algorithm: Algorithm,
        /// What stands there, cut short.
        found: String,
    },
    /// An algorithm stands twice.
    #[error("{} is given twice", .0.name())]
    Twice(Algorithm),
    /// A set without a digest under any known algorithm.
    #[error("expected a digest under at least one of {}, found none", known())]
    Empty,
}

impl Digest {
    /// Takes raw bytes; none if their number is not the algorithm's.
    pub fn new(algorithm: Algorithm, value: &[u8]) -> Option<Self> {
        if value.len() != algorithm.size() {
            return None;
        }
        let mut bytes = [0; LONGEST];
        bytes[..value.len()].copy_from_slice(value);
        Some(Self { algorithm, bytes })
    }

    /// The digest of bytes that are at hand.
    pub fn of(algorithm: Algorithm, content: &[u8]) -> Self {
        hasher::of(algorithm, content)
    }

    /// The digest that names blobs and packages.
    pub fn sha256(content: &[u8]) -> Self {
        Self::of(Algorithm::Sha256, content)
    }

    /// What it was made with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.algorithm.size()]
    }

    /// Its bytes in lower-case hexadecimal, without the algorithm.
    pub fn hex(&self) -> String {
        use fmt::Write as _;
        self.as_bytes().iter().fold(String::with_capacity(2 * LONGEST), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Reads lower-case hexadecimal digits without the algorithm.
    pub fn from_hex(algorithm: Algorithm, digits: &str) -> Result<Self, DigestError> {
        let fail = || DigestError::Value { algorithm, found: shortened(digits) };
        let value = |digit: u8| match digit {
            b'0'..=b'9' => Ok(digit - b'0'),
            b'a'..=b'f' => Ok(digit - b'a' + 10),
            _ => Err(fail()),
        };
        let mut bytes = [0; LONGEST];
        if digits.len() != 2 * algorithm.size() {
            return Err(fail());
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            *byte = value(pair[0])? << 4 | value(pair[1])?;
        }
        Ok(Self { algorithm, bytes })
    }

    fn base64(&self) -> String {
        STANDARD.encode(self.as_bytes())
    }

    fn from_base64(algorithm: Algorithm, text: &str) -> Result<Self, DigestError> {
        let bytes = STANDARD.decode(text).ok().and_then(|bytes| Self::new(algorithm, &bytes));
        bytes.ok_or_else(|| DigestError::Value { algorithm, found: shortened(text) })
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let Some((name, digits)) = text.split_once(':') else {
            return Err(DigestError::Form { found: shortened(text) });
        };
        let algorithm = Algorithm::ALL.into_iter().find(|algorithm| algorithm.oci_name() == name);
        let algorithm = algorithm.ok_or_else(|| DigestError::Algorithm { found: shortened(name) })?;
        Self::from_hex(algorithm, digits)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.oci_name(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Enough of a stranger's text to recognise it by.
pub(crate) fn shortened(text: &str) -> String {
    const ENOUGH: usize = 80;
    match text.char_indices().nth(ENOUGH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn known() -> String {
    Algorithm::ALL.map(Algorithm::name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOO: &str = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

    #[test]
    fn text_survives() {
        assert_eq!(Digest::sha256(b"foo").to_string(), FOO);
        for algorithm in Algorithm::ALL {
            let digest = Digest::of(algorithm, b"content");
            assert_eq!(digest.to_string().parse(), Ok(digest));
            assert_eq!(Digest::from_base64(algorithm, &digest.base64()), Ok(digest));
        }
    }

    #[test]
    fn other_text_is_refused() {
        let upper = FOO.to_uppercase().replace("SHA", "sha");
        let many = format!("sha256:{}", "a".repeat(1000));
        let wide = format!("sha256:{}", "é".repeat(32));
        for text in
            ["", "sha256", "sha256:", &FOO[..70], &many, &wide, &upper, "md5:00", "sha-256:00", " sha256:0"]
        {
            let error = text.parse::<Digest>().expect_err(text);
            assert!(error.to_string().len() < 200, "{error}");
        }
        assert_eq!(Digest::new(Algorithm::Sha256, &[0; 31]), None);
    }
}
