//! Signals. None comes from outside: a signal is what the program itself did – a bad access, a trap of WebAssembly, an
//! abort – told to its handler as Linux on x86-64 does, or its end.

use super::cpu::Floats;
use super::entry::Frame;
use super::hostcall;
use super::lock::Lock;
use super::memory;
use super::stop::{Reason, stop};
use super::thread::Thread;
use abi::call::Call;
use abi::errno::Errno;
use abi::layout::selector::{USER_CODE, USER_DATA};
use core::sync::atomic::Ordering;

/// Numbers (asm/signal.h).
const ILL: u64 = 4;
const TRAP: u64 = 5;
const BUS: u64 = 7;
const FPE: u64 = 8;
const SEGV: u64 = 11;
/// Signals up to this number.
pub const MOST: u64 = 64;
/// Signals whose default is to be ignored: CHLD, CONT, URG, WINCH.
const IGNORED: [u64; 4] = [17, 18, 23, 28];

/// Flags of an action (asm/signal.h).
const ON_ALTERNATE: u64 = 0x0800_0000;
const NO_DEFER: u64 = 0x4000_0000;
const RESET: u64 = 0x8000_0000;
/// Handlers that are none.
const DEFAULT: u64 = 0;
const IGNORE: u64 = 1;

/// Flags of ring 3: those it may set, the one that is always set, and interrupts, which are always on there.
const USER_FLAGS: u64 = 0x0024_0DD5;
/// Bits 1 and 9.
pub const FIXED_FLAGS: u64 = 0x202;

/// What `rt_sigaction` sets: handler, flags, restorer, mask.
pub type Action = [u64; 4];

static ACTIONS: Lock<[Action; MOST as usize + 1]> = Lock::new([[0; 4]; MOST as usize + 1]);

/// Something the program did.
#[derive(Clone, Copy)]
pub struct Fault {
    signal: u64,
    /// Of `siginfo`.
    code: i32,
    address: u64,
}

impl Fault {
    /// What an exception of ring 3 is told as (Linux arch/x86/kernel/traps.c); none for those no program can cause.
    pub fn of(vector: u64, frame: &Frame) -> Option<Self> {
        let (signal, code) = match vector {
            0 => (FPE, 1),
            1 | 3 => (TRAP, 0x80),
            5 | 12 | 13 => (SEGV, 0x80),
            6 => (ILL, 2),
            16 | 19 => (FPE, 8),
            17 => (BUS, 1),
            _ => return None,
        };
        let address = if code == 0x80 { 0 } else { frame.rip };
        Some(Self { signal, code, address })
    }

    /// An access to what is not there, or not for that.
    pub const fn memory(address: u64) -> Self {
        Self { signal: SEGV, code: 1, address }
    }

    /// Memory that was promised and cannot be had.
    pub const fn no_memory(address: u64) -> Self {
        Self { signal: BUS, code: 2, address }
    }

    /// What the program told itself.
    pub const fn own(signal: u64) -> Self {
        Self { signal, code: -6, address: 0 }
    }
}

/// Sets the action of a signal, and answers the one before.
pub fn set_action(signal: u64, action: Option<Action>) -> Result<Action, Errno> {
    let mut actions = ACTIONS.take();
    let place = actions.get_mut(signal as usize).filter(|_| signal > 0).ok_or(Errno::INVAL)?;
    let before = *place;
    if let Some(action) = action {
        *place = action;
    }
    Ok(before)
}

/// Calls the handler of a fault in the thread whose registers these are, or ends the keep.
pub fn raise(frame: &mut Frame, fault: Fault) {
    let Fault { signal, .. } = fault;
    let thread = Thread::current();
    let [handler, flags, restorer, mask] = ACTIONS.take()[signal as usize];
    let blocked = thread.blocked.load(Ordering::Relaxed);
    let ignored = handler == IGNORE || handler == DEFAULT && IGNORED.contains(&signal);
    if ignored && fault.code == -6 {
        return;
    }
    let none = handler == DEFAULT || handler == IGNORE;
    if none || blocked & 1 << (signal - 1) != 0 || deliver(frame, fault, handler, flags, restorer).is_err() {
        hostcall::last(Call::Die, [signal, 0, 0, 0, 0, 0]);
        stop(Reason::Lie, Call::Die as u64);
    }
    let itself = if flags & NO_DEFER == 0 { 1 << (signal - 1) } else { 0 };
    thread.blocked.store(blocked | mask | itself, Ordering::Relaxed);
    if flags & RESET != 0 {
        ACTIONS.take()[signal as usize][0] = DEFAULT;
    }
}

