//! What a keep's memory holds when its first instruction runs, computed from the two images and nothing of the host: the
//! launch state that is measured.

use super::elf::{Elf, ElfError, Segment};
use super::pages::{Pages, Rights};
use abi::boot::{self, Boot, MAGIC, SEGMENTS};
use abi::layout::selector::TABLE;
use abi::layout::{
    BLOCKS, BOOT, DESCRIPTOR_TABLE, DIRECT, LARGE, MEMORY, PAGE, SHIM, STACK, THREADS, WINDOW, per_cpu,
    stack_top,
};
use api::manifest::Limits;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Ring 0, built by this crate's build script.
pub(crate) const SHIM_IMAGE: &[u8] = include_bytes!(env!("SHIM_KVM"));

/// Where the program's window is while its tables are made; the shim enters it elsewhere.
const WINDOW_PLACE: u64 = 1 << 32;
/// Bytes of blocks, in large pages.
const BLOCKS_LEN: u64 = (THREADS as u64 * abi::block::SIZE as u64).next_multiple_of(LARGE);

/// What the manifest decides.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Size {
    /// Bytes of physical memory.
    pub memory: u64,
    /// Bytes of the first thread's stack.
    pub stack: u64,
}

impl Size {
    /// Bytes beside the workload's own: the runtime, its code, what compiling takes. Only what is touched is taken.
    const BESIDE: u64 = 3 << 30;
    /// Bytes of native stack beside the WebAssembly stack.
    const NATIVE_STACK: u64 = 8 << 20;

    /// The size of a keep whose workload has these limits.
    pub(crate) const fn of(limits: &Limits) -> Self {
        let memory = limits.memory.saturating_add(Self::BESIDE);
        Self { memory, stack: limits.stack.saturating_add(Self::NATIVE_STACK) }
    }
}

/// The initial memory.
pub(crate) struct Plan {
    /// Pages with content, beside the program's.
    pub pages: Pages,
    /// The program's parts, by physical address.
    pub program: Vec<Part>,
    /// End of physical memory.
    pub end: u64,
    /// The shim's first instruction.
    pub entry: u64,
}

/// A part of the program that is in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Physical address of its first page.
    pub physical: u64,
    /// Where that page begins in the file.
    pub offset: u64,
    /// Bytes up to its end in the file.
    pub len: u64,
    /// Whether the rest of its last page must be zero.
    pub ends_in_zeros: bool,
}

/// Images that make no keep.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The shim's.
    #[error("the shim is no static program")]
    Shim(#[source] ElfError),
    /// The runtime's.
    #[error("the runtime image is no static program: {0}")]
    Runtime(#[source] ElfError),
    /// The runtime is not what a keep can place.
    #[error("the runtime image {0}")]
    Unfit(&'static str),
}

impl Plan {
    /// Lays out the memory of a keep with a program that begins with these bytes.
    pub(crate) fn new(start: &[u8], file_len: u64, size: Size) -> Result<Self, PlanError> {
        let shim = Elf::read(SHIM_IMAGE, SHIM_IMAGE.len() as u64).map_err(PlanError::Shim)?;
        let program = Elf::read(start, file_len).map_err(PlanError::Runtime)?;
        let fits = program.segments.last().is_some_and(|last| last.pages().end <= WINDOW);
        if !program.is_position_independent || !fits || program.segments.len() > SEGMENTS {
            return Err(PlanError::Unfit("is not a position-independent program of less than a gigabyte"));
        }
        let end = (MEMORY + size.memory).next_multiple_of(LARGE);
        let mut pages = Pages::new(MEMORY);
        let own = |access| Rights { user: false, access };
        pages.map_large(DIRECT + MEMORY, MEMORY, end - MEMORY, own(3));
        pages.map_large(BLOCKS, 0, BLOCKS_LEN, own(3));
        let boot = pages.take();
        pages.map(BOOT, boot, own(1));
        for page in (per_cpu(0)..per_cpu(0) + STACK).step_by(PAGE as usize) {
            let frame = pages.take();
            pages.map(page, frame, own(3));
        }
        for segment in &shim.segments {
            place_shim(&mut pages, segment);
        }
        let window = pages.directory(WINDOW_PLACE);
        // The tables of the window come before it, so that all that is measured lies together.
        let tables = program.segments.iter().map(|part| part.pages().end).max().unwrap_or(0).div_ceil(LARGE);
        let physical = (pages.next() + tables * PAGE).next_multiple_of(LARGE);
        let program_len = program.segments.last().map_or(0, |last| last.pages().end);
        let parts = program.segments.iter().map(|part| place_part(&mut pages, part, physical)).collect();
        pages.leave_out(WINDOW_PLACE);
        let mut segments = [boot::Segment::default(); SEGMENTS];
        for (place, part) in segments.iter_mut().zip(&program.segments) {
            let Range { start, end } = part.pages();
            *place = boot::Segment { start, end, filled: part.address + part.filled, access: part.access };
        }
        let words = Boot {
            magic: MAGIC,
            memory_end: end,
            free: physical + program_len,
            window,
            program: physical,
            program_len,
            entry: program.entry,
            headers: program.headers.0,
            header_count: program.headers.1,
            stack: size.stack,
            segments,
        };
        write_boot(&mut pages, boot, &words);
        Ok(Self { pages, program: parts, end, entry: shim.entry })
    }

    /// The stack pointer that a thread of the shim begins with.
    pub(crate) const fn stack(thread: usize) -> u64 {
        stack_top(thread)
    }
}

fn place_shim(pages: &mut Pages, segment: &Segment) {
    debug_assert!(segment.address >= SHIM);
    let rights = Rights { user: false, access: segment.access };
    for address in segment.pages().step_by(PAGE as usize) {
        let page = pages.take();
        pages.map(address, page, rights);
        // What of the page is in the file.
        let from = address.max(segment.address);
        let to = (address + PAGE).min(segment.address + segment.filled);
        if let Some(content) = pages.content(page).filter(|_| from < to) {
            let offset = segment.offset + (from - segment.address);
            let bytes = &SHIM_IMAGE[offset as usize..(offset + to - from) as usize];
            content[(from - address) as usize..(to - address) as usize].copy_from_slice(bytes);
        }
    }
}

/// Enters the pages of a part that are in the file; the shim adds the others when they are touched.
fn place_part(pages: &mut Pages, part: &Segment, physical: u64) -> Part {
    let first = part.pages().start;
    let len = part.address + part.filled - first;
    let rights = Rights { user: true, access: part.access };
    for address in (first..first + len).step_by(PAGE as usize) {
        pages.map(WINDOW_PLACE + address, physical + address, rights);
    }
    let offset = part.offset - (part.address - first);
    Part { physical: physical + first, offset, len, ends_in_zeros: part.len > part.filled }
}

fn write_boot(pages: &mut Pages, page: u64, boot: &Boot) {
    let Some(content) = pages.content(page) else { return };
    let (boot_part, table_part) = content.split_at_mut(DESCRIPTOR_TABLE as usize);
    for (place, word) in boot_part.chunks_exact_mut(8).zip(boot.words()) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    for (place, entry) in table_part.chunks_exact_mut(8).zip(TABLE) {
        place.copy_from_slice(&entry.to_le_bytes());
    }
}
