//! Linear memories that start on huge pages. Filling the twelve megabytes that Python brings takes six page faults
//! instead of three thousand, and a fifth of the time of sharing them from a file in memory, which pays for many
//! instances only.

#![expect(unsafe_code, reason = "mappings that compiled code reads and writes")]

use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap_anonymous, mprotect, munmap};
use std::io;
use std::ptr::{self, NonNull};
use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

/// Makes them.
pub struct HugePages;

// SAFETY: each memory is a mapping of its own, zero as the kernel makes it, which belongs to the value returned.
unsafe impl MemoryCreator for HugePages {
    fn new_memory(
        &self,
        _: MemoryType,
        minimum: usize,
        _: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let memory = Memory::new(minimum, reserved.unwrap_or(minimum).max(minimum), guard);
        Ok(Box::new(memory.map_err(|error| format!("no room for a memory of {minimum} bytes: {error}"))?))
    }
}

/// A reservation: a guard, room to grow into, a guard. Only the first `size` bytes of the room are accessible.
struct Memory {
    start: NonNull<u8>,
    reserved: usize,
    guard: usize,
    size: usize,
}

// SAFETY: the mapping belongs to this value alone, and no thread is special to it.
unsafe impl Send for Memory {}
// SAFETY: shared references only tell address and sizes.
unsafe impl Sync for Memory {}

impl Memory {
    fn new(size: usize, reserved: usize, guard: usize) -> io::Result<Self> {
        let too_long = io::ErrorKind::OutOfMemory;
        let length = guard.checked_mul(2).and_then(|guards| guards.checked_add(reserved)).ok_or(too_long)?;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: the address is the kernel's choice, so no existing memory is touched.
        let mapping = unsafe { mmap_anonymous(ptr::null_mut(), length, ProtFlags::empty(), flags)? };
        let start = NonNull::new(mapping.cast()).ok_or(too_long)?;
        let mut memory = Self { start, reserved, guard, size: 0 };
        memory.open(size)?;
        // Not what it grows by: where memory is fragmented, each huge page has to be made by moving others.
        // SAFETY: advice on a range just mapped, which changes no content. A kernel without huge pages refuses it.
        let _ = unsafe { madvise(memory.base().cast(), size, Advice::LinuxHugepage) };
        Ok(memory)
    }

    fn base(&self) -> *mut u8 {
        // SAFETY: the mapping is longer than its first guard.
        unsafe { self.start.as_ptr().add(self.guard) }
    }

    /// Makes the first `size` bytes accessible.
    fn open(&mut self, size: usize) -> io::Result<()> {
        if size > self.reserved {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let (from, to) = (self.size.next_multiple_of(rustix::param::page_size()), size);
        if to > from {
            // SAFETY: the range lies within the reservation, and nothing was there before.
            unsafe {
                let access = MprotectFlags::READ | MprotectFlags::WRITE;
                mprotect(self.base().add(from).cast(), to - from, access)?;
            }
        }
        self.size = size;
        Ok(())
    }
}

// SAFETY: the first `byte_size` bytes at `as_ptr` are accessible for as long as this lives, never move, and are
// followed by inaccessible ones to the end of the reservation and the guard after it.
unsafe impl LinearMemory for Memory {
    fn byte_size(&self) -> usize {
        self.size
    }

    fn byte_capacity(&self) -> usize {
        self.reserved
    }

    fn grow_to(&mut self, size: usize) -> wasmtime::Result<()> {
        Ok(self.open(size)?)
    }

    fn as_ptr(&self) -> *mut u8 {
        self.base()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the whole mapping of `new`; Wasmtime drops a memory when no code can reach it any more.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.guard * 2 + self.reserved) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_in_place_up_to_its_reservation() {
        let page = rustix::param::page_size();
        let mut memory = Memory::new(page, 4 * page, page).unwrap();
        let start = memory.as_ptr();
        for size in [page, 3 * page, 4 * page] {
            memory.grow_to(size).unwrap();
            assert_eq!(
                (memory.as_ptr(), memory.byte_size(), memory.byte_capacity()),
                (start, size, 4 * page)
            );
            // SAFETY: the last byte of an accessible memory.
            let last = unsafe { start.add(size - 1) };
            // SAFETY: as above; nothing else refers to it.
            assert_eq!(unsafe { last.read() }, 0);
            // SAFETY: as above.
            unsafe { last.write(7) };
        }
        assert!(memory.grow_to(4 * page + 1).is_err());
        assert_eq!(memory.byte_size(), 4 * page);
        assert!(Memory::new(0, usize::MAX, page).is_err());
        assert_eq!(Memory::new(0, page, page).unwrap().byte_size(), 0);
    }
}
