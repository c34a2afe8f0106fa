//! CBOR (RFC 8949): a strict reader over slices, and a writer of what this crate encodes.
//!
//! The reader accepts less than the standard allows, so that no two encodings mean the same:
//!
//! - Lengths and integers have their shortest form (section 4.2.1); so does every genuine token and document.
//! - Arrays and maps may be of indefinite length (section 3.2.2), because AWS Nitro's documents of 2025 are; strings not.
//! - The keys of a map are integers or text and stand once (section 5.6). Their order is free.
//! - Floating point, `undefined` and other simple values are refused: no format here has them.
//! - Nesting, elements and, by the caller's limit on the whole item, lengths are bounded.
//!
//! Containers are read by closures, one call for each element. The reader counts what a closure reads: an element that
//! was left unread, or read beyond, is an error and never a silent shift.

use alloc::vec::Vec;

use crate::cursor::{Cursor, Malformed, Problem};

/// The deepest nesting of arrays and maps; the deepest genuine item, a CCA token, has three levels.
pub const MAX_DEPTH: usize = 8;

/// The most elements of an array or map that is skipped or whose reader names no smaller limit.
pub const MAX_ELEMENTS: usize = 64;

/// Reads CBOR from a slice.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    at: Cursor<'a>,
    depth: usize,
    /// How many whole items were read at this level.
    items: usize,
}

/// What stands next: the major type (RFC 8949 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A non-negative integer.
    Unsigned,
    /// A negative integer.
    Negative,
    /// A byte string.
    Bytes,
    /// A text string.
    Text,
    /// An array.
    Array,
    /// A map.
    Map,
    /// A tag, before the item it applies to.
    Tag,
    /// False, true or null.
    Simple,
}

/// The key of a map's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key<'a> {
    /// An integer.
    Number(i64),
    /// Text.
    Text(&'a str),
}

