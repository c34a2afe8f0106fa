//! Bounded reading of untrusted bytes.
//!
//! Every decoder of the crate reads through a [`Cursor`]: it never indexes, never trusts a length, and an error names
//! the field and its offset in the item being read. A decoder ends with [`Cursor::finish`], so a tail is an error.

use core::fmt;

/// Why bytes could not be read as the structure they claim to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The field being read, as `structure.field`.
    pub field: &'static str,
    /// Where the field starts, in bytes from the start of the item.
    pub offset: usize,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The item ends inside the field.
    Truncated {
        /// Bytes the field needs.
        needed: usize,
        /// Bytes that are left.
        left: usize,
    },
    /// Bytes follow where nothing may follow.
    Trailing {
        /// How many.
        left: usize,
    },
    /// A value that the format does not define here.
    Unexpected {
        /// What the format allows.
        expected: &'static str,
        /// What stands there.
        found: u64,
    },
    /// More than the limit of this crate.
    TooLong {
        /// The limit.
        limit: usize,
        /// What was asked for.
        found: usize,
    },
    /// A reserved field that must be zero is not.
    NotZero,
    /// A form that the encoding rules forbid, although it could be understood.
    NotCanonical(&'static str),
    /// Something that may stand once stands twice.
    Duplicate,
    /// Something that must be present is not.
    Missing,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: ", self.field, self.offset)?;
        match self.problem {
            Problem::Truncated { needed, left } => write!(f, "needs {needed} bytes, {left} are left"),
            Problem::Trailing { left } => write!(f, "{left} bytes follow the end"),
            Problem::Unexpected { expected, found } => write!(f, "expected {expected}, found {found:#x}"),
            Problem::TooLong { limit, found } => write!(f, "{found} is over the limit of {limit}"),
            Problem::NotZero => f.write_str("reserved bytes are not zero"),
            Problem::NotCanonical(rule) => f.write_str(rule),
            Problem::Duplicate => f.write_str("occurs twice"),
            Problem::Missing => f.write_str("is missing"),
        }
    }
}

impl core::error::Error for Malformed {}

/// A position in a slice.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Cursor<'a> {
    /// Starts at the beginning of an item.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, offset: 0 }
    }

    /// Starts inside an item, so that errors count from the item's start.
    pub fn at(bytes: &'a [u8], offset: usize) -> Self {
        Self { rest: bytes, offset }
    }

    /// The position, in bytes from the start of the item.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `length` bytes.
    pub fn take(&mut self, field: &'static str, length: usize) -> Result<&'a [u8], Malformed> {
        let Some((head, tail)) = self.rest.split_at_checked(length) else {
            let problem = Problem::Truncated { needed: length, left: self.rest.len() };
            return Err(self.error(field, problem));
        };
        self.rest = tail;
        self.offset += length;
        Ok(head)
    }

    /// The next `N` bytes, copied.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Malformed> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(field, N)?);
        Ok(array)
    }

    /// One byte.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, Malformed> {
        self.array(field).map(|[byte]| byte)
    }

    /// A little-endian `u16`.
    pub fn u16_le(&mut self, field: &'static str) -> Result<u16, Malformed> {
        self.array(field).map(u16::from_le_bytes)
    }

    /// A little-endian `u32`.
    pub fn u32_le(&mut self, field: &'static str) -> Result<u32, Malformed> {
        self.array(field).map(u32::from_le_bytes)
    }

    /// A little-endian `u64`.
    pub fn u64_le(&mut self, field: &'static str) -> Result<u64, Malformed> {
        self.array(field).map(u64::from_le_bytes)
    }

    /// A big-endian `u16`.
    pub fn u16_be(&mut self, field: &'static str) -> Result<u16, Malformed> {
        self.array(field).map(u16::from_be_bytes)
    }

    /// A big-endian `u32`.
    pub fn u32_be(&mut self, field: &'static str) -> Result<u32, Malformed> {
        self.array(field).map(u32::from_be_bytes)
    }

    /// A big-endian `u64`.
    pub fn u64_be(&mut self, field: &'static str) -> Result<u64, Malformed> {
        self.array(field).map(u64::from_be_bytes)
    }

    /// Reserved bytes that must be zero.
    pub fn zeros(&mut self, field: &'static str, length: usize) -> Result<(), Malformed> {
        let start = *self;
        match self.take(field, length)?.iter().all(|&byte| byte == 0) {
            true => Ok(()),
            false => Err(start.error(field, Problem::NotZero)),
        }
    }

    /// Ends the item.
    pub fn finish(self, field: &'static str) -> Result<(), Malformed> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(self.error(field, Problem::Trailing { left })),
        }
    }

    /// An error at this position.
    pub fn error(&self, field: &'static str, problem: Problem) -> Malformed {
        Malformed { field, offset: self.offset, problem }
    }
}

/// Refuses an item that is larger than `limit`, before anything of it is read.
pub fn limit(field: &'static str, bytes: &[u8], limit: usize) -> Result<(), Malformed> {
    match bytes.len() > limit {
        true => Err(Malformed { field, offset: 0, problem: Problem::TooLong { limit, found: bytes.len() } }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_in_order_and_names_what_is_wrong() {
        let mut cursor = Cursor::new(&[1, 2, 0, 0, 9]);
        assert_eq!(cursor.u16_le("a"), Ok(0x0201));
        assert_eq!(cursor.zeros("b", 2), Ok(()));
        let truncated = Problem::Truncated { needed: 4, left: 1 };
        assert_eq!(cursor.u32_le("c"), Err(Malformed { field: "c", offset: 4, problem: truncated }));
        let trailing = Problem::Trailing { left: 1 };
        assert_eq!(cursor.finish("d"), Err(Malformed { field: "d", offset: 4, problem: trailing }));
        let mut reserved = Cursor::new(&[0, 1]);
        assert_eq!(
            reserved.zeros("e", 2),
            Err(Malformed { field: "e", offset: 0, problem: Problem::NotZero })
        );
    }
}
