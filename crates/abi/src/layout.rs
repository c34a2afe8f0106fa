//! Where things are in a keep: guest-physical memory, and the addresses of the shim.
//!
//! ```text
//! physical   0 ┤ blocks, shared with the host ├ 16 MiB ┤ memory of the keep …
//! virtual    4 GiB ┤ program, its memory, its stacks ├ 80 TiB        96 TiB ┤ all physical memory, for the shim
//!            1.5 GiB ┤ shim ├ 1.75 GiB ┤ stacks of the shim ├ 1.875 GiB ┤ blocks
//! ```
//! The shim lies below 2 GiB, where its code reaches everything by 32-bit addresses, and nothing of a keep lies in the
//! upper half: there a virtual machine may have no memory that ring 3 can reach.

/// Bytes of a page.
pub const PAGE: u64 = 4096;
/// Bytes that one entry of a page directory covers.
pub const LARGE: u64 = 2 << 20;

/// Threads of a keep at once: each has a virtual processor, a block and a stack of the shim.
pub const THREADS: usize = 64;
/// Descriptors of a keep: numbers below this.
pub const DESCRIPTORS: usize = 4096;

/// First physical address of the keep's own memory; below are the blocks.
pub const MEMORY: u64 = 16 << 20;

/// Where the shim is linked.
pub const SHIM: u64 = 0x6000_0000;
/// The page of [`crate::boot::Boot`], with the descriptor table in its last part.
pub const BOOT: u64 = STACKS - PAGE;
/// The descriptor table's place in that page.
pub const DESCRIPTOR_TABLE: u64 = 2048;
/// The shim's stacks. Each place is half guard.
pub const STACKS: u64 = 0x7000_0000;
/// Distance between two of them; the upper half is the stack, with the thread's [`PER_CPU`] bytes at its lower end.
pub const STACK_STRIDE: u64 = 64 << 10;
/// Bytes of a stack, without its guard.
pub const STACK: u64 = STACK_STRIDE / 2;
/// Bytes at the lower end of a stack for the thread's own record, whose first is its task state segment.
pub const PER_CPU: u64 = PAGE;
/// The blocks.
pub const BLOCKS: u64 = 0x7800_0000;
/// All physical memory of the keep, for the shim alone.
pub const DIRECT: u64 = 0x6000_0000_0000;

/// Lowest address of ring 3.
pub const USER: u64 = 1 << 32;
/// End of the addresses of ring 3.
pub const USER_END: u64 = 0x5000_0000_0000;
/// The program lies in one window of this size, at a random multiple of it: the launcher makes the tables below, the
/// shim enters them where it likes.
pub const WINDOW: u64 = 1 << 30;

/// The lower end of a thread's record and stack.
pub const fn per_cpu(thread: usize) -> u64 {
    STACKS + thread as u64 * STACK_STRIDE + (STACK_STRIDE - STACK)
}

/// The upper end of a thread's stack.
pub const fn stack_top(thread: usize) -> u64 {
    STACKS + (thread as u64 + 1) * STACK_STRIDE
}

/// Selectors of the descriptor table: Linux's, which one hypervisor that runs ring 3 natively insists on, and in the
/// order that SYSCALL expects (AMD APM volume 2, section 6.1.1).
pub mod selector {
    /// Code of ring 0.
    pub const CODE: u16 = 0x10;
    /// Data and stack of ring 0.
    pub const DATA: u16 = 0x18;
    /// Data and stack of ring 3.
    pub const USER_DATA: u16 = 0x28 | 3;
    /// Code of ring 3.
    pub const USER_CODE: u16 = 0x30 | 3;
    /// The task state segment, which is loaded by the launcher and not from the table.
    pub const TASK: u16 = 0x40;

    /// The table: 64-bit code and flat data of both rings, all of them marked as accessed, so that the page they lie in
    /// need not be written (AMD APM volume 2, section 4.8).
    pub const TABLE: [u64; 7] =
        [0, 0, 0x00AF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF, 0, 0x00CF_F300_0000_FFFF, 0x00AF_FB00_0000_FFFF];
}

/// Bits of an entry of a page table (AMD APM volume 2, section 5.4): the launcher makes the first tables, the shim goes on
/// with them.
pub mod entry {
    /// There is something.
    pub const PRESENT: u64 = 1 << 0;
    /// It may be written.
    pub const WRITABLE: u64 = 1 << 1;
    /// Ring 3 may use it.
    pub const USER: u64 = 1 << 2;
    /// It was used; set from the start, so that the processor need not write the entry.
    pub const ACCESSED: u64 = 1 << 5;
    /// It was written; set from the start, as [`ACCESSED`] is.
    pub const DIRTY: u64 = 1 << 6;
    /// In a page directory: a page of [`super::LARGE`] bytes, and no table.
    pub const LARGE: u64 = 1 << 7;
    /// It may not be executed.
    pub const NO_EXECUTE: u64 = 1 << 63;
    /// The physical address.
    pub const FRAME: u64 = 0x000F_FFFF_FFFF_F000;
    /// What every table on the way allows: the last entry decides.
    pub const TABLE: u64 = PRESENT | WRITABLE | USER | ACCESSED;
}

/// The one interrupt a keep takes, from its own other threads by way of the host: give up outdated translations.
pub const FLUSH_VECTOR: u8 = 0x40;
/// The port whose writing is a host call; the value written is the thread's number.
pub const PORT: u16 = 0x400;

const _: () = assert!(THREADS as u64 * crate::block::SIZE as u64 <= MEMORY);
const _: () = assert!(STACKS + THREADS as u64 * STACK_STRIDE <= BLOCKS);