impl<'a> Reader<'a> {
    /// Starts at the beginning of an item.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { at: Cursor::new(bytes), depth: 0, items: 0 }
    }

    /// The position, in bytes from the start.
    pub fn offset(&self) -> usize {
        self.at.offset()
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.at.rest()
    }

    /// What stands next, or nothing at the end.
    pub fn peek(&self) -> Option<Kind> {
        self.at.rest().first().map(|initial| KINDS[usize::from(initial >> 5)])
    }

    /// A non-negative integer.
    pub fn unsigned(&mut self, field: &'static str) -> Result<u64, Malformed> {
        let value = self.head(field, Kind::Unsigned)?;
        self.items += 1;
        Ok(value)
    }

    /// An integer of either sign.
    pub fn integer(&mut self, field: &'static str) -> Result<i64, Malformed> {
        let start = *self;
        let negative = self.peek() == Some(Kind::Negative);
        let value = self.head(field, if negative { Kind::Negative } else { Kind::Unsigned })?;
        self.items += 1;
        let value = i64::try_from(value).map_err(|_| {
            start.fail(field, Problem::Unexpected { expected: "an integer of 64 bits", found: value })
        })?;
        Ok(if negative { -1 - value } else { value })
    }

    /// A byte string.
    pub fn bytes(&mut self, field: &'static str) -> Result<&'a [u8], Malformed> {
        self.string(field, Kind::Bytes)
    }

    /// A text string.
    pub fn text(&mut self, field: &'static str) -> Result<&'a str, Malformed> {
        let start = *self;
        let bytes = self.string(field, Kind::Text)?;
        core::str::from_utf8(bytes).map_err(|_| start.fail(field, Problem::NotCanonical("not UTF-8")))
    }

    /// False or true.
    pub fn boolean(&mut self, field: &'static str) -> Result<bool, Malformed> {
        match self.simple(field)? {
            FALSE => Ok(false),
            TRUE => Ok(true),
            found => Err(self.fail(field, unexpected("false or true", found))),
        }
    }

    /// Reads a null if one stands next, and says whether it did.
    pub fn null(&mut self) -> bool {
        let null = self.at.rest().first() == Some(&NULL);
        if null {
            self.items += 1;
            // The byte was just seen.
            let _ = self.at.u8("null");
        }
        null
    }

    /// A tag; the item it applies to follows.
    pub fn tag(&mut self, field: &'static str) -> Result<u64, Malformed> {
        self.head(field, Kind::Tag)
    }

    /// An array of up to `limit` elements; `each` reads one of them.
    pub fn array(
        &mut self,
        field: &'static str,
        limit: usize,
        mut each: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<usize, Malformed> {
        self.container(field, Kind::Array, limit, |reader| reader.exactly(field, 1, &mut each))
    }

    /// An array of exactly `length` elements, all of them read by `elements`.
    pub fn tuple<T>(
        &mut self,
        field: &'static str,
        length: usize,
        elements: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        let start = *self;
        let found = self.head(field, Kind::Array)?;
        if found != length as u64 {
            let problem = Problem::Unexpected { expected: "an array of the defined length", found };
            return Err(start.fail(field, problem));
        }
        self.nested(field, |reader| reader.exactly(field, length, elements))
    }

    /// A map of up to `limit` entries; `each` gets the key and reads the value.
    pub fn map(
        &mut self,
        field: &'static str,
        limit: usize,
        mut each: impl FnMut(Key<'a>, &mut Self) -> Result<(), Malformed>,
    ) -> Result<usize, Malformed> {
        let mut seen: Vec<Key<'a>> = Vec::new();
        self.container(field, Kind::Map, limit, |reader| {
            let at = *reader;
            let key = match reader.peek() {
                Some(Kind::Text) => Key::Text(reader.text(field)?),
                _ => Key::Number(reader.integer(field)?),
            };
            if seen.contains(&key) {
                return Err(at.fail(field, Problem::Duplicate));
            }
            seen.push(key);
            reader.exactly(field, 1, |reader| each(key, reader))
        })
    }

    /// Any item, by its exact bytes; what is inside it obeys all rules too.
    pub fn skip(&mut self, field: &'static str) -> Result<&'a [u8], Malformed> {
        let start = *self;
        while self.peek() == Some(Kind::Tag) {
            self.tag(field)?;
        }
        match self.peek() {
            Some(Kind::Unsigned) => drop(self.unsigned(field)?),
            Some(Kind::Bytes) => drop(self.bytes(field)?),
            Some(Kind::Text) => drop(self.text(field)?),
            Some(Kind::Array) => {
                self.array(field, MAX_ELEMENTS, |reader| reader.skip(field).map(drop))?;
            }
            Some(Kind::Map) => {
                self.map(field, MAX_ELEMENTS, |_, reader| reader.skip(field).map(drop))?;
            }
            Some(Kind::Simple) => drop(self.simple(field)?),
            Some(Kind::Negative | Kind::Tag) | None => drop(self.integer(field)?),
        }
        let rest = start.rest();
        Ok(&rest[..rest.len() - self.rest().len()])
    }

    /// Ends the item: nothing may follow.
    pub fn finish(self, field: &'static str) -> Result<(), Malformed> {
        self.at.finish(field)
    }

    /// An error at this position.
    pub fn fail(&self, field: &'static str, problem: Problem) -> Malformed {
        self.at.error(field, problem)
    }

    /// The head of an item: its kind must be `kind`, its argument comes back (RFC 8949 section 3).
    fn head(&mut self, field: &'static str, kind: Kind) -> Result<u64, Malformed> {
        let start = *self;
        let initial = self.at.u8(field)?;
        if KINDS[usize::from(initial >> 5)] != kind {
            return Err(start.fail(field, unexpected(kind.name(), initial)));
        }
        let (value, least) = match initial & 0x1F {
            short @ 0..=23 => (u64::from(short), 0),
            24 => (u64::from(self.at.u8(field)?), 24),
            25 => (u64::from(self.at.u16_be(field)?), 1 << 8),
            26 => (u64::from(self.at.u32_be(field)?), 1 << 16),
            27 => (self.at.u64_be(field)?, 1 << 32),
            _ => return Err(start.fail(field, unexpected("a definite length", initial))),
        };
        match value < least {
            true => Err(start.fail(field, Problem::NotCanonical("not the shortest form"))),
            false => Ok(value),
        }
    }

    fn string(&mut self, field: &'static str, kind: Kind) -> Result<&'a [u8], Malformed> {
        let length = self.head(field, kind)?;
        // A length that does not fit is longer than anything that is left.
        let bytes = self.at.take(field, usize::try_from(length).unwrap_or(usize::MAX))?;
        self.items += 1;
        Ok(bytes)
    }

    fn simple(&mut self, field: &'static str) -> Result<u8, Malformed> {
        let start = *self;
        match self.at.u8(field)? {
            found @ (FALSE | TRUE | NULL) => {
                self.items += 1;
                Ok(found)
            }
            found => Err(start.fail(field, unexpected("false, true or null", found))),
        }
    }

    /// The elements of an array or map, of definite or indefinite length.
    fn container(
        &mut self,
        field: &'static str,
        kind: Kind,
        limit: usize,
        mut each: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<usize, Malformed> {
        let start = *self;
        let indefinite = if kind == Kind::Array { INDEFINITE_ARRAY } else { INDEFINITE_MAP };
        let length = match self.at.rest().first() {
            Some(&initial) if initial == indefinite => {
                self.at.u8(field)?;
                None
            }
            _ => Some(usize::try_from(self.head(field, kind)?).unwrap_or(usize::MAX)),
        };
        let too_long = |found| start.fail(field, Problem::TooLong { limit, found });
        if let Some(found) = length.filter(|&length| length > limit) {
            return Err(too_long(found));
        }
        self.nested(field, |reader| {
            let mut count = 0;
            loop {
                match length {
                    Some(length) if count == length => return Ok(count),
                    None if reader.at.rest().first() == Some(&BREAK) => {
                        reader.at.u8(field)?;
                        return Ok(count);
                    }
                    _ if count == limit => return Err(too_long(count + 1)),
                    _ => each(reader)?,
                }
                count += 1;
            }
        })
    }

    /// Goes down one level; the container counts as one item of the level above.
    fn nested<T>(
        &mut self,
        field: &'static str,
        inside: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        if self.depth == MAX_DEPTH {
            return Err(self.fail(field, Problem::TooLong { limit: MAX_DEPTH, found: MAX_DEPTH + 1 }));
        }
        let items = self.items;
        self.depth += 1;
        let value = inside(self)?;
        self.depth -= 1;
        self.items = items + 1;
        Ok(value)
    }

    /// Holds `read` to reading `count` items.
    fn exactly<T>(
        &mut self,
        field: &'static str,
        count: usize,
        read: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        self.items = 0;
        let value = read(self)?;
        match self.items == count {
            true => Ok(value),
            false => Err(self.fail(field, Problem::NotCanonical("another number of items is defined here"))),
        }
    }
}

/// Writes CBOR in its shortest form. The order of a map's keys is the caller's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// Nothing written yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A non-negative integer.
    pub fn unsigned(self, value: u64) -> Self {
        self.head(Kind::Unsigned, value)
    }

    /// An integer of either sign.
    pub fn integer(self, value: i64) -> Self {
        match value < 0 {
            true => self.head(Kind::Negative, value.unsigned_abs() - 1),
            false => self.head(Kind::Unsigned, value.unsigned_abs()),
        }
    }

    /// A byte string.
    pub fn bytes(self, bytes: &[u8]) -> Self {
        self.head(Kind::Bytes, bytes.len() as u64).raw(bytes)
    }

    /// A text string.
    pub fn text(self, text: &str) -> Self {
        self.head(Kind::Text, text.len() as u64).raw(text.as_bytes())
    }

    /// The head of an array; its elements are written next.
    pub fn array(self, length: usize) -> Self {
        self.head(Kind::Array, length as u64)
    }

    /// The head of a map; its keys and values are written next, in turn.
    pub fn map(self, length: usize) -> Self {
        self.head(Kind::Map, length as u64)
    }

    /// A tag; the item it applies to is written next.
    pub fn tag(self, tag: u64) -> Self {
        self.head(Kind::Tag, tag)
    }

    /// False or true.
    pub fn boolean(self, value: bool) -> Self {
        self.raw(&[if value { TRUE } else { FALSE }])
    }

    /// Null.
    pub fn null(self) -> Self {
        self.raw(&[NULL])
    }

    /// An item that is encoded already.
    pub fn raw(mut self, item: &[u8]) -> Self {
        self.0.extend_from_slice(item);
        self
    }

    /// What was written.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    fn head(mut self, kind: Kind, value: u64) -> Self {
        let major = (kind as u8) << 5;
        let bytes = value.to_be_bytes();
        let (info, from) = match value {
            0..=23 => (bytes[7], 8),
            24..=0xFF => (24, 7),
            0x100..=0xFFFF => (25, 6),
            0x1_0000..=0xFFFF_FFFF => (26, 4),
            _ => (27, 0),
        };
        self.0.push(major | info);
        self.raw(&bytes[from..])
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Unsigned => "a non-negative integer",
            Kind::Negative => "a negative integer",
            Kind::Bytes => "a byte string",
            Kind::Text => "a text string",
            Kind::Array => "an array",
            Kind::Map => "a map",
            Kind::Tag => "a tag",
            Kind::Simple => "false, true or null",
        }
    }
}

fn unexpected(expected: &'static str, found: u8) -> Problem {
    Problem::Unexpected { expected, found: found.into() }
}

/// Major types by number.
const KINDS: [Kind; 8] = [
    Kind::Unsigned,
    Kind::Negative,
    Kind::Bytes,
    Kind::Text,
    Kind::Array,
    Kind::Map,
    Kind::Tag,
    Kind::Simple,
];

/// Simple values (RFC 8949 section 3.3).
const FALSE: u8 = 0xF4;
const TRUE: u8 = 0xF5;
const NULL: u8 = 0xF6;

/// Initial bytes of indefinite lengths (RFC 8949 section 3.2.1).
const INDEFINITE_ARRAY: u8 = 0x9F;
const INDEFINITE_MAP: u8 = 0xBF;
const BREAK: u8 = 0xFF;

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8]) -> Result<(), Malformed> {
        let mut reader = Reader::new(bytes);
        reader.skip("item")?;
        reader.finish("item")
    }

    #[test]
    fn one_form_of_everything_is_read() {
        fn check(bytes: &[u8], good: bool) {
            assert_eq!(whole(bytes).is_ok(), good, "{bytes:02x?}: {:?}", whole(bytes));
        }
        for good in [
            &[0x17][..],
            &[0x18, 24],
            &[0x39, 1, 0],
            &[0x42, 1, 2],
            &[0x62, b'h', b'i'],
            &[0x82, 1, 0x81, 2],
            &[0xA2, 1, 2, 0x61, b'a', 3],
            &[0xBF, 1, 2, 0xFF],
            &[0x9F, 1, 0xA0, 0xFF],
            &[0xD2, 0x80],
            &[0xF6],
        ] {
            check(good, true);
        }
        for bad in [
            // Not the shortest form.
            &[0x18, 23][..],
            &[0x19, 0, 255],
            &[0x58, 1, 9],
            &[0x98, 1, 1],
            &[0xD8, 18, 0],
            // Indefinite strings, stray breaks, reserved lengths.
            &[0x5F, 0x41, 1, 0xFF],
            &[0x7F, 0x61, b'a', 0xFF],
            &[0xFF],
            &[0x1C],
            &[0xBF, 1, 0xFF],
            // Duplicate keys, also in two forms of one map, and keys that are neither integer nor text.
            &[0xA2, 1, 2, 1, 3],
            &[0xBF, 0x61, b'a', 2, 0x61, b'a', 3, 0xFF],
            &[0xA1, 0x41, 1, 2],
            // Simple values and floats.
            &[0xF7],
            &[0xF8, 32],
            &[0xF9, 0x3C, 0],
            // Text that is not UTF-8, tails, cuts, huge lengths.
            &[0x61, 0xFF],
            &[1, 1],
            &[0x82, 1],
            &[0x5B, 255, 255, 255, 255, 255, 255, 255, 255],
            &[0x9B, 255, 255, 255, 255, 255, 255, 255, 255],
            &[0xC1],
            &[],
        ] {
            check(bad, false);
        }
    }

    #[test]
    fn nesting_and_elements_are_bounded() {
        let nested = |depth: usize| [std::vec![0x81; depth], std::vec![0]].concat();
        assert!(whole(&nested(MAX_DEPTH)).is_ok());
        assert!(whole(&nested(MAX_DEPTH + 1)).is_err());
        assert!(whole(&std::vec![0x81; 100_000]).is_err());
        assert!(whole(&std::vec![0xC1; 100_000]).is_err());
        let long = |count: usize| [&[0x9F][..], &std::vec![0; count], &[0xFF]].concat();
        assert!(whole(&long(MAX_ELEMENTS)).is_ok());
        assert!(whole(&long(MAX_ELEMENTS + 1)).is_err());
    }

    #[test]
    fn a_closure_reads_its_element_and_no_more() {
        let read = |count: usize| {
            let mut reader = Reader::new(&[0x83, 1, 2, 3]);
            reader
                .array("list", 8, |reader| (0..count).try_for_each(|_| reader.unsigned("element").map(drop)))
        };
        assert_eq!(read(1), Ok(3));
        assert!(read(0).is_err());
        assert!(read(2).is_err());
        let tuple = |length: usize, count: usize| {
            let mut reader = Reader::new(&[0x82, 1, 0x81, 2]);
            reader
                .tuple("pair", length, |reader| (0..count).try_for_each(|_| reader.skip("element").map(drop)))
        };
        assert_eq!(tuple(2, 2), Ok(()));
        assert!(tuple(2, 1).is_err());
        assert!(tuple(3, 2).is_err());
    }

    #[test]
    fn what_is_written_is_read() {
        let written = Writer::new()
            .tag(55_799)
            .map(4)
            .integer(-70_000)
            .boolean(true)
            .text("list")
            .array(3)
            .unsigned(u64::MAX)
            .integer(i64::MIN)
            .null()
            .unsigned(255)
            .bytes(&[7; 300])
            .unsigned(24)
            .raw(&[0xA0])
            .finish();
        assert_eq!(whole(&written), Ok(()));
        for length in 0..written.len() {
            assert!(whole(&written[..length]).is_err(), "cut at {length}");
        }
        let mut reader = Reader::new(&written);
        assert_eq!(reader.tag("tag"), Ok(55_799));
        let mut keys = Vec::new();
        let count = reader.map("map", 4, |key, reader| {
            keys.push(key);
            match key {
                Key::Number(-70_000) => assert_eq!(reader.boolean("flag"), Ok(true)),
                Key::Text("list") => reader.tuple("list", 3, |reader| {
                    assert_eq!(reader.unsigned("number"), Ok(u64::MAX));
                    assert_eq!(reader.integer("number"), Ok(i64::MIN));
                    assert!(reader.null());
                    Ok(())
                })?,
                Key::Number(255) => assert_eq!(reader.bytes("bytes"), Ok(&[7; 300][..])),
                _ => drop(reader.skip("rest")?),
            }
            Ok(())
        });
        assert_eq!(count, Ok(4));
        assert_eq!(keys, [Key::Number(-70_000), Key::Text("list"), Key::Number(255), Key::Number(24)]);
        assert_eq!(reader.finish("map"), Ok(()));
    }
}
