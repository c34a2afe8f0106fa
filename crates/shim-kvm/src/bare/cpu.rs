//! What ring 0 knows of the processor it runs on, and the instructions that Rust does not have.

use super::entry::{STRIDE, syscall_entry, vectors};
use abi::layout::selector::{CODE, USER_CODE};
use abi::layout::{FLUSH_VECTOR, PER_CPU, STACK, STACK_STRIDE, stack_top};
use core::arch::asm;
use core::ptr;

/// A thread's record at the lower end of its stack. The launcher tells the processor that it begins with the task state
/// segment, so the first field is one (AMD APM volume 2, section 12.2.5).
#[repr(C)]
pub struct Cpu {
    task: TaskState,
    /// The user's stack pointer while SYSCALL looks for another.
    pub scratch: u64,
    /// The upper end of the stack.
    pub top: u64,
    /// The thread's number.
    pub thread: usize,
}

#[repr(C, packed)]
struct TaskState {
    reserved: u32,
    /// The stack pointer of ring 0; those of rings 1 and 2.
    rsp: [u64; 3],
    reserved_too: u64,
    /// Stacks of exceptions that want one of their own.
    ist: [u64; 7],
    reserved_also: [u32; 2],
    reserved_still: u16,
    /// Where the bitmap of permitted ports begins: behind the end, so there is none.
    ports: u16,
}

/// One entry of the interrupt descriptor table (AMD APM volume 2, section 4.8.4).
#[derive(Clone, Copy)]
#[repr(C)]
struct Gate([u64; 2]);

/// Vectors up to the last one that is used.
const GATES: usize = FLUSH_VECTOR as usize + 1;
/// Exceptions that must find a good stack: NMI, double fault, machine check.
const OWN_STACK: [usize; 3] = [2, 8, 18];
/// Breakpoint, which ring 3 may raise by an instruction.
const BREAKPOINT: usize = 3;

#[repr(C, align(16))]
struct Gates([Gate; GATES]);

static mut GATES_TABLE: Gates = Gates([Gate([0; 2]); GATES]);

/// Model-specific registers (AMD APM volume 2, appendix A).
const STAR: u32 = 0xC000_0081;
const LSTAR: u32 = 0xC000_0082;
const SFMASK: u32 = 0xC000_0084;
const KERNEL_GS_BASE: u32 = 0xC000_0102;
/// Flags that SYSCALL clears: TF, IF, DF, IOPL, NT, AC.
const CLEARED: u64 = 0x4_7700;

impl Cpu {
    /// The record of the thread that asks.
    pub fn current() -> &'static Self {
        let here: u64;
        // SAFETY: copies a register.
        unsafe { asm!("mov {}, rsp", out(reg) here, options(nomem, nostack, preserves_flags)) };
        let record = (here & !(STACK_STRIDE - 1)) + (STACK_STRIDE - STACK);
        // SAFETY: every stack is aligned to its stride and begins with its record, which `prepare` wrote before the
        // thread ran and nobody changes but for `scratch`, which only assembly uses.
        unsafe { &*ptr::with_exposed_provenance::<Self>(record as usize) }
    }

    /// Writes the record of a thread that does not run.
    ///
    /// # Safety
    /// The thread's stack must be mapped, and the thread must not run.
    pub unsafe fn prepare(thread: usize) {
        let (record, top) = (abi::layout::per_cpu(thread), stack_top(thread));
        let mut ist = [0; 7];
        ist[0] = record + PER_CPU;
        let task = TaskState {
            reserved: 0,
            rsp: [top, 0, 0],
            reserved_too: 0,
            ist,
            reserved_also: [0; 2],
            reserved_still: 0,
            ports: size_of::<TaskState>() as u16,
        };
        let record = ptr::with_exposed_provenance_mut::<Self>(record as usize);
        // SAFETY: mapped and nobody's, says the caller; aligned to a page.
        unsafe { record.write(Self { task, scratch: 0, top, thread }) };
    }
}

/// Fills the table of exceptions: once, before any other thread is started.
pub fn fill_gates() {
    let fill = |vector: usize, entry: usize| {
        let handler = vectors as *const () as u64 + entry as u64 * STRIDE;
        let stack = u64::from(OWN_STACK.contains(&vector));
        let ring = if vector == BREAKPOINT { 3_u64 } else { 0 };
        // Present, interrupt gate: further interrupts stay off.
        let kind = 0x8E00 | ring << 13;
        let low = handler & 0xFFFF
            | u64::from(CODE) << 16
            | stack << 32
            | kind << 32
            | (handler >> 16 & 0xFFFF) << 48;
        let gates = &raw mut GATES_TABLE;
        // SAFETY: only the first thread runs yet, and the processor has not been told of the table.
        unsafe { (*gates).0[vector] = Gate([low, handler >> 32]) };
    };
    for vector in 0..32 {
        fill(vector, vector);
    }
    fill(FLUSH_VECTOR.into(), 32);
}

