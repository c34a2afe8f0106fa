//! Which addresses of ring 3 mean something: a sorted list of ranges with their access, neighbours of the same access
//! joined. Pure; the tables are the business of `memory`.

use abi::errno::Errno;
use abi::layout::{USER, USER_END};
use core::ops::Range;

/// What ring 3 may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access(u8);

impl Access {
    /// Nothing.
    #[cfg_attr(not(test), expect(dead_code, reason = "the name of what most reservations are"))]
    pub const NONE: Self = Self(0);
    /// Reading.
    pub const READ: Self = Self(1);
    /// Writing.
    pub const WRITE: Self = Self(2);
    /// Executing.
    pub const EXECUTE: Self = Self(4);
    /// Reading and executing.
    pub const READ_EXECUTE: Self = Self(5);
    /// Reading and writing.
    pub const READ_WRITE: Self = Self(3);

    /// From the bits of `mmap(2)`; never both writing and executing.
    pub fn from_bits(bits: u64) -> Result<Self, Errno> {
        match bits {
            6 | 7 => Err(Errno::ACCES),
            0..=5 => Ok(Self(bits as u8)),
            _ => Err(Errno::INVAL),
        }
    }

    /// Whether all of that is allowed.
    pub const fn allows(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }

    /// Whether anything is.
    pub const fn is_any(self) -> bool {
        self.0 != 0
    }
}

/// A range of pages with one access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Region {
    /// Its first byte.
    pub start: u64,
    /// The byte after its last.
    pub end: u64,
    /// What may be done there.
    pub access: Access,
}

/// The list. Its memory is given once: when it is full, there is no memory.
pub struct Regions<'a> {
    list: &'a mut [Region],
    len: usize,
    /// Where the search for room begins; everything above was taken when last looked at.
    hint: u64,
    /// No room is found above this.
    top: u64,
}

impl<'a> Regions<'a> {
    /// An empty list, whose own choice of addresses begins below `top`.
    pub const fn new(list: &'a mut [Region], top: u64) -> Self {
        Self { list, len: 0, hint: top, top }
    }

    /// All ranges, in order.
    pub fn all(&self) -> &[Region] {
        &self.list[..self.len]
    }

    /// The range that an address is in.
    pub fn find(&self, address: u64) -> Option<Region> {
        let region = self.all().get(self.position(address))?;
        (region.start <= address).then_some(*region)
    }

    /// Room for `len` bytes, below everything else that was placed by choice, or in a gap.
    pub fn room(&mut self, len: u64) -> Result<u64, Errno> {
        for from in [self.hint, self.top] {
            let mut end = from;
            let mut index = self.position(end);
            // A range that begins below and ends above takes its share of what looks free.
            if let Some(region) = self.all().get(index) {
                end = end.min(region.start);
            }
            loop {
                let below = index.checked_sub(1).map_or(USER, |index| self.list[index].end);
                if end.saturating_sub(below.max(USER)) >= len {
                    self.hint = end - len;
                    return Ok(end - len);
                }
                let Some(next) = index.checked_sub(1) else { break };
                index = next;
                end = self.list[index].start;
            }
        }
        Err(Errno::NOMEM)
    }

    /// Whether nothing is in a range.
    pub fn is_free(&self, range: &Range<u64>) -> bool {
        self.all().get(self.position(range.start)).is_none_or(|region| region.start >= range.end)
    }

    /// Whether a range has no gap.
    pub fn is_whole(&self, range: &Range<u64>) -> bool {
        let mut at = range.start;
        for region in &self.all()[self.position(at)..] {
            if region.start > at {
                return false;
            }
            at = region.end;
            if at >= range.end {
                return true;
            }
        }
        false
    }

    /// Gives a range this access, whatever was there; with none, removes it.
    pub fn set(&mut self, range: Range<u64>, access: Option<Access>) -> Result<(), Errno> {
        if range.start >= range.end || range.start < USER || range.end > USER_END {
            return Err(Errno::INVAL);
        }
        // At most one range is split in two, and one is added.
        if self.len + 2 > self.list.len() {
            return Err(Errno::NOMEM);
        }
        let Range { mut start, mut end } = range;
        let (mut first, mut last) = (self.position(start), self.position(end));
        let before =
            self.piece(first, |region| region.start < start, |region| Region { end: start, ..region });
        let after = self.piece(last, |region| region.start < end, |region| Region { start: end, ..region });
        if after.is_some() {
            last += 1;
        }
        let (mut before, mut after) = (before, after);
        if let Some(access) = access {
            // Join neighbours, whether cut off just now or standing beside.
            if before.is_none()
                && let Some(previous) = first.checked_sub(1).map(|index| self.list[index])
                && previous.end == start
                && previous.access == access
            {
                (first, start) = (first - 1, previous.start);
            }
            if after.is_none()
                && let Some(next) = self.all().get(last).copied()
                && next.start == end
                && next.access == access
            {
                (last, end) = (last + 1, next.end);
            }
            if let Some(piece) = before.filter(|piece| piece.access == access) {
                (start, before) = (piece.start, None);
            }
            if let Some(piece) = after.filter(|piece| piece.access == access) {
                (end, after) = (piece.end, None);
            }
        } else {
            self.hint = self.hint.max(end.min(self.top));
        }
        let middle = access.map(|access| Region { start, end, access });
        self.replace(first..last, [before, middle, after]);
        Ok(())
    }

