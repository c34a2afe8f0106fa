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
    let text = text.strip_prefix(b"\r\n").or_else(|| text.strip_prefix(b"\n"))?.strip_suffix(b"\n")?;
    let mut digits = Vec::with_capacity(text.len());
    for line in text.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        digits.extend_from_slice((!line.is_empty()).then_some(line)?);
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3);
    let (whole, last) = digits.split_last_chunk::<4>()?;
    let (groups, rest) = whole.as_chunks::<4>();
    rest.is_empty().then_some(())?;
    for group in groups {
        let [_, a, b, c] = quantum(group)?.to_be_bytes();
        bytes.extend_from_slice(&[a, b, c]);
    }
    let padding = last.iter().rev().take_while(|&&digit| digit == b'=').count();
    let mut filled = *last;
    filled[4 - padding.min(2)..].fill(b'A');
    let [_, tail @ ..] = quantum(&filled)?.to_be_bytes();
    let (kept, lost) = tail.split_at(3 - padding.min(2));
    bytes.extend_from_slice(kept);
    lost.iter().all(|&byte| byte == 0).then_some(bytes)
}

/// Four digits as 24 bits.
fn quantum(digits: &[u8; 4]) -> Option<u32> {
    let [a, b, c, d] = digits.map(|digit| u32::from(VALUES[usize::from(digit)]));
    (a | b | c | d < 64).then_some(a << 18 | b << 12 | c << 6 | d)
}

/// The value of every digit, 255 for what is none.
const VALUES: [u8; 256] = {
    let mut values = [255; 256];
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut at = 0;
    while at < digits.len() {
        values[digits[at] as usize] = at as u8;
        at += 1;
    }
    values
};

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