/// Tells this processor where exceptions and system calls go.
pub fn load() {
    #[repr(C, packed)]
    struct Register {
        limit: u16,
        base: u64,
    }
    let register = Register { limit: (size_of::<Gates>() - 1) as u16, base: &raw const GATES_TABLE as u64 };
    // SAFETY: the table is complete and static.
    unsafe { asm!("lidt [{}]", in(reg) &raw const register, options(readonly, nostack, preserves_flags)) };
    let cpu = Cpu::current();
    // SYSRET would take its selectors 8 and 16 above the second field; it is never used.
    let star = u64::from(CODE) << 32 | u64::from(USER_CODE - 16) << 48;
    // SAFETY: the registers of SYSCALL, with our own entry, and the record of this thread.
    unsafe {
        wrmsr(STAR, star);
        wrmsr(LSTAR, syscall_entry as *const () as u64);
        wrmsr(SFMASK, CLEARED);
        wrmsr(KERNEL_GS_BASE, ptr::from_ref(cpu) as u64);
    }
}

/// Writes a model-specific register.
///
/// # Safety
/// What the register does must be what safe code may rely on.
unsafe fn wrmsr(register: u32, value: u64) {
    // SAFETY: the caller's.
    unsafe {
        asm!("wrmsr", in("ecx") register, in("eax") value as u32, in("edx") (value >> 32) as u32,
            options(nostack, preserves_flags));
    }
}

/// Sets the base of FS, which is the program's alone.
pub fn set_fs(base: u64) {
    // SAFETY: the shim does not use FS; the launcher has allowed the instruction.
    unsafe { asm!("wrfsbase {}", in(reg) base, options(nostack, preserves_flags)) };
}

/// The address of the last page fault.
pub fn fault_address() -> u64 {
    let address;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, cr2", out(reg) address, options(nomem, nostack, preserves_flags)) };
    address
}

/// Forgets the translation of one page.
pub fn flush_page(address: u64) {
    // SAFETY: forgetting translations is always sound.
    unsafe { asm!("invlpg [{}]", in(reg) address, options(nostack, preserves_flags)) };
}

/// Forgets all translations.
pub fn flush_all() {
    // SAFETY: as above; the same table is loaded again.
    unsafe { asm!("mov {0}, cr3", "mov cr3, {0}", out(reg) _, options(nostack, preserves_flags)) };
}

/// The physical address of the top page table.
pub fn root() -> u64 {
    let root: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, cr3", out(reg) root, options(nomem, nostack, preserves_flags)) };
    root & !0xFFF
}

/// The time stamp counter, not before what precedes.
pub fn counter() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reads a counter.
    unsafe {
        asm!("lfence", "rdtsc", out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags))
    };
    u64::from(high) << 32 | u64::from(low)
}

/// The registers of floating point and vectors as FXSAVE stores them.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
pub struct Floats(pub [u8; 512]);

/// Control words as Linux starts a thread with: all exceptions masked (System V ABI, AMD64, section 3.2.1).
const FRESH: Floats = {
    let mut image = [0; 512];
    [image[0], image[1]] = 0x037F_u16.to_le_bytes();
    [image[24], image[25]] = 0x1F80_u16.to_le_bytes();
    Floats(image)
};

impl Floats {
    /// As they are.
    pub fn save() -> Self {
        let mut floats = Self([0; 512]);
        // SAFETY: writes 512 bytes, aligned as FXSAVE wants them.
        unsafe { asm!("fxsave64 [{}]", in(reg) &raw mut floats, options(nostack, preserves_flags)) };
        floats
    }

    /// Loads them; reserved control bits, which would fault, are dropped.
    pub fn load(&mut self) {
        [self.0[26], self.0[27]] = [0; 2];
        // SAFETY: the shim does not use these registers; reads 512 aligned bytes.
        unsafe {
            asm!("fxrstor64 [{}]", in(reg) &raw const *self, options(readonly, nostack, preserves_flags))
        };
    }

    /// Loads those of a new thread.
    pub fn load_fresh() {
        let mut fresh = FRESH;
        fresh.load();
    }
}

/// Copies bytes; what another side changes meanwhile arrives changed or not, and does no harm.
///
/// # Safety
/// Both ranges must be mapped, the first writable, and no Rust reference may depend on the first.
pub unsafe fn copy(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: the caller's. Assembly is not affected by data races as Rust's memory accesses are.
    unsafe {
        asm!("rep movsq", "mov rcx, {rest}", "rep movsb", rest = in(reg) len % 8,
            inout("rcx") len / 8 => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags));
    }
}

/// Fills with zeros.
///
/// # Safety
/// As for [`copy`].
pub unsafe fn clear(to: *mut u8, len: usize) {
    // SAFETY: the caller's.
    unsafe {
        asm!("rep stosq", "mov rcx, {rest}", "rep stosb", rest = in(reg) len % 8,
            inout("rcx") len / 8 => _, inout("rdi") to => _, in("rax") 0_u64,
            options(nostack, preserves_flags));
    }
}
