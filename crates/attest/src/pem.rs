//! PEM (RFC 7468), reading and writing.

use alloc::string::String;
use alloc::vec::Vec;

use crate::base64;
use crate::cursor::{Malformed, Problem};

/// The most blocks in one text: a chain of five, a request and some lists.
const MAX_BLOCKS: usize = 32;

/// One encapsulated item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// The label, as `CERTIFICATE`.
    pub label: &'a str,
    /// The bytes inside.
    pub bytes: Vec<u8>,
}

/// Whether a text looks like PEM.
pub fn is_pem(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(BEGIN)
}

/// Reads every block. Between blocks only whitespace may stand, and a trailing NUL, which Intel's quotes end with.
pub fn decode(text: &[u8]) -> Result<Vec<Block<'_>>, Malformed> {
    let mut blocks = Vec::new();
    let mut rest = text.strip_suffix(&[0]).unwrap_or(text).trim_ascii_start();
    while !rest.is_empty() {
        let offset = text.len() - rest.len();
        let fail = |problem| Malformed { field: "pem", offset, problem };
        if blocks.len() == MAX_BLOCKS {
            return Err(fail(Problem::TooLong { limit: MAX_BLOCKS, found: MAX_BLOCKS + 1 }));
        }
        let bad = || fail(Problem::NotCanonical("not a block of BEGIN, base64 and END"));
        let inside = rest.strip_prefix(BEGIN).ok_or_else(bad)?;
        let (label, inside) = split(inside, DASHES).ok_or_else(bad)?;
        let (body, inside) = split(inside, END).ok_or_else(bad)?;
        let inside = inside.strip_prefix(label).and_then(|tail| tail.strip_prefix(DASHES)).ok_or_else(bad)?;
        let label = core::str::from_utf8(label).map_err(|_| bad())?;
        let digits: Vec<u8> = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        blocks.push(Block { label, bytes: base64::decode("pem.base64", &digits)? });
        rest = inside.trim_ascii_start();
    }
    Ok(blocks)
}

/// Writes one block, with lines of 64 digits.
pub fn encode(label: &str, bytes: &[u8]) -> String {
    let digits = base64::encode(bytes);
    let mut text = alloc::format!("-----BEGIN {label}-----\n");
    let mut rest = digits.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = tail;
    }
    text.push_str(&alloc::format!("-----END {label}-----\n"));
    text
}

fn split<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(separator.len()).position(|window| window == separator)?;
    Some((&text[..at], &text[at + separator.len()..]))
}

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let (first, second) = (encode("CERTIFICATE", &[7; 100]), encode("X509 CRL", &[]));
        let text = std::format!("\n{first}\r\n{second}\0");
        let blocks = decode(text.as_bytes()).expect("two blocks");
        assert_eq!(blocks[0], Block { label: "CERTIFICATE", bytes: std::vec![7; 100] });
        assert_eq!(blocks[1], Block { label: "X509 CRL", bytes: std::vec![] });
        for length in 1..text.len() {
            let _ = decode(&text.as_bytes()[..length]);
        }
    }

    #[test]
    fn malformed_texts_are_refused() {
        fn check(text: &str) {
            assert!(decode(text.as_bytes()).is_err(), "{text}");
        }
        check("words before\n-----BEGIN A-----\nAAAA\n-----END A-----\n");
        check("-----BEGIN A-----\nAAAA\n-----END B-----\n");
        check("-----BEGIN A-----\nAAA\n-----END A-----\nwords after");
        check("-----BEGIN A-----\nA*AA\n-----END A-----\n");
        check("-----BEGIN A-----\nAAAA\n");
        check(&encode("A", &[0; 3]).repeat(MAX_BLOCKS + 1));
    }
}
