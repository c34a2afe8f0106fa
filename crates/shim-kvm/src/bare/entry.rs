//! The few instructions that are not Rust: where the processor enters ring 0, and how it leaves.

use abi::layout::selector::{USER_CODE, USER_DATA};
use core::arch::global_asm;
use core::mem::{offset_of, size_of};

use super::cpu::Cpu;

/// The registers of ring 3, as [`trap`](super::trap::trap) finds them on its stack.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Frame {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub rdx: u64,
    pub rcx: u64,
    pub rax: u64,
    /// Which exception or interrupt, or [`SYSCALL`].
    pub vector: u64,
    pub error: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

/// The vector of no exception: a system call.
pub const SYSCALL: u64 = 0x100;
/// Distance of two entries of `vectors`.
pub const STRIDE: u64 = 16;

unsafe extern "C" {
    /// The entries of exceptions 0 to 31, and of the interrupt after them.
    pub fn vectors();
    /// Where SYSCALL goes.
    pub fn syscall_entry();
}

// Entered by the launcher with the thread's number in RDI, on the thread's own stack.
global_asm!(
    ".section .text._start, \"ax\"",
    ".global _start",
    "_start:",
    "sub rsp, {frame}",
    "call {start}",
    "jmp leave",
    frame = const size_of::<Frame>(),
    start = sym super::start::start,
);

global_asm!(
    ".text",
    // Exceptions: some push an error code (AMD APM volume 2, table 8-1), the others get a zero.
    ".balign 16",
    ".global vectors",
    "vectors:",
    ".set vector, 0",
    ".rept 33",
    ".balign 16",
    ".if (vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21) || (vector == 29) || (vector == 30)",
    ".else",
    "push 0",
    ".endif",
    "push vector",
    "jmp enter",
    ".set vector, vector + 1",
    ".endr",
    // SYSCALL leaves the stack alone: GS is the thread's record for just as long as it takes to find another.
    ".balign 16",
    ".global syscall_entry",
    "syscall_entry:",
    "swapgs",
    "mov gs:[{scratch}], rsp",
    "mov rsp, gs:[{top}]",
    "push {user_data}",
    "push qword ptr gs:[{scratch}]",
    "swapgs",
    "push r11",
    "push {user_code}",
    "push rcx",
    "push 0",
    "push {syscall}",
    "enter:",
    "push rax",
    "push rcx",
    "push rdx",
    "push rbx",
    "push rbp",
    "push rsi",
    "push rdi",
    "push r8",
    "push r9",
    "push r10",
    "push r11",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "cld",
    "mov rdi, rsp",
    "call {trap}",
    "leave:",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop r11",
    "pop r10",
    "pop r9",
    "pop r8",
    "pop rdi",
    "pop rsi",
    "pop rbp",
    "pop rbx",
    "pop rdx",
    "pop rcx",
    "pop rax",
    "add rsp, 16",
    // Always IRETQ: SYSRET faults in ring 0 on an address that ring 3 chose (Intel SDM volume 2B, SYSRET).
    "iretq",
    scratch = const offset_of!(Cpu, scratch),
    top = const offset_of!(Cpu, top),
    user_data = const USER_DATA,
    user_code = const USER_CODE,
    syscall = const SYSCALL,
    trap = sym super::trap::trap,
);
