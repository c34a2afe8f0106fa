//! The memory of ring 3: what `mmap` and its kin promise, pages when they are touched, and copies to and from it.

mod frames;
mod tables;

use super::cpu::{clear, copy, flush_all, flush_page};
use super::lock::{Lock, Taken};
use super::stop::{Reason, stop};
use super::thread;
use crate::regions::{Access, Region, Regions};
use abi::boot::Boot;
use abi::errno::Errno;
use abi::layout::{DIRECT, PAGE, USER, USER_END};
use core::ops::Range;
use core::ptr;
use frames::Frames;
use tables::Tables;

/// Most ranges of different access. A pool of WebAssembly memories has a few for each.
const REGIONS: usize = 48 << 10;
/// Pages that are entered at once when one of them is touched and they are fresh: taking them costs nothing.
const AROUND: u64 = 16;
/// Pages up to which translations are forgotten one by one.
const FEW: u64 = 32;

/// Everything about memory, behind one lock.
pub struct Space {
    regions: Regions<'static>,
    frames: Frames,
    tables: Tables,
    /// The data segment's end as `brk` moves it, and where it began.
    brk: Range<u64>,
}

static SPACE: Lock<Option<Space>> = Lock::new(None);

/// Makes the space; called once.
pub fn start(boot: &Boot, top: u64) {
    let mut frames = Frames::new(boot.free, boot.memory_end);
    let bytes = (REGIONS * size_of::<Region>()) as u64;
    let Some(start) = frames.take_run(bytes.div_ceil(PAGE)) else { stop(Reason::Memory, 0) };
    // SAFETY: these frames were just taken, nobody else has them, they are fresh and so zero, and every bit pattern of
    // zeros is a `Region`.
    let list = unsafe { core::slice::from_raw_parts_mut(direct(start).cast::<Region>(), REGIONS) };
    let space = Space {
        regions: Regions::new(list, top),
        frames,
        tables: Tables::new(super::cpu::root()),
        brk: 0..0,
    };
    *SPACE.take() = Some(space);
}

/// Uses the space.
pub fn with<T>(work: impl FnOnce(&mut Space) -> T) -> T {
    let mut space: Taken<'_, Option<Space>> = SPACE.take();
    match &mut *space {
        Some(space) => work(space),
        None => stop(Reason::Panic, 2),
    }
}

/// Where the shim sees a physical address.
fn direct(physical: u64) -> *mut u8 {
    ptr::with_exposed_provenance_mut((DIRECT + physical) as usize)
}

/// Copies user memory to where the shim may write.
///
/// # Safety
/// `to` must be writable for `len` bytes, and no Rust reference may depend on it.
pub unsafe fn read_user(address: u64, to: *mut u8, len: usize) -> Result<(), Errno> {
    with(|space| {
        space.pieces(address, len, Access::READ, |at, frame, len| {
            // SAFETY: a frame of user memory, seen through the direct map, and the caller's buffer.
            unsafe { copy(to.wrapping_add(at), frame, len) }
        })
    })
}

/// Copies to user memory.
///
/// # Safety
/// `from` must be readable for `len` bytes.
pub unsafe fn write_user(address: u64, from: *const u8, len: usize) -> Result<(), Errno> {
    with(|space| {
        space.pieces(address, len, Access::WRITE, |at, frame, len| {
            // SAFETY: as for `read_user`, the other way; no reference of ours points into user memory.
            unsafe { copy(frame, from.wrapping_add(at), len) }
        })
    })
}

/// Reads words of user memory.
pub fn read_words<const N: usize>(address: u64) -> Result<[u64; N], Errno> {
    let mut words = [0; N];
    // SAFETY: the array is ours.
    unsafe { read_user(address, words.as_mut_ptr().cast(), size_of_val(&words))? };
    Ok(words)
}

/// Writes words to user memory.
pub fn write_words(address: u64, words: &[u64]) -> Result<(), Errno> {
    // SAFETY: the words are ours.
    unsafe { write_user(address, words.as_ptr().cast(), size_of_val(words)) }
}

/// Reads a number of 32 bits.
pub fn read_u32(address: u64) -> Result<u32, Errno> {
    let mut bytes = [0; 4];
    // SAFETY: the bytes are ours.
    unsafe { read_user(address, bytes.as_mut_ptr(), 4)? };
    Ok(u32::from_le_bytes(bytes))
}

