//! From the first instruction to the program's: tables of the processor, clocks, memory, and the program's stack as Linux
//! leaves it.

use super::cpu::{self, Cpu};
use super::entropy;
use super::entry::Frame;
use super::hostcall::left_by_launcher;
use super::lock::Lock;
use super::memory;
use super::signal::FIXED_FLAGS;
use super::stop::{Reason, stop};
use super::{syscall, thread, time, vdso};
use crate::regions::Access;
use abi::boot::{Boot, Given, MAGIC};
use abi::errno::Errno;
use abi::layout::selector::{USER_CODE, USER_DATA};
use abi::layout::{BOOT, PAGE, USER_END, WINDOW};
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};

/// What the program is told about the machine.
pub static PROCESSORS: AtomicU64 = AtomicU64::new(1);
/// Bytes of the first thread's stack.
pub static STACK: AtomicU64 = AtomicU64::new(0);

/// The auxiliary vector, for programs that ask again.
pub static AUXILIARY: Lock<[[u64; 2]; 10]> = Lock::new([[0; 2]; 10]);

/// Room between the first thread's stack and other memory.
const GAP: u64 = 1 << 20;
/// Windows a program can lie in: 2¹⁴ gigabytes, from the sixteenth on.
const PLACES: u64 = 1 << 14;
const FIRST_PLACE: u64 = 16;
/// Pages by which other memory begins lower than it could: up to 2²⁸.
const SHIFTS: u64 = 1 << 28;

/// The auxiliary vector's names (linux/auxvec.h).
const AT_PHDR: u64 = 3;
const AT_PHENT: u64 = 4;
const AT_PHNUM: u64 = 5;
const AT_PAGESZ: u64 = 6;
const AT_BASE: u64 = 7;
const AT_ENTRY: u64 = 9;
const AT_RANDOM: u64 = 25;
const AT_EXECFN: u64 = 31;
const AT_SYSINFO_EHDR: u64 = 33;
const AT_NULL: u64 = 0;
/// Bytes of a program header.
const PROGRAM_HEADER: u64 = 56;

/// Called by `_start`, on the stack of the thread of this number.
pub extern "C" fn start(thread: usize) {
    if thread == 0 {
        // SAFETY: the first thread's stack is mapped by the launcher, and its record is written before it is used.
        unsafe { Cpu::prepare(0) };
        cpu::fill_gates();
        cpu::load();
        if prepare().is_err() {
            stop(Reason::Boot, 2);
        }
    } else {
        cpu::load();
    }
    thread::begin();
    thread::leave_shim();
}

fn prepare() -> Result<(), Errno> {
    // SAFETY: the launcher has mapped this page, which is measured and never changes.
    let boot = unsafe { ptr::with_exposed_provenance::<Boot>(BOOT as usize).read() };
    if boot.magic != MAGIC {
        stop(Reason::Boot, 0);
    }
    let mut given = [0; Given::SIZE];
    left_by_launcher(&mut given);
    let Some(given) = Given::decode(&given) else { stop(Reason::Boot, 1) };
    time::start(&given);
    syscall::inherit(given.descriptors);
    PROCESSORS.store(given.processors, Ordering::Relaxed);
    STACK.store(boot.stack, Ordering::Relaxed);
    let stack_top = USER_END - GAP - PAGE * (entropy::word() % SHIFTS);
    let stack = stack_top - boot.stack.next_multiple_of(PAGE);
    memory::start(&boot, stack - GAP - PAGE * (entropy::word() % SHIFTS));
    let base = WINDOW * (FIRST_PLACE + entropy::word() % PLACES);
    memory::with(|space| {
        space.enter_window(base, boot.window)?;
        for part in boot.segments.iter().filter(|part| part.end != 0) {
            space.declare(base + part.start..base + part.end, Access::from_bits(part.access)?)?;
        }
        let shift = PAGE * (entropy::word() % (WINDOW / 4 / PAGE));
        space.set_brk(base + boot.program_len.next_multiple_of(PAGE) + PAGE + shift);
        space.declare(stack..stack_top, Access::READ_WRITE)
    })?;
    let rsp = write_stack(&boot, base, stack_top)?;
    let frame = Frame {
        rip: base + boot.entry,
        cs: USER_CODE.into(),
        rflags: FIXED_FLAGS,
        rsp,
        ss: USER_DATA.into(),
        ..Frame::default()
    };
    // SAFETY: the first thread's stack is mapped, and what lies at its end is not in use: `_start` has left room.
    unsafe { thread::set_start(0, frame) };
    Ok(())
}

/// Arguments, environment and auxiliary vector (System V ABI, AMD64, figure 3.9). The environment is empty.
fn write_stack(boot: &Boot, base: u64, top: u64) -> Result<u64, Errno> {
    const NAME: &[u8] = b"enarx-runtime\0";
    let name = top - 64;
    let random = top - 32;
    memory::write(name, NAME)?;
    memory::write_words(random, &[entropy::word(), entropy::word()])?;
    let auxiliary = [
        [AT_PHDR, base + boot.headers],
        [AT_PHENT, PROGRAM_HEADER],
        [AT_PHNUM, boot.header_count],
        [AT_PAGESZ, PAGE],
        [AT_BASE, 0],
        [AT_ENTRY, base + boot.entry],
        [AT_EXECFN, name],
        [AT_SYSINFO_EHDR, vdso::make()?],
        [AT_RANDOM, random],
        [AT_NULL, 0],
    ];
    *AUXILIARY.take() = auxiliary;
    // One argument, its name; after it, and after no environment, a zero.
    let before = [1, name, 0, 0];
    let rsp = (name - (size_of_val(&before) + size_of_val(&auxiliary)) as u64) & !15;
    memory::write_words(rsp, &before)?;
    memory::write_words(rsp + size_of_val(&before) as u64, auxiliary.as_flattened())?;
    Ok(rsp)
}
