//! A chain of certificates as PEM (RFC 7468), in the strict form that quotes carry.
//!
//! Genuine chains come with and without a line end between blocks and after the last one, and often with one NUL behind it.
//! Anything else is refused: explanatory text, other labels, white space inside lines, padding bits that are not zero.

use alloc::vec::Vec;

use crate::cursor::{Cursor, Malformed, Problem};
use crate::x509::certificate::Certificate;

const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
const END: &[u8] = b"-----END CERTIFICATE-----";

/// Decodes at most `limit` certificates.
pub fn chain(text: &[u8], limit: usize) -> Result<Vec<Certificate>, Malformed> {
    let text = text.strip_suffix(&[0]).unwrap_or(text);
    let mut at = Cursor::new(text);
    let mut certificates = Vec::new();
    while !at.is_empty() {
        if certificates.len() == limit {
            return Err(at.error("pem", Problem::TooLong { limit, found: limit + 1 }));
        }
        let start = at;
        if at.take("pem.begin", BEGIN.len())? != BEGIN {
            return Err(start.error("pem.begin", Problem::NotCanonical("not the begin of a certificate")));
        }
        let rest = at.rest();
        let length = rest.iter().position(|&byte| byte == b'-').unwrap_or(rest.len());
        let body = at;
        let der = base64(at.take("pem.body", length)?)
            .ok_or_else(|| body.error("pem.body", Problem::NotCanonical("not canonical base64")))?;
        let start = at;
        if at.take("pem.end", END.len())? != END {
            return Err(start.error("pem.end", Problem::NotCanonical("not the end of a certificate")));
        }
        match at.rest() {
            [b'\n', ..] => at.take("pem.line", 1)?,
            [b'\r', b'\n', ..] => at.take("pem.line", 2)?,
            _ => &[],
        };
        certificates.push(Certificate::decode(&der)?);
    }
    Ok(certificates)
}

/// Base64 in lines, with a line end before the first and after the last (RFC 4648 section 4, canonical).
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.strip_prefix(b"\r\n").or_else(|| text.strip_prefix(b"\n"))?;
    text.ends_with(b"\n").then_some(())?;
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut quantum, mut digits, mut padding) = (0_u32, 0, 0);
    let mut line = 0;
    for (at, &byte) in text.iter().enumerate() {
        let value = match byte {
            b'\n' if line > 0 => {
                line = 0;
                continue;
            }
            b'\r' if text.get(at + 1) == Some(&b'\n') => continue,
            b'=' if digits >= 2 => {
                padding += 1;
                0
            }
            _ if padding > 0 => return None,
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        line += 1;
        quantum = quantum << 6 | u32::from(value);
        digits += 1;
        if digits == 4 {
            let [_, a, b, c] = quantum.to_be_bytes();
            match padding {
                0 => bytes.extend_from_slice(&[a, b, c]),
                1 if c == 0 => bytes.extend_from_slice(&[a, b]),
                2 if b == 0 && c == 0 => bytes.push(a),
                _ => return None,
            }
            (quantum, digits) = (0, 0);
        }
    }
    (digits == 0 && line == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_one_form() {
        fn check(text: &str, expected: Option<&[u8]>) {
            assert_eq!(base64(text.as_bytes()).as_deref(), expected, "{text:?}");
        }
        check("\nAQID\n", Some(&[1, 2, 3]));
        check("\r\nAQID\r\nBA==\r\n", Some(&[1, 2, 3, 4]));
        check("\nAQI=\n", Some(&[1, 2]));
        check("\nAQ\nID\n", Some(&[1, 2, 3]));
        for wrong in
            ["AQID\n", "\nAQID", "\nAQI\n", "\nAQJ=\n", "\nAR==\n", "\nA===\n", "\nAQ=I\n", "\n\nAQID\n"]
        {
            check(wrong, None);
        }
        for wrong in ["\nAQ==AQID\n", "\nAQ ID\n", "\nAQID\n\n", "\nAQ\rID\n"] {
            check(wrong, None);
        }
    }
}
