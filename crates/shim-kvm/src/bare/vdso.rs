//! The clock in ring 3: a page of code that programs call instead of the shim, as Linux gives one to each of its
//! processes (Linux Documentation/ABI/stable/vdso). It reads the processor's counter, and needs neither ring 0 nor the
//! host.
//!
//! The page is a small shared object; behind it lies one word that ring 3 writes: the latest time told, so that no thread
//! sees a clock go backwards.

use super::{memory, time};
use crate::regions::Access;
use abi::errno::Errno;
use abi::layout::PAGE;
use core::arch::global_asm;
use core::slice;

unsafe extern "C" {
    static vdso_start: u8;
    static vdso_clocks: u8;
    static vdso_end: u8;
}

// Constants: elf(5); dynamic tags and version definitions as in the System V ABI and the Linux Standard Base, section
// "Symbol Versioning". Addresses are relative to the page's start.
global_asm!(
    ".section .rodata.vdso, \"a\"",
    ".balign 4096",
    ".global vdso_start, vdso_clocks, vdso_end",
    "vdso_start:",
    ".byte 0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0",
    ".short 3, 62",
    ".long 1",
    ".quad 0, 64, 0",
    ".long 0",
    ".short 64, 56, 2, 64, 0, 0",
    // Program headers: the page; its dynamic section.
    ".long 1, 5",
    ".quad 0, 0, 0, vdso_end - vdso_start, vdso_end - vdso_start, 4096",
    ".long 2, 4",
    ".quad vdso_dynamic - vdso_start, vdso_dynamic - vdso_start, vdso_dynamic - vdso_start",
    ".quad vdso_hash - vdso_dynamic, vdso_hash - vdso_dynamic, 8",
    ".balign 8",
    "vdso_dynamic:",
    ".quad 4, vdso_hash - vdso_start",
    ".quad 5, vdso_strings - vdso_start",
    ".quad 6, vdso_symbols - vdso_start",
    ".quad 10, vdso_code - vdso_strings",
    ".quad 11, 24",
    ".quad 0x6ffffff0, vdso_versions - vdso_start",
    ".quad 0x6ffffffc, vdso_definitions - vdso_start",
    ".quad 0x6ffffffd, 1",
    ".quad 0, 0",
    // One bucket with two symbols behind the empty first.
    "vdso_hash:",
    ".long 1, 3, 1, 0, 2, 0",
    ".balign 8",
    "vdso_symbols:",
    ".quad 0, 0, 0",
    ".long 1",
    ".byte 0x12, 0",
    ".short 1",
    ".quad vdso_code - vdso_start, vdso_getcpu - vdso_code",
    ".long 32",
    ".byte 0x12, 0",
    ".short 1",
    ".quad vdso_getcpu - vdso_start, vdso_clocks - vdso_getcpu",
    "vdso_versions:",
    ".short 0, 1, 1",
    ".balign 4",
    // The one version, by the name's hash, with its name.
    "vdso_definitions:",
    ".short 1, 0, 1, 1",
    ".long 0x3ae75f6, 20, 0",
    ".long 22, 0",
    "vdso_strings:",
    ".asciz \"\"",
    ".asciz \"__vdso_clock_gettime\"",
    ".asciz \"LINUX_2.6\"",
    ".asciz \"__vdso_getcpu\"",
    ".balign 16",
    // int clock_gettime(edi = clock, rsi = struct timespec *)
    "vdso_code:",
    "lea r8, [rip + vdso_clocks]",
    "lea r9, [r8 + 16]",
    "cmp edi, 1",
    "je 2f",
    "lea r9, [r8 + 24]",
    "test edi, edi",
    "jne 5f",
    "2:",
    "lfence",
    "rdtsc",
    "shl rdx, 32",
    "or rax, rdx",
    // Elapsed counts, in nanoseconds.
    "sub rax, [r8]",
    "mul qword ptr [r8 + 8]",
    "shrd rax, rdx, 32",
    // Not before what was told last.
    "lea r10, [rip + vdso_start + 4096]",
    "mov rcx, rax",
    "mov rax, [r10]",
    "3:",
    "cmp rcx, rax",
    "jbe 4f",
    "lock cmpxchg [r10], rcx",
    "jne 3b",
    "mov rax, rcx",
    "4:",
    "add rax, [r9]",
    "xor edx, edx",
    "mov ecx, 1000000000",
    "div rcx",
    "mov [rsi], rax",
    "mov [rsi + 8], rdx",
    "xor eax, eax",
    "ret",
    // Another clock: by system call.
    "5:",
    "mov eax, 228",
    "syscall",
    "ret",
    // Which processor: by system call. Who has a clock here expects this, too.
    "vdso_getcpu:",
    "mov eax, 309",
    "syscall",
    "ret",
    ".balign 8",
    // First count, scale, monotonic and real time then: filled in before the page is anybody's.
    "vdso_clocks:",
    ".quad 0, 0, 0, 0",
    "vdso_end:",
    ".text",
);

/// Makes the pages, and says where they are.
pub fn make() -> Result<u64, Errno> {
    let (start, clocks, end) = (&raw const vdso_start, &raw const vdso_clocks, &raw const vdso_end);
    // SAFETY: one object in the shim's image, from its start to its end.
    let code = unsafe { slice::from_raw_parts(start, end as usize - start as usize) };
    let at = memory::with(|space| space.map(None, 2 * PAGE, Access::READ_WRITE))?;
    memory::write(at, code)?;
    memory::write_words(at + (clocks as u64 - start as u64), &time::clocks())?;
    memory::with(|space| space.protect(at, PAGE, Access::READ_EXECUTE))?;
    Ok(at)
}
