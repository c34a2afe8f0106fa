//! Strict DER, reading and writing.
//!
//! The structures here (certificates, CRLs, KeepClaims, the carriers) have fixed shapes that are read element by element,
//! without recursion: depth is bounded by the code. Lengths must be minimal and definite (ITU-T X.690 10.1).

use alloc::vec::Vec;

use crate::cursor::{Cursor, Malformed, Problem};
use crate::time::{Time, digits};

/// Identifier octets that the crate meets (X.690 8.1.2).
pub mod tag {
    /// BOOLEAN.
    pub const BOOLEAN: u8 = 0x01;
    /// INTEGER.
    pub const INTEGER: u8 = 0x02;
    /// BIT STRING.
    pub const BIT_STRING: u8 = 0x03;
    /// OCTET STRING.
    pub const OCTET_STRING: u8 = 0x04;
    /// NULL.
    pub const NULL: u8 = 0x05;
    /// OBJECT IDENTIFIER.
    pub const OID: u8 = 0x06;
    /// ENUMERATED.
    pub const ENUMERATED: u8 = 0x0A;
    /// UTF8String.
    pub const UTF8_STRING: u8 = 0x0C;
    /// PrintableString.
    pub const PRINTABLE_STRING: u8 = 0x13;
    /// IA5String.
    pub const IA5_STRING: u8 = 0x16;
    /// UTCTime.
    pub const UTC_TIME: u8 = 0x17;
    /// GeneralizedTime.
    pub const GENERALIZED_TIME: u8 = 0x18;
    /// SEQUENCE, SEQUENCE OF.
    pub const SEQUENCE: u8 = 0x30;
    /// SET, SET OF.
    pub const SET: u8 = 0x31;

    /// A context-specific, constructed tag.
    pub const fn context(number: u8) -> u8 {
        0xA0 | number
    }
}

/// One element: its tag, its contents, and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Element<'a> {
    /// The identifier octet.
    pub tag: u8,
    /// The contents octets.
    pub contents: &'a [u8],
    /// The whole element, header included.
    pub whole: &'a [u8],
    /// Where `whole` starts in the item.
    pub offset: usize,
}

impl<'a> Element<'a> {
    /// Reads inside the contents.
    pub fn reader(&self) -> Reader<'a> {
        Reader { cursor: Cursor::at(self.contents, self.offset + self.whole.len() - self.contents.len()) }
    }
}

