//! What Linux gives a guest through configfs-tsm (Documentation/ABI/testing/configfs-tsm-report): a folder of small files,
//! or the same fields as one JSON or CBOR object.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;

use crate::base64;
use crate::cbor;
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

fn malformed(field: &'static str, problem: Problem) -> Malformed {
    Malformed { field, offset: 0, problem }
}
