//! Serial numbers.

use std::fmt;
use std::str::FromStr;

/// A serial number: a positive integer of at most 20 octets (RFC 5280 section 4.1.2.2), without leading zeros.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(Box<[u8]>);

/// Text or bytes that are no serial number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a serial number: 1 to 20 octets in hexadecimal, not zero")]
pub struct NotASerial;

impl Serial {
    /// A serial number of 126 random bits, always 16 octets: the two top bits make it positive, and of one length.
    pub fn random(mut random: [u8; 16]) -> Self {
        random[0] = random[0] & 0x3F | 0x40;
        Self(Box::new(random))
    }

    /// Takes the octets of a positive integer.
    pub fn new(octets: &[u8]) -> Result<Self, NotASerial> {
        let start = octets.iter().take_while(|&&octet| octet == 0).count();
        let magnitude = &octets[start..];
        // With its top bit set, the encoding has one octet more.
        let fits = magnitude.len() < 20 || magnitude.len() == 20 && magnitude[0] < 0x80;
        match magnitude.is_empty() || !fits {
            true => Err(NotASerial),
            false => Ok(Self(magnitude.into())),
        }
    }

    /// Its octets, the most significant first.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for Serial {
    type Err = NotASerial;

    /// Reads hexadecimal digits, with colons or without, as `openssl x509 -serial` and others print them.
    fn from_str(text: &str) -> Result<Self, NotASerial> {
        let digits: Vec<u32> = text
            .chars()
            .filter(|&digit| digit != ':')
            .map(|digit| digit.to_digit(16))
            .collect::<Option<_>>()
            .ok_or(NotASerial)?;
        // An odd number of digits lacks a leading zero.
        let padded = [&vec![0; digits.len() % 2][..], &digits].concat();
        let octets: Vec<u8> =
            padded.chunks_exact(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap_or(0)).collect();
        Self::new(&octets)
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_serials_are_positive_and_of_one_length() {
        for octet in [0x00, 0x3F, 0x40, 0x7F, 0x80, 0xFF] {
            let serial = Serial::random([octet; 16]);
            assert_eq!(serial.as_bytes().len(), 16);
            assert!((0x40..0x80).contains(&serial.as_bytes()[0]));
        }
    }

    #[test]
    fn text_is_read_as_others_print_it() {
        fn check(text: &str, expected: Option<&str>) {
            assert_eq!(text.parse::<Serial>().ok().map(|serial| serial.to_string()).as_deref(), expected);
        }
        check("0A:ff", Some("0aff"));
        check("AFF", Some("0aff"));
        check("00", None);
        check("", None);
        check("xy", None);
        check(&"7f".repeat(20), Some(&"7f".repeat(20)));
        check(&"ff".repeat(20), None);
        check(&"7f".repeat(21), None);
    }
}