/// Words of what a handler finds on its stack (Linux arch/x86/include/asm/sigframe.h, `struct rt_sigframe`): where it
/// returns to; flags, link and the alternate stack; 23 registers; the place of the floating-point registers; 8 reserved;
/// the mask; `siginfo`.
const WORDS: usize = 1 + 5 + 23 + 1 + 8 + 1 + SIGINFO;
/// Words of `siginfo`.
const SIGINFO: usize = 16;
/// Where its parts begin, in words.
const CONTEXT: usize = 1;
const REGISTERS: usize = CONTEXT + 5;
const FLOATS: usize = REGISTERS + 23;
const MASK: usize = FLOATS + 1 + 8;
const INFO: usize = MASK + 1;
/// Bytes below the stack pointer that a function uses without saying so (System V ABI, AMD64, section 3.2.2).
const RED_ZONE: u64 = 128;

fn deliver(frame: &mut Frame, fault: Fault, handler: u64, flags: u64, restorer: u64) -> Result<(), Errno> {
    let thread = Thread::current();
    let (start, len) =
        (thread.alternate.load(Ordering::Relaxed), thread.alternate_len.load(Ordering::Relaxed));
    let on_alternate = frame.rsp.wrapping_sub(start) < len;
    let top = if flags & ON_ALTERNATE != 0 && len != 0 && !on_alternate {
        start.wrapping_add(len)
    } else {
        frame.rsp.wrapping_sub(RED_ZONE)
    };
    let floats_at = top.wrapping_sub(512) & !63;
    // At a function's first instruction the stack pointer is 8 below a multiple of 16.
    let at = (floats_at.wrapping_sub(8 * WORDS as u64) & !15).wrapping_sub(8);
    let mut words = [0; WORDS];
    words[0] = restorer;
    words[CONTEXT + 2..CONTEXT + 5].copy_from_slice(&[start, if len == 0 { 2 } else { 0 }, len]);
    let selectors = u64::from(USER_CODE) | u64::from(USER_DATA) << 48;
    let (trap, error) = if fault.code == -6 { (0, 0) } else { (frame.vector, frame.error) };
    let f = &*frame;
    words[REGISTERS..FLOATS].copy_from_slice(&[
        f.r8,
        f.r9,
        f.r10,
        f.r11,
        f.r12,
        f.r13,
        f.r14,
        f.r15,
        f.rdi,
        f.rsi,
        f.rbp,
        f.rbx,
        f.rdx,
        f.rax,
        f.rcx,
        f.rsp,
        f.rip,
        f.rflags,
        selectors,
        error,
        trap,
        0,
        fault.address,
    ]);
    words[FLOATS] = floats_at;
    words[MASK] = thread.blocked.load(Ordering::Relaxed);
    words[INFO] = fault.signal;
    words[INFO + 1] = u64::from(fault.code as u32);
    words[INFO + 2] = fault.address;
    memory::write(floats_at, &Floats::save().0)?;
    memory::write_words(at, &words)?;
    let context = at + 8 * CONTEXT as u64;
    *frame = Frame {
        rip: handler,
        rsp: at,
        rdi: fault.signal,
        rsi: at + 8 * INFO as u64,
        rdx: context,
        rax: 0,
        rflags: FIXED_FLAGS,
        ..*frame
    };
    Ok(())
}

/// `rt_sigreturn`: takes the registers back that `deliver` left, as the handler has changed them.
pub fn return_from(frame: &mut Frame) -> Result<(), Errno> {
    // The handler's return has taken the first word.
    let [
        _,
        _,
        _,
        _,
        _,
        r8,
        r9,
        r10,
        r11,
        r12,
        r13,
        r14,
        r15,
        rdi,
        rsi,
        rbp,
        rbx,
        rdx,
        rax,
        rcx,
        rsp,
        rip,
        rflags,
        ..,
    ]: [u64; WORDS - 1] = memory::read_words(frame.rsp)?;
    let words: [u64; WORDS - 1] = memory::read_words(frame.rsp)?;
    let mut floats = Floats([0; 512]);
    if words[FLOATS - 1] != 0 {
        // SAFETY: the bytes are ours.
        unsafe { memory::read_user(words[FLOATS - 1], floats.0.as_mut_ptr(), 512)? };
        floats.load();
    }
    Thread::current().blocked.store(words[MASK - 1], Ordering::Relaxed);
    let rflags = rflags & USER_FLAGS | FIXED_FLAGS;
    let (cs, ss, vector, error) = (USER_CODE.into(), USER_DATA.into(), frame.vector, 0);
    *frame = Frame {
        r15,
        r14,
        r13,
        r12,
        r11,
        r10,
        r9,
        r8,
        rdi,
        rsi,
        rbp,
        rbx,
        rdx,
        rcx,
        rax,
        vector,
        error,
        rip,
        cs,
        rflags,
        rsp,
        ss,
    };
    Ok(())
}
