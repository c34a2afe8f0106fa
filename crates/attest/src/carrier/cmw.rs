//! Conceptual message wrappers (RFC 9999): a typed message as a record, as a CBOR tag, or several in a collection.
//!
//! ```text
//! record      [ type, value, ? indicator ]     type: media type or CoAP content format; value: base64url in JSON
//! tag         TN(content format) bytes         CBOR only, RFC 9277 section 4.3
//! collection  { label => record or collection, ? "__cmwc_t" => URI or OID }
//! ```
//!
//! A collection may hold a message in the other serialisation, as a record of a tunnel type (section 3.4).

mod json;

use alloc::string::String;
use alloc::vec::Vec;

use crate::cbor::{self, Item};
use crate::cursor::{self, Malformed, Problem};

/// id-pe-cmw, 1.3.6.1.5.5.7.1.35.
pub const OID: &[u8] = &[0x2B, 6, 1, 5, 5, 7, 1, 35];

/// The media type of [`KeepClaims`](crate::binding::KeepClaims) as DER.
pub const MEDIA_TYPE_KEEP_CLAIMS: &str = "application/vnd.enarx.keep-claims";

/// The media type of evidence as its environment writes it.
pub const MEDIA_TYPE_EVIDENCE: &str = "application/vnd.enarx.evidence";

/// The largest wrapper.
pub const MAX_SIZE: usize = 512 * 1024;

/// The most members of one collection.
const MAX_ITEMS: usize = 32;

/// The most collections inside each other.
const MAX_DEPTH: usize = 3;

/// The member that says what a collection is.
const KIND: &str = "__cmwc_t";

/// Bit 2: evidence (RFC 9999 section 3.1).
const INDICATOR_EVIDENCE: u32 = 4;

/// The longest media type, label or type of a collection.
const MAX_TEXT: usize = 256;

/// A wrapper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cmw {
    /// One message.
    Record(Record),
    /// Several.
    Collection(Collection),
}

/// One typed message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What the value is.
    pub kind: Type,
    /// The message.
    pub value: Vec<u8>,
    /// Which conceptual messages it holds: a bit each for reference values, endorsements, evidence, results.
    pub indicator: Option<u32>,
}

/// Several messages by their labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collection {
    /// What the whole is.
    pub kind: Option<String>,
    /// The members, in order.
    pub items: Vec<(Label, Cmw)>,
}

/// The type of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// A media type.
    Media(String),
    /// A CoAP content format (RFC 7252 section 12.3).
    Format(u16),
}

/// The name of a member; numbers are for CBOR only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// Text.
    Text(String),
    /// A number.
    Number(i64),
}

/// How a message is to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// What a keep says of itself.
    KeepClaims,
    /// A certificate, as DER.
    Certificate,
    /// A revocation list, as DER.
    Crl,
    /// Anything that tells by its bytes what it is.
    Anything,
}

impl Record {
    /// A message of evidence.
    pub fn evidence(value: Vec<u8>) -> Self {
        Self { kind: Type::Media(MEDIA_TYPE_EVIDENCE.into()), value, indicator: Some(INDICATOR_EVIDENCE) }
    }

    /// How the message is to be opened.
    pub fn content(&self) -> Content {
        match &self.kind {
            Type::Media(name) if name == MEDIA_TYPE_KEEP_CLAIMS => Content::KeepClaims,
            Type::Media(name) if name == "application/pkix-cert" => Content::Certificate,
            Type::Media(name) if name == "application/pkix-crl" => Content::Crl,
            // application/pkix-cert among the content formats (RFC 9148).
            Type::Format(287) => Content::Certificate,
            Type::Media(_) | Type::Format(_) => Content::Anything,
        }
    }
}

impl Cmw {
    /// Reads JSON.
    pub fn from_json(text: &[u8]) -> Result<Self, Malformed> {
        cursor::limit("cmw", text, MAX_SIZE)?;
        json::read(text)
    }

    /// Writes JSON; numbers as labels become text.
    pub fn to_json(&self) -> String {
        json::write(self)
    }
}
