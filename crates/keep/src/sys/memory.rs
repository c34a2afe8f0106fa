//! The memory of a virtual machine. The guest writes it while we look, so it is only ever copied.
#![expect(unsafe_code, reason = "memory that others write has no safe form")]

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, mmap_anonymous};
use std::fs::File;
use std::io;
use std::ptr::{self, NonNull};

/// Memory of a guest, mapped for the rest of this process's life.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GuestMemory {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: a place and its length; all access is by copies that expect others to write.
unsafe impl Send for GuestMemory {}
// SAFETY: as above.
unsafe impl Sync for GuestMemory {}

impl GuestMemory {
    /// Maps memory that is zero and takes room only where it is touched.
    pub(crate) fn new(len: u64) -> io::Result<Self> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: the address is the kernel's choice, so no existing memory is touched.
        let start =
            unsafe { mmap_anonymous(ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, flags)? };
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        let memory = Self { start, len };
        // SAFETY: the range was just mapped. Secrets of a keep are not for dumps of this process.
        unsafe { madvise(start.as_ptr().cast(), len, Advice::LinuxDontDump)? };
        Ok(memory)
    }

    /// Its address in this process.
    pub(crate) fn address(&self) -> u64 {
        self.start.as_ptr() as u64
    }

    /// How many bytes it has.
    pub(crate) const fn len(&self) -> u64 {
        self.len as u64
    }

    /// Maps a file's pages at `at`, private to this process: shared with others until somebody writes.
    pub(crate) fn map_file(&self, at: u64, file: &File, offset: u64, len: u64) -> io::Result<()> {
        let place = self.place(at, len)?;
        let flags = MapFlags::PRIVATE | MapFlags::FIXED;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the range lies within memory that is ours and that nobody has references into.
        unsafe { mmap(place.cast(), len as usize, access, flags, file, offset)? };
        Ok(())
    }

    /// Copies bytes out, each read once.
    pub(crate) fn read(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        let place = self.place(at, bytes.len() as u64)?;
        // SAFETY: the range lies within the mapping, by `place`; words are aligned where both sides are, and a value read
        // volatile may be whatever another writes.
        unsafe {
            let words = if (place as usize).is_multiple_of(8) { bytes.len() / 8 } else { 0 };
            for index in 0..words {
                let word = place.cast::<u64>().add(index).read_volatile();
                bytes[index * 8..index * 8 + 8].copy_from_slice(&word.to_ne_bytes());
            }
            for (index, byte) in bytes.iter_mut().enumerate().skip(words * 8) {
                *byte = place.add(index).read_volatile();
            }
        }
        Ok(())
    }

    /// Copies bytes in.
    pub(crate) fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let place = self.place(at, bytes.len() as u64)?;
        let (words, rest) =
            if (place as usize).is_multiple_of(8) { bytes.as_chunks::<8>() } else { ([].as_slice(), bytes) };
        // SAFETY: as for `read`; nobody has references into this memory.
        unsafe {
            for (index, word) in words.iter().enumerate() {
                place.cast::<u64>().add(index).write_volatile(u64::from_ne_bytes(*word));
            }
            for (index, byte) in rest.iter().enumerate() {
                place.add(words.len() * 8 + index).write_volatile(*byte);
            }
        }
        Ok(())
    }

    fn place(&self, at: u64, len: u64) -> io::Result<*mut u8> {
        let end = at.checked_add(len).filter(|end| *end <= self.len as u64);
        end.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.start.as_ptr().wrapping_add(at as usize))
    }
}