/// Writes bytes to user memory.
pub fn write(address: u64, bytes: &[u8]) -> Result<(), Errno> {
    // SAFETY: the bytes are ours.
    unsafe { write_user(address, bytes.as_ptr(), bytes.len()) }
}

impl Space {
    /// Enters the page of an address that ring 3 touched, if it may.
    pub fn fault(&mut self, address: u64, wanted: Access) -> Result<(), Errno> {
        let region = self
            .regions
            .find(address)
            .filter(|region| region.access.allows(wanted) && region.access.is_any());
        let region = region.ok_or(Errno::FAULT)?;
        let page = address & !(PAGE - 1);
        // A block of pages lies in one table. Fresh frames cost nothing, those that were used have to be wiped.
        let (first, last) = if self.frames.is_fresh(AROUND) {
            let around = page & !(AROUND * PAGE - 1);
            (around.max(region.start), (around + AROUND * PAGE).min(region.end))
        } else {
            (page, page + PAGE)
        };
        self.tables.fill(first..last, region.access, &mut self.frames)?;
        // Another thread may have been faster, and this processor may remember what was.
        flush_page(page);
        Ok(())
    }

    /// Does something with each piece of a range that lies in one page, after making sure that ring 3 may.
    fn pieces(
        &mut self,
        address: u64,
        len: usize,
        wanted: Access,
        mut work: impl FnMut(usize, *mut u8, usize),
    ) -> Result<(), Errno> {
        let end = address.checked_add(len as u64).filter(|end| address >= USER && *end <= USER_END);
        let end = if len == 0 { return Ok(()) } else { end.ok_or(Errno::FAULT)? };
        let mut at = address;
        while at < end {
            let next = ((at | (PAGE - 1)) + 1).min(end);
            let entry = match self.tables.find(at & !(PAGE - 1)) {
                Some(entry) if entry.allows(wanted) => entry,
                Some(_) => return Err(Errno::FAULT),
                None => {
                    self.fault(at, wanted)?;
                    self.tables.find(at & !(PAGE - 1)).ok_or(Errno::FAULT)?
                }
            };
            work((at - address) as usize, direct(entry.frame() + at % PAGE), (next - at) as usize);
            at = next;
        }
        Ok(())
    }

    /// Reserves a range: at this place, or where there is room.
    pub fn map(&mut self, place: Option<u64>, len: u64, access: Access) -> Result<u64, Errno> {
        let len = pages(len)?;
        let start = match place {
            Some(start) => {
                self.unmap(start, len)?;
                start
            }
            None => self.regions.room(len)?,
        };
        self.regions.set(start..start + len, Some(access))?;
        Ok(start)
    }

    /// Whether a range is free and may be taken.
    pub fn is_free(&self, start: u64, len: u64) -> bool {
        start
            .checked_add(len)
            .is_some_and(|end| start >= USER && end <= USER_END && self.regions.is_free(&(start..end)))
    }

    /// Tells of a range whose pages are entered already.
    pub fn declare(&mut self, range: Range<u64>, access: Access) -> Result<(), Errno> {
        self.regions.set(range, Some(access))
    }

    /// Gives a range up.
    pub fn unmap(&mut self, start: u64, len: u64) -> Result<(), Errno> {
        let range = checked(start, len)?;
        self.regions.set(range.clone(), None)?;
        self.discard(range);
        Ok(())
    }

    /// Forgets what is in a range: it reads as zero.
    pub fn forget(&mut self, start: u64, len: u64) -> Result<(), Errno> {
        let range = checked(start, len)?;
        if !self.regions.is_whole(&range) {
            return Err(Errno::NOMEM);
        }
        self.discard(range);
        Ok(())
    }

    /// Changes what ring 3 may do in a range.
    pub fn protect(&mut self, start: u64, len: u64, access: Access) -> Result<(), Errno> {
        let range = checked(start, len)?;
        if !self.regions.is_whole(&range) {
            return Err(Errno::NOMEM);
        }
        self.regions.set(range.clone(), Some(access))?;
        let changed = self.tables.protect(&range, access);
        self.flush(&range, changed);
        Ok(())
    }

