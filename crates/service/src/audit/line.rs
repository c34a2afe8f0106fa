//! One line of the log, written and read. Reading accepts exactly what writing makes.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{AuditError, Head};

/// The longest line: an entry holds digests and names, never evidence.
pub const MAX_LINE: usize = 64 * 1024;

/// What stands between the hashed bytes and the hash, and after it.
const BEFORE: &str = ",\"hash\":\"";
const AFTER: &str = "\"}";

/// The length of everything after the hashed bytes.
const TAIL: usize = BEFORE.len() + 64 + AFTER.len();

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

/// A line that was read: its own hash holds, its neighbours were not asked.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its number, from one.
    pub seq: u64,
    /// When it was written, in the words of the service.
    pub time: String,
    /// What it tells of.
    pub kind: String,
    /// What happened, as JSON.
    pub entry: Box<RawValue>,
    /// The hash of the line before.
    pub prev: Hash,
    /// Its own.
    pub hash: Hash,
}

/// Why bytes are no line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum LineError {
    #[error("the line has {found} bytes, more than {MAX_LINE}")]
    TooLong { found: usize },
    #[error("the line does not end in its hash")]
    Ending,
    #[error("the line's hash is {found}, its bytes have {expected}")]
    Hash { expected: Hash, found: Hash },
    #[error("the line is not of the log's form: {0}")]
    Form(String),
}

/// A line that waits for its place.
#[derive(Debug)]
pub(super) struct Draft {
    /// `"time":…,"kind":…,"entry":…`
    middle: String,
}

/// The hashed members, in the order they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    seq: u64,
    time: String,
    kind: String,
    entry: Box<RawValue>,
    prev: String,
}

impl Draft {
    pub(super) fn new(time: &str, kind: &str, entry: &impl Serialize) -> Result<Self, AuditError> {
        let plain =
            |text: &str| text.bytes().all(|byte| matches!(byte, b' '..=b'~') && !b"\"\\".contains(&byte));
        if !plain(time) || !plain(kind) {
            return Err(AuditError::Entry("time and kind are plain ASCII".into()));
        }
        let entry = serde_json::to_string(entry).map_err(|error| AuditError::Entry(error.to_string()))?;
        let middle = format!(r#""time":"{time}","kind":"{kind}","entry":{entry}"#);
        // Ample for the number and the two hashes around it.
        match middle.len() + 256 > MAX_LINE {
            true => Err(AuditError::TooLong { found: middle.len() + 256 }),
            false => Ok(Self { middle }),
        }
    }

    /// Appends the line with its newline to `out`, and returns the head that it makes.
    pub(super) fn place(&self, before: Head, out: &mut Vec<u8>) -> Head {
        let seq = before.seq + 1;
        let hashed = format!(r#"{{"seq":{seq},{},"prev":"{}""#, self.middle, before.hash);
        let hash = Hash::of(hashed.as_bytes());
        out.extend_from_slice(hashed.as_bytes());
        out.extend_from_slice(format!("{BEFORE}{hash}{AFTER}\n").as_bytes());
        Head { seq, hash }
    }
}

impl Line {
    /// Reads a line, without its newline.
    pub fn decode(bytes: &[u8]) -> Result<Self, LineError> {
        if bytes.len() > MAX_LINE {
            return Err(LineError::TooLong { found: bytes.len() });
        }
        let at = bytes.len().checked_sub(TAIL).ok_or(LineError::Ending)?;
        let (hashed, tail) = bytes.split_at(at);
        let tail = std::str::from_utf8(tail).ok();
        let found = tail.and_then(|tail| Hash::from_hex(tail.strip_prefix(BEFORE)?.strip_suffix(AFTER)?));
        let found = found.ok_or(LineError::Ending)?;
        let expected = Hash::of(hashed);
        if expected != found {
            return Err(LineError::Hash { expected, found });
        }
        let form = |error: &dyn fmt::Display| LineError::Form(error.to_string());
        let text = std::str::from_utf8(hashed).map_err(|error| form(&error))?;
        // The hashed bytes lack the object's last brace.
        let members = serde_json::from_str(&format!("{text}}}")).map_err(|error| form(&error))?;
        let Members { seq, time, kind, entry, prev } = members;
        let prev = Hash::from_hex(&prev).ok_or_else(|| form(&"`prev` is no hash"))?;
        let written =
            format!(r#"{{"seq":{seq},"time":"{time}","kind":"{kind}","entry":{entry},"prev":"{prev}""#);
        match written == text {
            true => Ok(Self { seq, time, kind, entry, prev, hash: found }),
            false => Err(form(&"another order or spacing")),
        }
    }

    /// The head that this line makes.
    pub fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash }
    }
}

impl Hash {
    fn of(bytes: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
        Self(hash)
    }

    /// Reads 64 lower-case digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut hash = [0; 32];
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
        if pairs.len() != hash.len() {
            return None;
        }
        for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(hash))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_as_it_was_written_and_in_no_other_form() {
        let mut bytes = Vec::new();
        let entry = serde_json::json!({"serial": "0a", "text": "a\n\"b\""});
        let head = Draft::new("then", "test", &entry).expect("a draft").place(Head::NONE, &mut bytes);
        let line = bytes.strip_suffix(b"\n").expect("a newline");
        let decoded = Line::decode(line).expect("a line");
        assert_eq!((decoded.head(), decoded.prev), (head, Head::NONE.hash));
        assert_eq!((decoded.time.as_str(), decoded.kind.as_str()), ("then", "test"));
        assert_eq!(decoded.entry.get(), entry.to_string());
        assert!(matches!(Line::decode(&bytes), Err(LineError::Ending)));
        // A line with a hash of its own, in another form.
        let spaced = String::from_utf8_lossy(line).replace("\"seq\":1", "\"seq\": 1");
        let (hashed, _) = spaced.split_at(spaced.len() - TAIL);
        let forged = format!("{hashed}{BEFORE}{}{AFTER}", Hash::of(hashed.as_bytes()));
        assert!(matches!(Line::decode(forged.as_bytes()), Err(LineError::Form(_))));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let long = "x".repeat(MAX_LINE);
        assert!(matches!(Draft::new("then", "test", &long), Err(AuditError::TooLong { .. })));
        assert!(matches!(Draft::new("th\"en", "test", &1), Err(AuditError::Entry(_))));
    }
}
