//! Arm CCA: a platform token, signed by the platform's key, and a realm token, signed by a key that the platform token
//! names (draft-ffm-rats-cca-token; RMM specification DEN0137 section A7.2).
//!
//! ```text
//!  CPAK, configured ──signs──▶ platform token ──challenge = hash──▶ RAK ──signs──▶ realm token ◀── challenge of the verifier
//! ```

mod appraise;
mod authenticate;
pub mod keys;
pub mod platform;
pub mod realm;

use crate::cbor::{Key, Reader};
use crate::cose::Sign1;
use crate::crypto::{sha256, sha384, sha512};
use crate::cursor::{self, Malformed, Problem};

pub(crate) use self::appraise::appraise;
pub(crate) use self::authenticate::authenticate;
use self::platform::Platform;
use self::realm::Realm;

/// The largest token: genuine ones are below 3 KiB.
const MAX_SIZE: usize = 16 * 1024;

/// A pair of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What the platform says.
    pub platform: Platform,
    /// What the realm management monitor says of the realm.
    pub realm: Realm,
    signed_platform: Sign1,
    signed_realm: Sign1,
}

/// What only CCA tokens say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The platform's claims.
    pub platform: Platform,
    /// The realm's claims.
    pub realm: Realm,
}

/// A hash algorithm of a token, by its name in IANA's "Named Information Hash Algorithm Registry".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// `sha-256`.
    Sha256,
    /// `sha-384`.
    Sha384,
    /// `sha-512`.
    Sha512,
}

impl Hash {
    /// The algorithm of a name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "sha-256" => Some(Self::Sha256),
            "sha-384" => Some(Self::Sha384),
            "sha-512" => Some(Self::Sha512),
            _ => None,
        }
    }

    /// The digest of bytes.
    pub fn digest(self, bytes: &[u8]) -> alloc::vec::Vec<u8> {
        match self {
            Self::Sha256 => sha256(bytes).to_vec(),
            Self::Sha384 => sha384(bytes).to_vec(),
            Self::Sha512 => sha512(bytes).to_vec(),
        }
    }
}

/// Decodes a collection of a platform and a realm token: tag 399 with the tokens as they are (draft-ffm-rats-cca-token-00),
/// or tag 907 with each token in a record of its media type (from -01 on, and draft-ietf-rats-msg-wrap section 3.3).
pub fn decode(bytes: &[u8]) -> Result<Evidence, Malformed> {
    cursor::limit("cca", bytes, MAX_SIZE)?;
    let mut reader = Reader::new(bytes);
    let start = reader;
    let tag = reader.tag("cca.tag")?;
    if tag != TAG_LEGACY && tag != TAG_COLLECTION {
        let problem = Problem::Unexpected { expected: "tag 399 or 907", found: tag };
        return Err(start.fail("cca.tag", problem));
    }
    let token = |reader: &mut Reader<'_>, field| match tag {
        TAG_LEGACY => Sign1::decode(reader.bytes(field)?),
        _ => reader.tuple(field, 2, |reader| {
            let at = *reader;
            match reader.unsigned(field)? {
                FORMAT_EAT_CWT => Sign1::decode(reader.bytes(field)?),
                found => Err(at.fail(field, Problem::Unexpected { expected: "application/eat+cwt", found })),
            }
        }),
    };
    let (mut platform, mut realm) = (None, None);
    reader.map("cca.collection", 2, |key, reader| {
        match key {
            Key::Number(LABEL_PLATFORM) => platform = Some(token(reader, "cca.platform")?),
            Key::Number(LABEL_REALM) => realm = Some(token(reader, "cca.realm")?),
            _ => return Err(reader.fail("cca.collection", Problem::NotCanonical("neither platform nor realm"))),
        }
        Ok(())
    })?;
    reader.finish("cca.collection")?;
    let missing = |field| start.fail(field, Problem::Missing);
    let signed_platform = platform.ok_or_else(|| missing("cca.platform"))?;
    let signed_realm = realm.ok_or_else(|| missing("cca.realm"))?;
    Ok(Evidence {
        platform: Platform::decode(&signed_platform.payload)?,
        realm: Realm::decode(&signed_realm.payload)?,
        signed_platform,
        signed_realm,
    })
}

/// A digest of one of the lengths that `cca-hash-type` allows.
fn digest(reader: &mut Reader<'_>, field: &'static str) -> Result<alloc::vec::Vec<u8>, Malformed> {
    let at = *reader;
    let bytes = reader.bytes(field)?;
    match bytes.len() {
        32 | 48 | 64 => Ok(bytes.into()),
        found => {
            let problem = Problem::Unexpected { expected: "32, 48 or 64 bytes", found: found as u64 };
            Err(at.fail(field, problem))
        }
    }
}

/// Bytes of a fixed length.
fn fixed<const N: usize>(reader: &mut Reader<'_>, field: &'static str) -> Result<[u8; N], Malformed> {
    let at = *reader;
    let bytes = reader.bytes(field)?;
    bytes.try_into().map_err(|_| {
        at.fail(field, Problem::Unexpected { expected: "another length", found: bytes.len() as u64 })
    })
}

/// Text of a length that people read.
fn text(reader: &mut Reader<'_>, field: &'static str) -> Result<alloc::string::String, Malformed> {
    let at = *reader;
    let text = reader.text(field)?;
    match text.len() > MAX_TEXT {
        true => Err(at.fail(field, Problem::TooLong { limit: MAX_TEXT, found: text.len() })),
        false => Ok(text.into()),
    }
}

/// The tag of the first collections.
const TAG_LEGACY: u64 = 399;
/// The tag of a CMW collection as draft-ffm-rats-cca-token-01 and later use it.
const TAG_COLLECTION: u64 = 907;
/// CoAP content format of `application/eat+cwt` (RFC 9782 section 6.3).
const FORMAT_EAT_CWT: u64 = 263;
const LABEL_PLATFORM: i64 = 44234;
const LABEL_REALM: i64 = 44241;
/// The longest text: profiles and addresses.
const MAX_TEXT: usize = 256;
