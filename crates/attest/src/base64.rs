//! Base64 (RFC 4648), reading and writing.
//!
//! One encoding has one text: bits that stand for nothing must be zero (section 3.5), and there is no whitespace inside.

use alloc::string::String;
use alloc::vec::Vec;

use crate::cursor::{Malformed, Problem};

/// Reads either alphabet, with or without padding; one text uses one alphabet.
pub fn decode(field: &'static str, text: &[u8]) -> Result<Vec<u8>, Malformed> {
    let fail = |offset, rule| Malformed { field, offset, problem: Problem::NotCanonical(rule) };
    let padding = text.iter().rev().take_while(|&&byte| byte == b'=').count();
    let digits = &text[..text.len() - padding];
    if padding > 2 || (padding > 0 && !text.len().is_multiple_of(4)) || digits.len() % 4 == 1 {
        return Err(fail(digits.len(), "base64 of an impossible length"));
    }
    let url = digits.iter().any(|byte| matches!(byte, b'-' | b'_'));
    let values = if url { &URL_SAFE_VALUES } else { &STANDARD_VALUES };
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 3);
    for (group, chunk) in digits.chunks(4).enumerate() {
        let mut bits = 0_u32;
        for (place, &byte) in chunk.iter().enumerate() {
            let value = values[usize::from(byte)];
            if value == NO_DIGIT {
                return Err(fail(4 * group + place, "not a base64 digit"));
            }
            bits |= u32::from(value) << (18 - 6 * place);
        }
        let [_, decoded @ ..] = bits.to_be_bytes();
        let whole = chunk.len() - 1;
        if decoded[whole..].iter().any(|&byte| byte != 0) {
            return Err(fail(4 * group, "unused bits of base64 are not zero"));
        }
        bytes.extend_from_slice(&decoded[..whole]);
    }
    Ok(bytes)
}

/// Writes the standard alphabet with padding (section 4).
pub fn encode(bytes: &[u8]) -> String {
    let mut text = digits(bytes, STANDARD);
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// Writes the URL-safe alphabet without padding (section 5), the form inside JSON tokens.
pub fn encode_url(bytes: &[u8]) -> String {
    digits(bytes, URL_SAFE)
}

fn digits(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().zip([16, 8, 0]).fold(0, |bits, (&byte, shift)| bits | u32::from(byte) << shift);
        for shift in [18, 12, 6, 0].into_iter().take(chunk.len() + 1) {
            text.push(char::from(alphabet[(bits >> shift & 63) as usize]));
        }
    }
    text
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const STANDARD_VALUES: [u8; 256] = values(STANDARD);
const URL_SAFE_VALUES: [u8; 256] = values(URL_SAFE);
const NO_DIGIT: u8 = 255;

/// The value of every byte as a digit. Quotes carry certificates as PEM, so this is on the way of every judgement.
const fn values(alphabet: &[u8; 64]) -> [u8; 256] {
    let mut values = [NO_DIGIT; 256];
    let mut at = 0;
    while at < alphabet.len() {
        values[alphabet[at] as usize] = at as u8;
        at += 1;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        for length in 0..bytes.len() {
            let bytes = &bytes[bytes.len() - length..];
            assert_eq!(decode("text", encode(bytes).as_bytes()).as_deref(), Ok(bytes));
            assert_eq!(decode("text", encode_url(bytes).as_bytes()).as_deref(), Ok(bytes));
        }
        assert_eq!(encode(b"fo"), "Zm8=");
    }

    #[test]
    fn every_other_text_is_refused() {
        for text in ["A", "A===", "AA=", "AAA==", "AB", "AAB", "A A=", "+-AA", "AA=A", "AA==AA==", "AAAA="] {
            assert!(decode("text", text.as_bytes()).is_err(), "{text}");
        }
    }
}