    /// Makes a range longer or shorter, elsewhere if it must and may.
    pub fn remap(&mut self, start: u64, old: u64, new: u64, may_move: bool) -> Result<u64, Errno> {
        let (range, new) = (checked(start, old)?, pages(new)?);
        let old = range.end - range.start;
        let region = self.regions.find(start).filter(|region| region.end >= range.end).ok_or(Errno::FAULT)?;
        if new <= old {
            if new < old {
                self.unmap(start + new, old - new)?;
            }
            return Ok(start);
        }
        if self.is_free(range.end, new - old) {
            self.regions.set(range.end..start + new, Some(region.access))?;
            return Ok(start);
        }
        if !may_move {
            return Err(Errno::NOMEM);
        }
        let to = self.map(None, new, region.access)?;
        for page in (0..old).step_by(PAGE as usize) {
            if let Some(entry) = self.tables.remove(start + page) {
                self.tables.enter(to + page, entry.frame(), region.access, &mut self.frames)?;
            }
        }
        self.flush(&range, true);
        self.regions.set(range, None)?;
        Ok(to)
    }

    /// Moves the end of the data segment; answers where it is.
    pub fn brk(&mut self, wanted: u64) -> u64 {
        let (start, end) = (self.brk.start, self.brk.end);
        let (old, new) = (end.next_multiple_of(PAGE), wanted.div_ceil(PAGE) * PAGE);
        let done = match wanted {
            0 => false,
            _ if wanted < start || wanted >= USER_END => false,
            _ if new > old => {
                self.is_free(old, new - old) && self.map(Some(old), new - old, Access::READ_WRITE).is_ok()
            }
            _ if new < old => self.unmap(new, old - new).is_ok(),
            _ => true,
        };
        if done {
            self.brk.end = wanted;
        }
        self.brk.end
    }

    /// Says where the data segment begins.
    pub fn set_brk(&mut self, start: u64) {
        self.brk = start..start;
    }

    /// Enters the program's window into the tables.
    pub fn enter_window(&mut self, base: u64, directory: u64) -> Result<(), Errno> {
        self.tables.enter_directory(base, directory, &mut self.frames)
    }

    /// Maps a page for the shim itself.
    pub fn map_own(&mut self, address: u64) -> Result<(), Errno> {
        if self.tables.find(address).is_some() {
            return Ok(());
        }
        let frame = self.frames.take().ok_or(Errno::NOMEM)?;
        self.tables.enter_own(address, frame, &mut self.frames)
    }

    /// The value of an aligned number in user memory, read as one.
    pub fn load(&mut self, address: u64) -> Result<u32, Errno> {
        if !address.is_multiple_of(4) {
            return Err(Errno::INVAL);
        }
        let mut value = 0;
        self.pieces(address, 4, Access::READ, |_, place, _| {
            // SAFETY: four aligned bytes of a frame; volatile, since other threads write there.
            value = unsafe { place.cast::<u32>().read_volatile() };
        })?;
        Ok(value)
    }

    /// The physical memory in use, and all there is, in bytes.
    pub fn usage(&self) -> (u64, u64) {
        self.frames.usage()
    }

    /// Takes the frames of a range out of the tables. No thread can reach them any more when they are given to others.
    fn discard(&mut self, range: Range<u64>) {
        let mut at = range.start;
        while at < range.end {
            // A few at a time: they are remembered in the pages themselves, which nobody reaches once flushed.
            let mut taken = [0; 64];
            let (count, next) = self.tables.remove_run(at..range.end, &mut taken);
            if count > 0 {
                self.flush(&(at..next), true);
                for frame in &taken[..count] {
                    self.frames.give(*frame);
                }
            }
            at = next;
        }
    }

    fn flush(&self, range: &Range<u64>, changed: bool) {
        if !changed {
            return;
        }
        if (range.end - range.start) / PAGE <= FEW {
            (range.start..range.end).step_by(PAGE as usize).for_each(flush_page);
        } else {
            flush_all();
        }
        thread::flush_others();
    }
}

fn pages(len: u64) -> Result<u64, Errno> {
    match len.checked_next_multiple_of(PAGE) {
        None | Some(0) => Err(Errno::INVAL),
        Some(len) if len > USER_END => Err(Errno::NOMEM),
        Some(len) => Ok(len),
    }
}

fn checked(start: u64, len: u64) -> Result<Range<u64>, Errno> {
    let end = start.checked_add(pages(len)?).ok_or(Errno::INVAL)?;
    if !start.is_multiple_of(PAGE) || start < USER || end > USER_END {
        return Err(Errno::INVAL);
    }
    Ok(start..end)
}

/// Makes a frame all zero.
fn wipe(frame: u64) {
    // SAFETY: a frame that is in no table, seen through the direct map.
    unsafe { clear(direct(frame), PAGE as usize) };
}
