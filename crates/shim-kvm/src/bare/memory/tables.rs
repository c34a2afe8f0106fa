//! Page tables of four levels (AMD APM volume 2, section 5.3). Only single pages are entered here; the launcher's own
//! tables for the shim have large ones, which are never changed.

use super::direct;
use super::frames::Frames;
use crate::regions::Access;
use abi::errno::Errno;
use abi::layout::PAGE;
use abi::layout::entry::{ACCESSED, DIRTY, FRAME, LARGE, NO_EXECUTE, PRESENT, TABLE, USER, WRITABLE};
use core::ops::Range;

/// What an entry of a page that ring 3 may not touch keeps, so that its content is there when it may again. The processor
/// ignores all but the lowest bit.
const KEPT: u64 = 1 << 9;

/// The tables, from their top.
pub struct Tables {
    root: u64,
}

/// An entry that has a frame.
#[derive(Clone, Copy)]
pub struct Entry(u64);

impl Entry {
    fn new(frame: u64, access: Access) -> Self {
        let mut bits = frame | ACCESSED | DIRTY | if access.is_any() { PRESENT | USER } else { KEPT };
        if access.allows(Access::WRITE) {
            bits |= WRITABLE;
        }
        if !access.allows(Access::EXECUTE) {
            bits |= NO_EXECUTE;
        }
        Self(bits)
    }

    /// Its frame.
    pub const fn frame(self) -> u64 {
        self.0 & FRAME
    }

    /// Whether ring 3 may do that.
    pub const fn allows(self, wanted: Access) -> bool {
        let needed = PRESENT | USER | if wanted.allows(Access::WRITE) { WRITABLE } else { 0 };
        self.0 & needed == needed && !(wanted.allows(Access::EXECUTE) && self.0 & NO_EXECUTE != 0)
    }
}

impl Tables {
    /// The tables whose top is at this physical address.
    pub const fn new(root: u64) -> Self {
        Self { root }
    }

    /// The entry of a page, if it has a frame.
    pub fn find(&self, address: u64) -> Option<Entry> {
        let entry = read(self.last(address).ok()?);
        (entry & (PRESENT | KEPT) != 0).then_some(Entry(entry))
    }

    /// Enters a page of ring 3.
    pub fn enter(
        &mut self,
        address: u64,
        frame: u64,
        access: Access,
        frames: &mut Frames,
    ) -> Result<(), Errno> {
        let place = self.make(address, 1, frames)?;
        write(place, Entry::new(frame, access).0);
        Ok(())
    }

    /// Gives frames to those pages of a range within one table that have none.
    pub fn fill(&mut self, range: Range<u64>, access: Access, frames: &mut Frames) -> Result<(), Errno> {
        let mut place = self.make(range.start, 1, frames)?;
        for _ in range.step_by(PAGE as usize) {
            if read(place) == 0 {
                write(place, Entry::new(frames.take().ok_or(Errno::NOMEM)?, access).0);
            }
            place = place.wrapping_add(1);
        }
        Ok(())
    }

    /// Enters a page of the shim: data.
    pub fn enter_own(&mut self, address: u64, frame: u64, frames: &mut Frames) -> Result<(), Errno> {
        let place = self.make(address, 1, frames)?;
        write(place, frame | PRESENT | WRITABLE | NO_EXECUTE | ACCESSED | DIRTY);
        Ok(())
    }

    /// Enters a page directory, which covers a gigabyte.
    pub fn enter_directory(
        &mut self,
        address: u64,
        directory: u64,
        frames: &mut Frames,
    ) -> Result<(), Errno> {
        let place = self.make(address, 3, frames)?;
        write(place, directory | TABLE);
        Ok(())
    }

    /// Takes a page out.
    pub fn remove(&mut self, address: u64) -> Option<Entry> {
        let entry = self.find(address)?;
        if let Ok(place) = self.last(address) {
            write(place, 0);
        }
        Some(entry)
    }

    /// Takes out pages of a range until `taken` is full; says how many, and up to which address.
    pub fn remove_run(&mut self, range: Range<u64>, taken: &mut [u64]) -> (usize, u64) {
        let (mut count, mut at) = (0, range.start);
        while at < range.end && count < taken.len() {
            match self.last(at) {
                Ok(place) => {
                    let entry = read(place);
                    if entry & (PRESENT | KEPT) != 0 {
                        write(place, 0);
                        taken[count] = Entry(entry).frame();
                        count += 1;
                    }
                    at += PAGE;
                }
                Err(covered) => at = after(at, covered),
            }
        }
        (count, at.min(range.end))
    }

    /// Changes the access of the pages that are entered; says whether a processor may remember more than is allowed now.
    pub fn protect(&mut self, range: &Range<u64>, access: Access) -> bool {
        let (mut changed, mut at) = (false, range.start);
        while at < range.end {
            match self.last(at) {
                Ok(place) => {
                    let entry = read(place);
                    if entry & (PRESENT | KEPT) != 0 {
                        let new = Entry::new(Entry(entry).frame(), access).0;
                        write(place, new);
                        changed |= takes_away(entry, new);
                    }
                    at += PAGE;
                }
                Err(covered) => at = after(at, covered),
            }
        }
        changed
    }

    /// The place of the last level's entry; if a table is missing, how many bytes the missing one covers.
    fn last(&self, address: u64) -> Result<*mut u64, u64> {
        let mut table = self.root;
        for level in (2..=4).rev() {
            let entry = read(place(table, address, level));
            if entry & PRESENT == 0 || entry & LARGE != 0 {
                return Err(covered(level));
            }
            table = entry & FRAME;
        }
        Ok(place(table, address, 1))
    }

    /// The place of an entry of this level, after making the tables above it.
    fn make(&mut self, address: u64, level: u32, frames: &mut Frames) -> Result<*mut u64, Errno> {
        let mut table = self.root;
        for above in (level + 1..=4).rev() {
            let place = place(table, address, above);
            let mut entry = read(place);
            if entry & PRESENT == 0 {
                entry = frames.take().ok_or(Errno::NOMEM)? | TABLE;
                write(place, entry);
            }
            table = entry & FRAME;
        }
        Ok(place(table, address, level))
    }
}

/// Whether an old entry allows what the new one does not.
const fn takes_away(old: u64, new: u64) -> bool {
    old & PRESENT != 0 && (old & (PRESENT | WRITABLE) & !new != 0 || new & !old & NO_EXECUTE != 0)
}

/// Bytes that an entry of a level covers.
const fn covered(level: u32) -> u64 {
    PAGE << (9 * (level - 1))
}

const fn after(address: u64, covered: u64) -> u64 {
    (address & !(covered - 1)) + covered
}

fn place(table: u64, address: u64, level: u32) -> *mut u64 {
    let index = address / covered(level) % 512;
    direct(table + index * 8).cast()
}

fn read(place: *mut u64) -> u64 {
    // SAFETY: an entry of a table, seen through the direct map; the processor may set bits of it meanwhile.
    unsafe { place.read_volatile() }
}

fn write(place: *mut u64, entry: u64) {
    // SAFETY: as for `read`; what is entered is a frame that ring 3 may have, or nothing.
    unsafe { place.write_volatile(entry) };
}
