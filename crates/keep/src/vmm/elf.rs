//! Programs in ELF, as far as a static program needs (System V ABI, "Object Files", 64 bit).

use abi::layout::PAGE;

/// Bytes of a program header.
const PROGRAM_HEADER: usize = 56;
/// Most program headers.
const HEADERS_MOST: usize = 32;
/// Types of program headers.
const LOAD: u32 = 1;
const INTERPRETER: u32 = 3;
/// Kinds of file.
const EXECUTABLE: u64 = 2;
const SHARED: u64 = 3;
/// `EM_X86_64`.
const MACHINE: u64 = 62;
/// Addresses beyond this are no static program's.
const ADDRESS_MOST: u64 = 1 << 40;

/// A static program.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Elf {
    /// Its first instruction.
    pub entry: u64,
    /// Whether it can lie anywhere.
    pub is_position_independent: bool,
    /// Where its program headers are in the file, and how many.
    pub headers: (u64, u64),
    /// Its parts, in order and on pages of their own.
    pub segments: Vec<Segment>,
}

/// A part of it with one kind of access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Where it lies.
    pub address: u64,
    /// Bytes it has in memory.
    pub len: u64,
    /// Where it lies in the file.
    pub offset: u64,
    /// Bytes it has there.
    pub filled: u64,
    /// 1 read, 2 write, 4 execute.
    pub access: u64,
}

/// A file that is no such program.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ElfError {
    /// It ends too early.
    #[error("it ends within its headers")]
    Short,
    /// It is something else.
    #[error("{field} is {found}, expected {expected}")]
    Field {
        /// What is wrong.
        field: &'static str,
        /// What it is.
        found: u64,
        /// What it should be.
        expected: &'static str,
    },
    /// It wants a dynamic linker.
    #[error("it is not static")]
    Dynamic,
    /// A part of it is not where it can be.
    #[error("its segment at {address:#x} {why}")]
    Segment {
        /// Where the part lies.
        address: u64,
        /// What is wrong.
        why: &'static str,
    },
}

impl Elf {
    /// Reads the headers in `start`, the beginning of a file of `file_len` bytes.
    pub(crate) fn read(start: &[u8], file_len: u64) -> Result<Self, ElfError> {
        let number = |at: usize, len: usize| number(start, at, len);
        let expect = |field, at, len, good: &dyn Fn(u64) -> bool, expected| {
            let found = number(at, len)?;
            if good(found) { Ok(found) } else { Err(ElfError::Field { field, found, expected }) }
        };
        expect("its magic number", 0, 4, &|found| found == 0x464C_457F, "0x7f ELF")?;
        expect("its class and order", 4, 2, &|found| found == 0x0102, "64 bit, little-endian")?;
        let is_kind = |found| found == EXECUTABLE || found == SHARED;
        let kind = expect("its kind", 16, 2, &is_kind, "2 or 3")?;
        expect("its machine", 18, 2, &|found| found == MACHINE, "62, x86-64")?;
        expect("its program headers' size", 54, 2, &|found| found == PROGRAM_HEADER as u64, "56")?;
        let count =
            expect("its program headers' count", 56, 2, &|found| found <= HEADERS_MOST as u64, "at most 32")?;
        let (entry, table) = (number(24, 8)?, number(32, 8)?);
        let mut segments: Vec<Segment> = Vec::new();
        for index in 0..count as usize {
            let table = usize::try_from(table).map_err(|_| ElfError::Short)?;
            let at = table.checked_add(index * PROGRAM_HEADER).ok_or(ElfError::Short)?;
            let field =
                |offset: usize, len| self::number(start, at.checked_add(offset).ok_or(ElfError::Short)?, len);
            match field(0, 4)? as u32 {
                INTERPRETER => return Err(ElfError::Dynamic),
                LOAD => {}
                _ => continue,
            }
            // ELF counts execute 1, write 2, read 4; everybody else the other way round.
            let flags = field(4, 4)?;
            let access = flags >> 2 & 1 | flags & 2 | (flags & 1) << 2;
            let (offset, address) = (field(8, 8)?, field(16, 8)?);
            let (filled, len) = (field(32, 8)?, field(40, 8)?);
            let segment = Segment { address, len, offset, filled, access };
            segment.check(file_len, segments.last())?;
            segments.push(segment);
        }
        let is_in =
            |part: &Segment| part.access & 4 != 0 && (part.address..part.address + part.len).contains(&entry);
        if !segments.iter().any(is_in) {
            return Err(ElfError::Field {
                field: "its entry",
                found: entry,
                expected: "an executable address",
            });
        }
        let is_position_independent = kind == SHARED;
        Ok(Self { entry, is_position_independent, headers: (table, count), segments })
    }
}

