//! What Linux gives a guest through configfs-tsm (Documentation/ABI/testing/configfs-tsm-report): a folder of small files,
//! or the same fields as one JSON or CBOR object.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;

use crate::base64;
use crate::cbor::{Key, Reader};
use crate::cursor::{self, Malformed, Problem};
use crate::evidence::{self, Evidence};

/// The largest object as text.
const MAX_SIZE: usize = 256 * 1024;

/// A report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TsmReport {
    /// The report, quote or token.
    pub outblob: Vec<u8>,
    /// What the host adds: AMD's certificate table; empty when it adds nothing.
    pub auxblob: Vec<u8>,
    /// The driver that made it; empty when it is not said.
    pub provider: String,
}

/// The JSON form, with base64url strings (draft media type application/vnd.veraison.tsm-report+json).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Json<'a> {
    #[serde(borrow)]
    outblob: Cow<'a, str>,
    #[serde(borrow, default)]
    auxblob: Cow<'a, str>,
    #[serde(default)]
    provider: String,
}

impl TsmReport {
    /// Reads the files of a report's folder by their names. The kernel's other files say how the report was asked for, and
    /// are left alone.
    pub fn from_files(files: &[(&str, &[u8])]) -> Result<Self, Malformed> {
        let mut report = Self::default();
        let mut seen: Vec<&str> = Vec::new();
        for &(name, bytes) in files {
            if seen.contains(&name) {
                return Err(malformed("tsm", Problem::Duplicate));
            }
            seen.push(name);
            cursor::limit("tsm", bytes, evidence::MAX_SIZE)?;
            match name {
                "outblob" => report.outblob = bytes.to_vec(),
                "auxblob" => report.auxblob = bytes.to_vec(),
                "provider" => report.provider = text(bytes)?,
                _ => {}
            }
        }
        match seen.contains(&"outblob") {
            true => Ok(report),
            false => Err(malformed("tsm.outblob", Problem::Missing)),
        }
    }

    /// Reads the JSON object.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Malformed> {
        cursor::limit("tsm", bytes, MAX_SIZE)?;
        let json: Json<'_> = serde_json::from_slice(bytes).map_err(|error| Malformed {
            field: "tsm",
            offset: error.column(),
            problem: Problem::NotCanonical("not a JSON object of outblob, auxblob and provider"),
        })?;
        Ok(Self {
            outblob: base64::decode("tsm.outblob", json.outblob.as_bytes())?,
            auxblob: base64::decode("tsm.auxblob", json.auxblob.as_bytes())?,
            provider: text(json.provider.as_bytes())?,
        })
    }

    /// Reads the CBOR map, with byte strings.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, Malformed> {
        cursor::limit("tsm", bytes, MAX_SIZE)?;
        let mut reader = Reader::new(bytes);
        let (mut report, mut found) = (Self::default(), false);
        reader.map("tsm", 3, |key, value| {
            match key {
                Key::Text("outblob") => {
                    report.outblob = value.bytes("tsm.outblob")?.to_vec();
                    found = true;
                }
                Key::Text("auxblob") => report.auxblob = value.bytes("tsm.auxblob")?.to_vec(),
                Key::Text("provider") => report.provider = text(value.text("tsm.provider")?.as_bytes())?,
                _ => return Err(value.fail("tsm", Problem::NotCanonical("a field that is not known"))),
            }
            Ok(())
        })?;
        reader.finish("tsm")?;
        match found {
            true => Ok(report),
            false => Err(malformed("tsm.outblob", Problem::Missing)),
        }
    }

    /// Whether bytes look like the JSON form.
    pub fn is_json(bytes: &[u8]) -> bool {
        contains(bytes, br#""outblob""#)
    }

    /// Whether bytes look like the CBOR form: a map, with the key as it is encoded.
    pub fn is_cbor(bytes: &[u8]) -> bool {
        matches!(bytes, [0xA1..=0xA3, ..]) && contains(bytes, b"\x67outblob")
    }

    /// Whether the driver makes this kind of evidence; a driver that is not named contradicts nothing.
    pub fn agrees_with(&self, evidence: &Evidence) -> bool {
        match self.provider.as_str() {
            "" => true,
            "sev_guest" => matches!(evidence, Evidence::Snp(_)),
            "tdx_guest" => matches!(evidence, Evidence::Tdx(_)),
            "arm_cca_guest" => matches!(evidence, Evidence::Cca(_)),
            _ => false,
        }
    }
}

/// The kernel ends the name with a newline.
fn text(bytes: &[u8]) -> Result<String, Malformed> {
    let text = core::str::from_utf8(bytes.strip_suffix(b"\n").unwrap_or(bytes));
    match text {
        Ok(text) if text.len() <= 64 => Ok(text.into()),
        _ => Err(malformed("tsm.provider", Problem::NotCanonical("not the name of a driver"))),
    }
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

fn malformed(field: &'static str, problem: Problem) -> Malformed {
    Malformed { field, offset: 0, problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor::Writer;

    fn sample() -> TsmReport {
        TsmReport { outblob: std::vec![1; 9], auxblob: std::vec![2; 4], provider: "sev_guest".into() }
    }

    #[test]
    fn three_forms_say_the_same() {
        let files: &[(&str, &[u8])] = &[
            ("outblob", &[1; 9]),
            ("auxblob", &[2; 4]),
            ("provider", b"sev_guest\n"),
            ("generation", b"3\n"),
        ];
        assert_eq!(TsmReport::from_files(files), Ok(sample()));
        let json = br#"{"auxblob":"AgICAg","outblob":"AQEBAQEBAQEB","provider":"sev_guest\n"}"#;
        assert!(TsmReport::is_json(json));
        assert_eq!(TsmReport::from_json(json), Ok(sample()));
        let cbor = Writer::new().map(3).text("auxblob").bytes(&[2; 4]).text("outblob").bytes(&[1; 9]);
        let cbor = cbor.text("provider").text("sev_guest\n").finish();
        assert!(TsmReport::is_cbor(&cbor));
        assert_eq!(TsmReport::from_cbor(&cbor), Ok(sample()));
        for length in 0..cbor.len() {
            assert!(TsmReport::from_cbor(&cbor[..length]).is_err(), "cut at {length}");
        }
        for length in 0..json.len() {
            assert!(TsmReport::from_json(&json[..length]).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn malformed_reports_are_refused() {
        assert!(TsmReport::from_files(&[("auxblob", &[])]).is_err());
        assert!(TsmReport::from_files(&[("outblob", &[]), ("outblob", &[])]).is_err());
        assert!(TsmReport::from_files(&[("outblob", &[]), ("provider", &[0xFF])]).is_err());
        for text in [
            r#"{"outblob":"AA=A"}"#,
            r#"{"auxblob":""}"#,
            r#"{"outblob":"","outblob":""}"#,
            r#"{"outblob":"","x":1}"#,
            r#"{"outblob":""} {}"#,
        ] {
            assert!(TsmReport::from_json(text.as_bytes()).is_err(), "{text}");
        }
        let twice = Writer::new().map(2).text("outblob").bytes(&[]).text("outblob").bytes(&[]).finish();
        assert!(TsmReport::from_cbor(&twice).is_err());
        assert!(TsmReport::from_cbor(&Writer::new().map(1).text("auxblob").bytes(&[]).finish()).is_err());
    }
}
