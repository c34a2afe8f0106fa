//! Base64 (RFC 4648), reading and writing.
//!
//! One encoding has one text: bits that stand for nothing must be zero (section 3.5), and there is no whitespace inside.

use alloc::string::String;
use alloc::vec::Vec;

use crate::cursor::{Malformed, Problem};

/// Reads either alphabet, with or without padding; one text uses one alphabet.
pub fn decode(field: &'static str, text: &[u8]) -> Result<Vec<u8>, Malformed> {
    read(field, text, &STANDARD_VALUES).or_else(|error| match text.get(error.offset) {
        Some(b'-' | b'_') => read(field, text, &URL_SAFE_VALUES),
        _ => Err(error),
    })
}

/// Reads the standard alphabet with padding, as PEM has it (RFC 7468 section 3).
pub fn decode_padded(field: &'static str, text: &[u8]) -> Result<Vec<u8>, Malformed> {
    match text.len().is_multiple_of(4) {
        true => read(field, text, &STANDARD_VALUES),
        false => Err(impossible(field, text.len())),
    }
}

/// Quotes carry certificates as PEM, so this is on the way of every judgement: whole groups are read without a branch for
/// each digit.
fn read(field: &'static str, text: &[u8], values: &[u8; 256]) -> Result<Vec<u8>, Malformed> {
    let fail = |offset, rule| Malformed { field, offset, problem: Problem::NotCanonical(rule) };
    let padding = text.iter().rev().take_while(|&&byte| byte == b'=').count();
    let (groups, last) = text[..text.len() - padding].as_chunks::<4>();
    if padding > 2 || (padding > 0 && !text.len().is_multiple_of(4)) || last.len() == 1 {
        return Err(impossible(field, text.len() - padding));
    }
    let value = |digit: u8| values[usize::from(digit)];
    let wrong = |start: usize, group: &[u8]| {
        let place = group.iter().position(|&digit| value(digit) == NO_DIGIT).unwrap_or_default();
        fail(start + place, "not a base64 digit")
    };
    let mut bytes = alloc::vec![0; groups.len() * 3];
    for (number, (group, decoded)) in groups.iter().zip(bytes.as_chunks_mut::<3>().0).enumerate() {
        let [a, b, c, d] = group.map(value);
        if (a | b | c | d) == NO_DIGIT {
            return Err(wrong(4 * number, group));
        }
        *decoded = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d];
    }
    if !last.is_empty() {
        let start = 4 * groups.len();
        let digit = |place: usize| last.get(place).map_or(0, |&digit| value(digit));
        let [a, b, c] = [digit(0), digit(1), digit(2)];
        if (a | b | c) == NO_DIGIT {
            return Err(wrong(start, last));
        }
        let decoded = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6];
        let (whole, unused) = decoded.split_at(last.len() - 1);
        if unused.iter().any(|&bits| bits != 0) {
            return Err(fail(start, "unused bits of base64 are not zero"));
        }
        bytes.extend_from_slice(whole);
    }
    Ok(bytes)
}

fn impossible(field: &'static str, offset: usize) -> Malformed {
    Malformed { field, offset, problem: Problem::NotCanonical("base64 of an impossible length") }
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
/// No combination of digits has all bits.
const NO_DIGIT: u8 = 255;

/// The value of every byte as a digit.
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
            assert_eq!(decode_padded("text", encode(bytes).as_bytes()).as_deref(), Ok(bytes));
        }
        assert_eq!(encode(b"fo"), "Zm8=");
    }

    #[test]
    fn every_other_text_is_refused() {
        for text in [
            "A", "A===", "AA=", "AAA==", "AB", "AAB", "A A=", "+-AA", "-+AA", "AAAA+A-A", "A*AA", "AAAA*A",
            "AA=A", "AA==AA==", "AAAA=",
        ] {
            assert!(decode("text", text.as_bytes()).is_err(), "{text}");
        }
        for text in ["AA", "-_AA", "AAAA-_AA", "AAA"] {
            assert!(decode_padded("text", text.as_bytes()).is_err(), "{text}");
        }
    }
}