impl Segment {
    fn check(&self, file_len: u64, before: Option<&Self>) -> Result<(), ElfError> {
        let Self { address, len, offset, filled, access } = *self;
        let fail = |why| Err(ElfError::Segment { address, why });
        if address > ADDRESS_MOST || len > ADDRESS_MOST || len == 0 || filled > len {
            return fail("has an impossible size");
        }
        if offset.checked_add(filled).is_none_or(|end| end > file_len) {
            return fail("is not all in the file");
        }
        if address % PAGE != offset % PAGE {
            return fail("lies differently in memory and file");
        }
        if access & 6 == 6 {
            return fail("is both writable and executable");
        }
        if before.is_some_and(|before| before.pages().end > self.pages().start) {
            return fail("is out of order or shares a page");
        }
        Ok(())
    }

    /// Its pages.
    pub(crate) const fn pages(&self) -> std::ops::Range<u64> {
        self.address / PAGE * PAGE..(self.address + self.len).div_ceil(PAGE) * PAGE
    }
}

/// A static position-independent program that is one segment of code.
pub(crate) fn program(code: &[u8]) -> Vec<u8> {
    const HEADERS: u64 = 64 + PROGRAM_HEADER as u64;
    let len = HEADERS + code.len() as u64;
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(16, 0);
    let mut push = |width: usize, values: &[u64]| {
        values.iter().for_each(|value| elf.extend_from_slice(&value.to_le_bytes()[..width]));
    };
    push(2, &[SHARED, MACHINE]);
    push(4, &[1]);
    push(8, &[HEADERS, 64, 0]);
    push(4, &[0]);
    push(2, &[64, PROGRAM_HEADER as u64, 1, 0, 0, 0]);
    // To be loaded, readable and executable, all of the file.
    push(4, &[LOAD.into(), 5]);
    push(8, &[0, 0, 0, len, len, PAGE]);
    elf.extend_from_slice(code);
    elf
}

fn number(bytes: &[u8], at: usize, len: usize) -> Result<u64, ElfError> {
    let bytes = at.checked_add(len).and_then(|end| bytes.get(at..end)).ok_or(ElfError::Short)?;
    Ok(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(elf: &[u8]) -> Result<Elf, ElfError> {
        Elf::read(elf, elf.len() as u64)
    }

    #[test]
    fn a_program_is_read_as_it_was_made() {
        let elf = read(&program(&[0xF4; 10])).unwrap();
        let segment = Segment { address: 0, len: 130, offset: 0, filled: 130, access: 5 };
        let expected =
            Elf { entry: 120, is_position_independent: true, headers: (64, 1), segments: vec![segment] };
        assert_eq!(elf, expected);
    }

    /// No cut and no changed byte makes it accept a segment outside the file, or panic.
    #[test]
    fn damaged_programs_are_refused_or_harmless() {
        let good = program(&[0xF4; 10]);
        for len in 0..120 {
            assert!(read(&good[..len]).is_err(), "cut to {len}");
        }
        for at in 0..120 {
            for value in [0, 1, 7, 0x7F, 0x80, 0xFF] {
                let mut bad = good.clone();
                bad[at] = value;
                let Ok(elf) = read(&bad) else { continue };
                for part in elf.segments {
                    assert!(
                        part.offset + part.filled <= bad.len() as u64 && part.filled <= part.len,
                        "byte {at}"
                    );
                    assert!(part.access & 6 != 6);
                }
            }
        }
    }
}
