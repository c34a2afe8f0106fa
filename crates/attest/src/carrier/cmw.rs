//! Conceptual message wrappers (RFC 9999): a typed message as a record, as a CBOR tag, or several in a collection.
//!
//! ```text
//! record      [ type, value, ? indicator ]     type: media type or CoAP content format; value: base64url in JSON
//! tag         TN(content format) bytes         CBOR only, RFC 9277 section 4.3
//! collection  { label => record or collection, ? "__cmwc_t" => URI or OID }
//! ```
//!
//! A collection may hold a message in the other serialisation, as a record of a tunnel type (section 3.4).

mod cbor;
mod json;

use alloc::string::String;
use alloc::vec::Vec;

use crate::cbor::Writer;
use crate::cursor::{self, Malformed};

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

    /// Reads CBOR.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, Malformed> {
        cursor::limit("cmw", bytes, MAX_SIZE)?;
        cbor::read(bytes)
    }

    /// Whether bytes look like the CBOR form: an array of two or three, the tag of a content format, a map.
    pub fn is_cbor(bytes: &[u8]) -> bool {
        matches!(bytes, [0x82 | 0x83 | 0xA1..=0xB8 | 0xBF, ..] | [0xDA, 0x63, 0x74 | 0x75, ..])
    }

    /// Writes CBOR.
    pub fn to_cbor(&self) -> Vec<u8> {
        cbor::write(self, Writer::new()).finish()
    }

    /// Writes JSON; numbers as labels become text.
    pub fn to_json(&self) -> String {
        json::write(self)
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    fn record(kind: Type, indicator: Option<u32>) -> Cmw {
        Cmw::Record(Record { kind, value: std::vec![1, 2, 3], indicator })
    }

    fn nested() -> Cmw {
        let media = record(Type::Media("application/eat+cwt".into()), Some(4));
        let inner = Collection { kind: None, items: std::vec![(Label::Text("a".into()), media.clone())] };
        let items = std::vec![
            (Label::Text("b".into()), Cmw::Collection(inner)),
            (Label::Text("c".into()), record(Type::Format(263), None)),
        ];
        Cmw::Collection(Collection { kind: Some("tag:example.org,2026:x".into()), items })
    }

    #[test]
    fn both_forms_are_read_back_and_no_cut_is_one() {
        for cmw in [record(Type::Media("a/b".into()), None), record(Type::Format(0), Some(12)), nested()] {
            let (json, cbor) = (cmw.to_json(), cmw.to_cbor());
            assert_eq!(Cmw::from_json(json.as_bytes()), Ok(cmw.clone()), "{json}");
            assert_eq!(Cmw::from_cbor(&cbor), Ok(cmw));
            assert!(Cmw::is_cbor(&cbor));
            for length in 0..cbor.len() {
                assert!(Cmw::from_cbor(&cbor[..length]).is_err(), "cut at {length}");
            }
            for length in 0..json.len() {
                assert!(Cmw::from_json(&json.as_bytes()[..length]).is_err(), "cut at {length}");
            }
        }
    }

    #[test]
    fn the_tag_of_a_content_format_is_its_type() {
        // RFC 9277 section 4.3 has 1668546817 for content format 0; 263 is one block of 255 further, and eight.
        fn check(tag: u32, format: Option<u16>) {
            let bytes = [&[0xDA][..], &tag.to_be_bytes(), &[0x43, 1, 2, 3]].concat();
            let expected = format.map(|format| record(Type::Format(format), None));
            assert_eq!(Cmw::from_cbor(&bytes).ok(), expected, "{tag}");
        }
        check(1_668_546_817, Some(0));
        check(1_668_546_817 + 256 + 8, Some(263));
        check(1_668_546_817 + 255, None);
        check(1_668_546_816, None);
        check(u32::MAX, None);
    }

    #[test]
    fn malformed_wrappers_are_refused() {
        let member = r#""a":["x/y",""]"#;
        let many: String = (0..=MAX_ITEMS).map(|n| std::format!(r#""{n}":["x/y",""],"#)).collect();
        let deep =
            |depth: usize| std::format!("{}[\"x/y\",\"\"]{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        assert!(Cmw::from_json(deep(MAX_DEPTH).as_bytes()).is_ok());
        for text in [
            "[]".to_string(),
            r#"["x/y"]"#.into(),
            r#"["x/y","A"]"#.into(),
            r#"["x/y","",1,2]"#.into(),
            r#"["x/y","",4294967296]"#.into(),
            r#"[65536,""]"#.into(),
            "{}".into(),
            r#"{"__cmwc_t":"t"}"#.into(),
            std::format!("{{{member},{member}}}"),
            std::format!("{{{member}}} x"),
            std::format!("{{{}\"z\":[1,\"\"]}}", many),
            deep(MAX_DEPTH + 1),
            deep(100_000),
        ] {
            assert!(Cmw::from_json(text.as_bytes()).is_err(), "{:.80}", text);
        }
        for bytes in
            [&[0x80][..], &[0x81, 1], &[0x84, 1, 0x40, 1, 1], &[0xA0], &[0xA1, 1, 1], &[0x82, 0x40, 0x40]]
        {
            assert!(Cmw::from_cbor(bytes).is_err(), "{bytes:02x?}");
        }
        let mut deep = record(Type::Format(1), None);
        for _ in 0..=MAX_DEPTH {
            deep = Cmw::Collection(Collection { kind: None, items: std::vec![(Label::Number(-1), deep)] });
        }
        assert!(Cmw::from_cbor(&deep.to_cbor()).is_err());
    }
}
