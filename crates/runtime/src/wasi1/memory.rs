//! A module's memory, as its calls see it. Every pointer and length comes from the module and is checked here, on
//! each access: one outside the memory ends the module, as dereferencing it would.

use super::errno::{Errno, Outcome};
use std::io::{IoSlice, IoSliceMut};
use std::ops::{Deref, DerefMut, Range};

/// Buffers one call gathers from; the rest is left for the next call, as `writev(2)` may.
const GATHER: usize = 32;
/// Buffers one call scatters to.
const SCATTER: usize = 8;
/// Bytes of an `iovec`: its pointer and its length.
const IOVEC: u32 = 8;

/// A pointer outside the memory.
#[derive(Debug, thiserror::Error)]
#[error("a call was given {len} bytes at {pointer:#x}, outside its memory of {memory:#x} bytes")]
pub struct BadPointer {
    pointer: u64,
    len: u64,
    memory: usize,
}

/// The module's memory.
pub struct Memory<'a>(pub &'a mut [u8]);

impl Memory<'_> {
    /// The bytes at `pointer`.
    pub fn bytes(&self, pointer: u32, len: u32) -> Result<&[u8], BadPointer> {
        self.range(pointer, len).map(|range| &self.0[range])
    }

    /// The bytes at `pointer`, to be written.
    pub fn bytes_mut(&mut self, pointer: u32, len: u32) -> Result<&mut [u8], BadPointer> {
        self.range(pointer, len).map(|range| &mut self.0[range])
    }

    /// The text at `pointer`.
    pub fn text(&self, pointer: u32, len: u32) -> Outcome<&str> {
        Ok(str::from_utf8(self.bytes(pointer, len)?).map_err(|_| Errno::Ilseq)?)
    }

    /// Writes `bytes` at `pointer`.
    pub fn put(&mut self, pointer: u32, bytes: &[u8]) -> Result<(), BadPointer> {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.bytes_mut(pointer, len)?.copy_from_slice(bytes);
        Ok(())
    }

    /// Writes a number at `pointer`.
    pub fn put_u32(&mut self, pointer: u32, number: u32) -> Result<(), BadPointer> {
        self.put(pointer, &number.to_le_bytes())
    }

    /// Writes a number at `pointer`.
    pub fn put_u64(&mut self, pointer: u32, number: u64) -> Result<(), BadPointer> {
        self.put(pointer, &number.to_le_bytes())
    }

    /// Writes a length at `pointer`. Lengths are of things in this memory, which has at most 4 GiB.
    pub fn put_len(&mut self, pointer: u32, len: usize) -> Outcome {
        let len = u32::try_from(len).map_err(|_| Errno::Overflow)?;
        Ok(self.put_u32(pointer, len)?)
    }

    /// The buffers that `count` iovecs at `pointer` name, to be read from.
    pub fn gather(&self, pointer: u32, count: u32) -> Result<Gathered<'_>, BadPointer> {
        let mut gathered = Gathered { slices: [IoSlice::new(&[]); GATHER], len: 0 };
        for (slice, range) in gathered.slices.iter_mut().zip(self.buffers(pointer, count)?) {
            *slice = IoSlice::new(&self.0[range?]);
            gathered.len += 1;
        }
        Ok(gathered)
    }

    /// The buffers that `count` iovecs at `pointer` name, to be written to.
    pub fn scatter(&mut self, pointer: u32, count: u32) -> Result<Scattered<'_>, BadPointer> {
        let mut ranges = [const { 0..0 }; SCATTER];
        let mut len = 0;
        for (slot, range) in ranges.iter_mut().zip(self.buffers(pointer, count)?) {
            *slot = range?;
            len += 1;
        }
        // A module may name the same memory twice; then only its first buffer is filled.
        if self.0.get_disjoint_mut(ranges.clone()).is_err() {
            ranges[1..].fill(0..0);
            len = 1;
        }
        let slices =
            self.0.get_disjoint_mut(ranges).unwrap_or_else(|_| [(); SCATTER].map(|()| [].as_mut_slice()));
        Ok(Scattered { slices: slices.map(IoSliceMut::new), len })
    }

    /// The ranges that `count` iovecs at `pointer` name, without empty ones.
    fn buffers(
        &self,
        pointer: u32,
        count: u32,
    ) -> Result<impl Iterator<Item = Result<Range<usize>, BadPointer>>, BadPointer> {
        let len = u64::from(count) * u64::from(IOVEC);
        let range = self.wide_range(pointer, len)?;
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte));
        let iovecs = self.0[range].chunks_exact(IOVEC as usize);
        Ok(iovecs
            .map(move |iovec| (number(&iovec[..4]), number(&iovec[4..])))
            .filter(|(_, len)| *len > 0)
            .map(|(pointer, len)| self.range(pointer, len)))
    }

    fn range(&self, pointer: u32, len: u32) -> Result<Range<usize>, BadPointer> {
        self.wide_range(pointer, len.into())
    }

    fn wide_range(&self, pointer: u32, len: u64) -> Result<Range<usize>, BadPointer> {
        let pointer = u64::from(pointer);
        let end = pointer + len;
        if end > self.0.len() as u64 {
            return Err(BadPointer { pointer, len, memory: self.0.len() });
        }
        Ok(pointer as usize..end as usize)
    }
}