    /// The position of the first range that ends after an address.
    fn position(&self, address: u64) -> usize {
        self.all().partition_point(|region| region.end <= address)
    }

    fn piece(
        &self,
        index: usize,
        cut: impl Fn(&Region) -> bool,
        part: impl Fn(Region) -> Region,
    ) -> Option<Region> {
        self.all().get(index).copied().filter(cut).map(part)
    }

    fn replace(&mut self, old: Range<usize>, new: [Option<Region>; 3]) {
        let count = new.iter().flatten().count();
        self.list.copy_within(old.end..self.len, old.start + count);
        self.len = self.len - old.len() + count;
        for (place, region) in self.list[old.start..].iter_mut().zip(new.into_iter().flatten()) {
            *place = region;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: u64 = 4096;
    const PAGES: u64 = 64;
    const TOP: u64 = USER + PAGES * PAGE;

    fn pages(range: Range<u64>) -> Range<u64> {
        USER + range.start * PAGE..USER + range.end * PAGE
    }

    /// A generator good enough to try orders nobody thinks of, and the same every time.
    fn random(state: &mut u64) -> u64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *state >> 33
    }

    /// The list says the same as an array with one entry for each page.
    #[test]
    fn agrees_with_a_plain_array() {
        for seed in 0..40 {
            let mut state = seed;
            let mut list = [Region::default(); 80];
            let mut regions = Regions::new(&mut list, TOP);
            let mut plain: [Option<Access>; PAGES as usize] = [None; PAGES as usize];
            for _ in 0..60 {
                let start = random(&mut state) % PAGES;
                let end = (start + 1 + random(&mut state) % 12).min(PAGES);
                let access = [None, Some(Access::NONE), Some(Access::READ), Some(Access::READ_WRITE)]
                    [random(&mut state) as usize % 4];
                regions.set(pages(start..end), access).unwrap();
                plain[start as usize..end as usize].fill(access);
                check(&regions, &plain);
            }
        }
    }

    fn check(regions: &Regions<'_>, plain: &[Option<Access>]) {
        for (page, access) in (0..).zip(plain) {
            let found = regions.find(USER + page * PAGE + 5).map(|region| region.access);
            assert_eq!(found, *access, "page {page}");
        }
        for pair in regions.all().windows(2) {
            assert!(pair[0].end <= pair[1].start, "in order");
            assert!(pair[0].end < pair[1].start || pair[0].access != pair[1].access, "joined");
        }
        for start in 0..PAGES {
            for end in start + 1..=PAGES {
                let part = &plain[start as usize..end as usize];
                let range = pages(start..end);
                assert_eq!(regions.is_free(&range), part.iter().all(Option::is_none));
                assert_eq!(regions.is_whole(&range), part.iter().all(Option::is_some));
            }
        }
    }

    #[test]
    fn room_is_found_while_there_is_some() {
        let mut state = 7;
        let mut list = [Region::default(); 80];
        let mut regions = Regions::new(&mut list, TOP);
        let mut free = PAGES;
        while free > 0 {
            let len = (1 + random(&mut state) % 3).min(free);
            let Ok(start) = regions.room(len * PAGE) else {
                // Only because what is left lies in pieces.
                assert!(len > 1);
                continue;
            };
            assert!(regions.is_free(&(start..start + len * PAGE)));
            regions.set(start..start + len * PAGE, Some(Access::READ)).unwrap();
            free -= len;
            if random(&mut state).is_multiple_of(4) && free + 1 < PAGES {
                let page = regions.all()[0].start;
                regions.set(page..page + PAGE, None).unwrap();
                free += 1;
            }
        }
        assert_eq!(regions.room(PAGE), Err(Errno::NOMEM));
    }

    #[test]
    fn what_is_outside_or_full_is_refused() {
        let mut list = [Region::default(); 3];
        let mut regions = Regions::new(&mut list, TOP);
        for range in [0..PAGE, USER..USER, USER_END..USER_END + PAGE, USER - PAGE..USER + PAGE] {
            assert_eq!(regions.set(range, Some(Access::READ)), Err(Errno::INVAL));
        }
        regions.set(pages(0..1), Some(Access::READ)).unwrap();
        regions.set(pages(2..3), Some(Access::READ)).unwrap();
        assert_eq!(regions.set(pages(4..5), Some(Access::READ)), Err(Errno::NOMEM));
    }

    #[test]
    fn never_both_writable_and_executable() {
        for bits in 0..16 {
            let allowed = Access::from_bits(bits).is_ok();
            assert_eq!(allowed, bits < 8 && bits & 6 != 6, "{bits}");
        }
    }
}
