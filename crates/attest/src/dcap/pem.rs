//! A chain of certificates as PEM (RFC 7468), in the strict form that quotes carry.
//!
//! Genuine chains come with and without a line end between blocks and after the last one, and often with one NUL behind it.
//! Anything else is refused: explanatory text, other labels, white space inside lines, padding bits that are not zero.

use alloc::vec::Vec;

use memchr::memchr;

use crate::base64;
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
        let length = memchr(b'-', rest).unwrap_or(rest.len());
        let body = at;
        let der = lines(at.take("pem.body", length)?)
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

/// Base64 in lines, with a line end before the first and after the last, and padding.
fn lines(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.strip_prefix(b"\r\n").or_else(|| text.strip_prefix(b"\n"))?;
    let mut digits = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(end) = memchr(b'\n', rest) {
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        digits.extend_from_slice((!line.is_empty()).then_some(line)?);
        rest = &rest[end + 1..];
    }
    let complete = rest.is_empty() && !digits.is_empty();
    complete.then(|| base64::decode_padded("pem.body", &digits).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_one_form() {
        fn check(text: &str, expected: Option<&[u8]>) {
            assert_eq!(lines(text.as_bytes()).as_deref(), expected, "{text:?}");
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
