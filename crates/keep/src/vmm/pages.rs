//! The pages a keep begins with, and the tables that map them: pure, the same on every host, and therefore measurable.

use abi::layout::entry::{
    ACCESSED, DIRTY, FRAME, LARGE as LARGE_PAGE, NO_EXECUTE, PRESENT, TABLE, USER, WRITABLE,
};
use abi::layout::{LARGE, PAGE};
use std::collections::BTreeMap;

/// Bytes of a page.
pub(crate) type Page = [u8; PAGE as usize];

/// Who may use a page, and for what: 1 read, 2 write, 4 execute.
#[derive(Clone, Copy)]
pub(crate) struct Rights {
    /// Ring 3 may.
    pub user: bool,
    /// What.
    pub access: u64,
}

impl Rights {
    const fn bits(self) -> u64 {
        let mut bits = PRESENT | ACCESSED | DIRTY;
        if self.user {
            bits |= USER;
        }
        if self.access & 2 != 0 {
            bits |= WRITABLE;
        }
        if self.access & 4 == 0 {
            bits |= NO_EXECUTE;
        }
        bits
    }
}

/// Pages being laid out, one behind the other.
pub(crate) struct Pages {
    next: u64,
    pages: BTreeMap<u64, Box<Page>>,
    root: u64,
}

impl Pages {
    /// Nothing but an empty top table at `start`.
    pub(crate) fn new(start: u64) -> Self {
        let mut pages = Self { next: start, pages: BTreeMap::new(), root: start };
        pages.take();
        pages
    }

    /// The top table.
    pub(crate) const fn root(&self) -> u64 {
        self.root
    }

    /// The next page that is free.
    pub(crate) const fn next(&self) -> u64 {
        self.next
    }

    /// All pages with their addresses, in order.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u64, &Page)> {
        self.pages.iter().map(|(address, page)| (*address, &**page))
    }

    /// Takes the next page, which is zero.
    pub(crate) fn take(&mut self) -> u64 {
        let page = self.next;
        self.pages.insert(page, Box::new([0; PAGE as usize]));
        self.next += PAGE;
        page
    }

    /// The content of a page that was taken.
    pub(crate) fn content(&mut self, page: u64) -> Option<&mut Page> {
        self.pages.get_mut(&page).map(|page| &mut **page)
    }

    /// Maps a page.
    pub(crate) fn map(&mut self, address: u64, page: u64, rights: Rights) {
        self.enter(address, 1, page | rights.bits());
    }

    /// Maps large pages.
    pub(crate) fn map_large(&mut self, address: u64, physical: u64, len: u64, rights: Rights) {
        for at in (0..len).step_by(LARGE as usize) {
            self.enter(address + at, 2, (physical + at) | rights.bits() | LARGE_PAGE);
        }
    }

    /// The page directory that covers the gigabyte of an address.
    pub(crate) fn directory(&mut self, address: u64) -> u64 {
        self.table(address, 2)
    }

    /// Leaves out of the tables what covers the gigabyte of an address; what is below stays as it is.
    pub(crate) fn leave_out(&mut self, address: u64) {
        self.enter(address, 3, 0);
    }

    fn enter(&mut self, address: u64, level: u32, entry: u64) {
        let table = self.table(address, level);
        self.write(table, index(address, level), entry);
    }

    /// The table of this level in which an address has its entry.
    fn table(&mut self, address: u64, level: u32) -> u64 {
        let mut table = self.root;
        for above in (level + 1..=4).rev() {
            let index = index(address, above);
            let mut entry = self.read(table, index);
            if entry == 0 {
                entry = self.take() | TABLE;
                self.write(table, index, entry);
            }
            table = entry & FRAME;
        }
        table
    }

    fn read(&self, table: u64, index: usize) -> u64 {
        let words = self.pages.get(&table).map(|page| page.as_chunks::<8>().0);
        words.map_or(0, |words| u64::from_le_bytes(words[index]))
    }

    fn write(&mut self, table: u64, index: usize, entry: u64) {
        if let Some(page) = self.content(table) {
            page.as_chunks_mut::<8>().0[index] = entry.to_le_bytes();
        }
    }
}

fn index(address: u64, level: u32) -> usize {
    (address >> (12 + 9 * (level - 1)) & 511) as usize
}