/// Buffers to read from.
pub struct Gathered<'a> {
    slices: [IoSlice<'a>; GATHER],
    len: usize,
}

impl<'a> Deref for Gathered<'a> {
    type Target = [IoSlice<'a>];

    fn deref(&self) -> &Self::Target {
        &self.slices[..self.len]
    }
}

impl DerefMut for Gathered<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.slices[..self.len]
    }
}

/// Buffers to write to; they do not overlap.
pub struct Scattered<'a> {
    slices: [IoSliceMut<'a>; SCATTER],
    len: usize,
}

impl<'a> Deref for Scattered<'a> {
    type Target = [IoSliceMut<'a>];

    fn deref(&self) -> &Self::Target {
        &self.slices[..self.len]
    }
}

impl DerefMut for Scattered<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.slices[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iovecs(bytes: &mut [u8], buffers: &[(u32, u32)]) {
        for (iovec, (pointer, len)) in bytes.chunks_exact_mut(8).zip(buffers) {
            iovec[..4].copy_from_slice(&pointer.to_le_bytes());
            iovec[4..].copy_from_slice(&len.to_le_bytes());
        }
    }

    #[test]
    fn accepts_ranges_inside_and_refuses_all_others() {
        let mut bytes = [0; 64];
        let memory = Memory(&mut bytes);
        for (pointer, len, inside) in [
            (0, 0, true),
            (0, 64, true),
            (64, 0, true),
            (63, 1, true),
            (64, 1, false),
            (65, 0, false),
            (0, 65, false),
            (u32::MAX, 1, false),
            (1, u32::MAX, false),
            (u32::MAX, u32::MAX, false),
        ] {
            assert_eq!(memory.bytes(pointer, len).is_ok(), inside, "{len} at {pointer}");
        }
        assert!(memory.gather(0, u32::MAX).is_err());
    }

    #[test]
    fn gathers_what_is_not_empty() {
        let mut bytes = [0; 64];
        iovecs(&mut bytes, &[(32, 4), (9999, 0), (36, 2)]);
        let memory = Memory(&mut bytes);
        let lens: Vec<usize> = memory.gather(0, 3).unwrap().iter().map(|slice| slice.len()).collect();
        assert_eq!(lens, [4, 2]);
    }

    #[test]
    fn scatters_to_disjoint_buffers_and_to_the_first_of_overlapping_ones() {
        let mut bytes = [0; 64];
        iovecs(&mut bytes, &[(40, 4), (32, 4)]);
        assert_eq!(Memory(&mut bytes).scatter(0, 2).unwrap().len(), 2);
        iovecs(&mut bytes, &[(40, 4), (41, 4)]);
        assert_eq!(Memory(&mut bytes).scatter(0, 2).unwrap().len(), 1);
        iovecs(&mut bytes, &[(62, 4)]);
        assert!(Memory(&mut bytes).scatter(0, 1).is_err());
    }
}