/// Reads elements one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Reader<'a> {
    /// Reads an item from its start.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { cursor: Cursor::new(bytes) }
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.cursor.is_empty()
    }

    /// The tag of the next element.
    pub fn peek(&self) -> Option<u8> {
        self.cursor.rest().first().copied()
    }

    /// The next element, whatever it is.
    pub fn any(&mut self, field: &'static str) -> Result<Element<'a>, Malformed> {
        let start = self.cursor;
        let tag = self.cursor.u8(field)?;
        if tag & 0x1F == 0x1F {
            return Err(start.error(field, Problem::NotCanonical("tag numbers above 30 are not used here")));
        }
        let length = self.length(field)?;
        let contents = self.cursor.take(field, length)?;
        let whole = &start.rest()[..self.cursor.offset() - start.offset()];
        Ok(Element { tag, contents, whole, offset: start.offset() })
    }

    /// The next element, which must have this tag.
    pub fn expect(&mut self, field: &'static str, tag: u8) -> Result<Element<'a>, Malformed> {
        let start = self.cursor;
        let element = self.any(field)?;
        match element.tag == tag {
            true => Ok(element),
            false => {
                let problem =
                    Problem::Unexpected { expected: "another DER tag", found: u64::from(element.tag) };
                Err(start.error(field, problem))
            }
        }
    }

    /// The next element if it has this tag.
    pub fn optional(&mut self, field: &'static str, tag: u8) -> Result<Option<Element<'a>>, Malformed> {
        match self.peek() == Some(tag) {
            true => self.any(field).map(Some),
            false => Ok(None),
        }
    }

    /// A SEQUENCE, opened.
    pub fn sequence(&mut self, field: &'static str) -> Result<Reader<'a>, Malformed> {
        self.expect(field, tag::SEQUENCE).map(|element| element.reader())
    }

    /// The contents of an OCTET STRING.
    pub fn octets(&mut self, field: &'static str) -> Result<&'a [u8], Malformed> {
        self.expect(field, tag::OCTET_STRING).map(|element| element.contents)
    }

    /// The contents of an OBJECT IDENTIFIER.
    pub fn oid(&mut self, field: &'static str) -> Result<&'a [u8], Malformed> {
        self.expect(field, tag::OID).map(|element| element.contents)
    }

    /// The octets of a BIT STRING without unused bits.
    pub fn bits(&mut self, field: &'static str) -> Result<&'a [u8], Malformed> {
        let element = self.expect(field, tag::BIT_STRING)?;
        match element.contents.split_first() {
            Some((0, bits)) => Ok(bits),
            _ => Err(self.error(element, field, Problem::NotCanonical("unused bits in a string of octets"))),
        }
    }

    /// The two's complement octets of an INTEGER, in their shortest form (X.690 8.3.2).
    pub fn integer(&mut self, field: &'static str) -> Result<&'a [u8], Malformed> {
        let element = self.expect(field, tag::INTEGER)?;
        let shortest = match *element.contents {
            [] => false,
            [0, next, ..] => next & 0x80 != 0,
            [0xFF, next, ..] => next & 0x80 == 0,
            _ => true,
        };
        match shortest {
            true => Ok(element.contents),
            false => {
                Err(self.error(element, field, Problem::NotCanonical("integer is not in its shortest form")))
            }
        }
    }

    /// A non-negative INTEGER that fits in 64 bits.
    pub fn unsigned(&mut self, field: &'static str) -> Result<u64, Malformed> {
        let start = self.cursor;
        let magnitude = self.magnitude(field)?;
        if magnitude.len() > 8 {
            return Err(start.error(field, Problem::TooLong { limit: 8, found: magnitude.len() }));
        }
        Ok(magnitude.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    /// The magnitude of a non-negative INTEGER, without leading zero.
    pub fn magnitude(&mut self, field: &'static str) -> Result<&'a [u8], Malformed> {
        let start = self.cursor;
        match *self.integer(field)? {
            [first, ..] if first & 0x80 != 0 => {
                Err(start.error(field, Problem::NotCanonical("negative where a natural number belongs")))
            }
            [0, ref magnitude @ ..] => Ok(magnitude),
            ref magnitude => Ok(magnitude),
        }
    }

    /// A BOOLEAN (X.690 11.1: TRUE is FF).
    pub fn boolean(&mut self, field: &'static str) -> Result<bool, Malformed> {
        let element = self.expect(field, tag::BOOLEAN)?;
        match *element.contents {
            [0x00] => Ok(false),
            [0xFF] => Ok(true),
            _ => Err(self.error(element, field, Problem::NotCanonical("boolean is neither 00 nor FF"))),
        }
    }

    /// A time in one of the two forms of RFC 5280 section 4.1.2.5.
    pub fn time(&mut self, field: &'static str) -> Result<Time, Malformed> {
        let element = self.any(field)?;
        let text = element.contents;
        let parsed = match (element.tag, text.len()) {
            (tag::UTC_TIME, 13) => digits(&text[..2])
                .map(|year| if year < 50 { 2000 + year } else { 1900 + year })
                .and_then(|year| time_after_year(year, &text[2..])),
            (tag::GENERALIZED_TIME, 15) => {
                digits(&text[..4]).and_then(|year| time_after_year(year, &text[4..]))
            }
            _ => None,
        };
        parsed.ok_or_else(|| self.error(element, field, Problem::NotCanonical("not a time of RFC 5280")))
    }

    /// Ends the item.
    pub fn finish(self, field: &'static str) -> Result<(), Malformed> {
        self.cursor.finish(field)
    }

    /// An error at the next element.
    pub fn fail(&self, field: &'static str, problem: Problem) -> Malformed {
        self.cursor.error(field, problem)
    }

    fn error(&self, element: Element<'a>, field: &'static str, problem: Problem) -> Malformed {
        Malformed { field, offset: element.offset, problem }
    }

    fn length(&mut self, field: &'static str) -> Result<usize, Malformed> {
        let start = self.cursor;
        let first = self.cursor.u8(field)?;
        if first < 0x80 {
            return Ok(usize::from(first));
        }
        // Four octets address 4 GiB; every item of the crate is limited far below that.
        let octets = usize::from(first & 0x7F);
        if !(1..=4).contains(&octets) {
            return Err(start.error(field, Problem::NotCanonical("length is indefinite or over four octets")));
        }
        let bytes = self.cursor.take(field, octets)?;
        let length = bytes.iter().fold(0_u32, |value, &byte| value << 8 | u32::from(byte));
        if bytes[0] == 0 || length < 0x80 {
            return Err(start.error(field, Problem::NotCanonical("length is not in its shortest form")));
        }
        usize::try_from(length)
            .map_err(|_| start.error(field, Problem::NotCanonical("length over the address space")))
    }
}

/// Encodes one element.
pub fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(contents.len() + 6);
    encoded.push(tag);
    match contents.len() {
        short @ ..0x80 => encoded.push(short as u8),
        long => {
            let bytes = long.to_be_bytes();
            let significant = &bytes[bytes.iter().take_while(|&&byte| byte == 0).count()..];
            encoded.push(0x80 | significant.len() as u8);
            encoded.extend_from_slice(significant);
        }
    }
    encoded.extend_from_slice(contents);
    encoded
}

/// Encodes a SEQUENCE of encoded elements.
pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(tag::SEQUENCE, &parts.concat())
}

/// Encodes a non-negative INTEGER.
pub fn unsigned(value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let skip = bytes.iter().take_while(|&&byte| byte == 0).count().min(7);
    let mut contents = Vec::with_capacity(9);
    if bytes[skip] & 0x80 != 0 {
        contents.push(0);
    }
    contents.extend_from_slice(&bytes[skip..]);
    element(tag::INTEGER, &contents)
}

fn time_after_year(year: u32, rest: &[u8]) -> Option<Time> {
    let number = |at: usize| digits(&rest[at..at + 2]);
    match rest.last() {
        Some(b'Z') => Time::from_civil(year, number(0)?, number(2)?, number(4)?, number(6)?, number(8)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for value in [0, 1, 127, 128, 255, 256, u64::MAX] {
            let encoded = unsigned(value);
            assert_eq!(Reader::new(&encoded).unsigned("value"), Ok(value));
        }
        for size in [0, 1, 127, 128, 255, 256, 70_000] {
            let contents = std::vec![7; size];
            let encoded = element(tag::OCTET_STRING, &contents);
            assert_eq!(Reader::new(&encoded).octets("value"), Ok(contents.as_slice()));
        }
    }

    #[test]
    fn forms_that_der_forbids_are_refused() {
        fn check(bytes: &[u8]) {
            assert!(Reader::new(bytes).integer("value").is_err(), "{bytes:02x?}");
        }
        check(&[]);
        check(&[2, 0]);
        check(&[2, 2, 0, 1]);
        check(&[2, 2, 0xFF, 0x80]);
        check(&[2, 0x80, 1, 0, 0]);
        check(&[2, 0x81, 1, 1]);
        check(&[2, 0x82, 0, 1, 1]);
        check(&[2, 0x85, 0, 0, 0, 0, 1, 1]);
        check(&[2, 0x84, 0xFF, 0xFF, 0xFF, 0xFF]);
        check(&[0x1F, 1, 1]);
    }

    #[test]
    fn both_forms_of_time() {
        let read = |tag, text: &str| Reader::new(&element(tag, text.as_bytes())).time("t").ok();
        assert_eq!(read(tag::UTC_TIME, "700101000001Z"), Some(Time(1)));
        assert_eq!(read(tag::GENERALIZED_TIME, "19700101000001Z"), Some(Time(1)));
        assert_eq!(read(tag::UTC_TIME, "7001010000Z"), None);
        assert_eq!(read(tag::GENERALIZED_TIME, "19700101000001+"), None);
    }
}
