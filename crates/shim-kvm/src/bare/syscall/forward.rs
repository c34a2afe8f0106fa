//! Calls for the host: buffers in, the call, buffers out, by the call's shape. And the list of open descriptors, which is
//! the keep's own: a number that is not on it never reaches the host.

use super::{Answer, Args};
use crate::bare::hostcall::Exchange;
use crate::bare::memory;
use crate::bare::stop::{Reason, stop};
use abi::block::DATA;
use abi::call::{Arg, Call, NONBLOCKING, PATH_MOST, QUESTIONS, Returns, Size, WORKING_DIRECTORY};
use abi::errno::Errno;
use abi::layout::{DESCRIPTORS, PAGE};
use core::sync::atomic::{AtomicU64, Ordering};

/// One bit for each descriptor.
static OPEN: [AtomicU64; DESCRIPTORS / 64] = [const { AtomicU64::new(0) }; DESCRIPTORS / 64];

/// Most bytes of one transfer: the data, less what an address beside it takes.
const TRANSFER: u64 = (DATA - 256) as u64;
/// `MSG_DONTWAIT` (linux/socket.h).
pub const DONT_WAIT: u64 = 0x40;
/// Most bytes of an address or an option.
const ROOM: u32 = 256;

/// `F_DUPFD`, `F_SETFL`, `F_DUPFD_CLOEXEC` (linux/fcntl.h).
const DUPLICATE: u64 = 0;
const SET_STATUS: u64 = 4;
const DUPLICATE_CLOSING: u64 = 1030;
/// Bits of F_SETFL that mean something: append, non-blocking.
const STATUS: u64 = 0o2000 | 0o4000;

/// Opens the descriptors that the host has placed before the start.
pub fn inherit(count: u64) {
    for number in 0..count {
        open(number);
    }
}

fn bit(number: u64) -> Option<(&'static AtomicU64, u64)> {
    Some((OPEN.get(usize::try_from(number / 64).ok()?)?, 1 << (number % 64)))
}

/// Whether it was closed.
fn open(number: u64) -> bool {
    bit(number).is_some_and(|(word, bit)| word.fetch_or(bit, Ordering::SeqCst) & bit == 0)
}

fn is_open(number: u64) -> bool {
    bit(number).is_some_and(|(word, bit)| word.load(Ordering::SeqCst) & bit != 0)
}

/// Puts a descriptor from the host on the list. One that is there already is a lie.
pub fn opened(number: u64) {
    if !open(number) {
        stop(Reason::Lie, number << 8);
    }
}

/// Whether every descriptor of a call is open.
pub fn check(call: Call, args: &Args) -> Result<(), Errno> {
    for (arg, value) in call.shape().args.iter().zip(args) {
        let closed = match arg {
            Arg::Descriptor => !is_open(*value),
            Arg::Directory => *value != WORKING_DIRECTORY && !is_open(*value),
            _ => false,
        };
        if closed {
            return Err(Errno::BADF);
        }
    }
    Ok(())
}

/// Carries a transfer of any length. Who waits for edges (epoll(7)) takes less than was asked for as a sign that there is
/// no more: so what does not fit into one block is continued, as far as it goes without waiting.
pub fn transfer(first: Call, args: Args) -> Answer {
    let mut done = call(first, args)?;
    let next = continuation(first);
    while done.is_multiple_of(TRANSFER) && done != 0 && done < args[2] {
        let flags = if next == first { args[3] } else { 0 };
        let rest = [args[0], args[1] + done, args[2] - done, flags | DONT_WAIT, 0, 0];
        match call(next, rest) {
            Ok(more) if more > 0 => done += more,
            _ => break,
        }
    }
    Ok(done)
}

/// How a transfer goes on without waiting; fails harmlessly on what is no socket.
pub fn continuation(first: Call) -> Call {
    if matches!(first, Call::Read | Call::Recvfrom) { Call::Recvfrom } else { Call::Sendto }
}

/// Carries a call whose arguments are as Linux has them.
pub fn call(call: Call, args: Args) -> Answer {
    let args = narrow(call, args);
    check(call, &args)?;
    if matches!(call, Call::Setsockopt | Call::Getsockopt) && !call.passes_option(args[1], args[2]) {
        return Err(Errno(92));
    }
    let wire = to_wire(call, &args)?;
    let exchange = Exchange::new(call, wire)?;
    for (index, span) in exchange.request().spans().filter(|(_, span)| span.way().is_in()) {
        exchange.put_user(index, 0, args[index], span.len())?;
    }
    if call == Call::Close {
        // First here: the host may give the number to another thread at once.
        if let Some((word, bit)) = bit(args[0]) {
            word.fetch_and(!bit, Ordering::SeqCst);
        }
    }
    let reply = exchange.call()?;
    if call.shape().returns == Returns::Descriptor {
        opened(reply.value);
    }
    for (index, span) in exchange.request().spans().filter(|(_, span)| span.way().is_out()) {
        let len = match (call.shape().returns, call.shape().args[index]) {
            (Returns::Bytes(of), _) if of == index => reply.value as usize,
            (Returns::Count(of), Arg::Out(Size::Items(at, bytes)) | Arg::InOut(Size::Items(at, bytes)))
                if of == at =>
            {
                if span.way().is_in() {
                    span.len()
                } else {
                    reply.value as usize * bytes as usize
                }
            }
            (_, Arg::Out(Size::Argument(at))) if is_room(call, at) => {
                reply.told.min(span.len() as u64) as usize
            }
            _ => span.len(),
        };
        exchange.take_user(index, 0, args[index], len)?;
    }
    if let Some(at) = (0..args.len()).find(|at| is_room(call, *at) && args[*at] != 0) {
        memory::write(args[at], &(reply.told as u32).to_le_bytes())?;
    }
    Ok(reply.value)
}

fn is_room(call: Call, index: usize) -> bool {
    matches!(call.shape().args[index], Arg::Room)
}

/// C passes 32 bits where it passes numbers that are `int`: what is above is not the program's doing.
fn narrow(call: Call, mut args: Args) -> Args {
    for (arg, value) in call.shape().args.iter().zip(&mut args) {
        match arg {
            Arg::Descriptor | Arg::OneOf(_) | Arg::Flags(_) => *value &= 0xFFFF_FFFF,
            Arg::Directory => *value = i64::from(*value as i32).cast_unsigned(),
            Arg::Zero => *value = 0,
            _ => {}
        }
    }
    args
}

/// Pointers become lengths, or the fact that there is something; transfers become as long as they can be.
fn to_wire(call: Call, args: &Args) -> Result<Args, Errno> {
    let mut wire = *args;
    for (index, arg) in call.shape().args.iter().enumerate() {
        match arg {
            Arg::In(size) | Arg::Out(size) | Arg::InOut(size) => {
                wire[index] = (args[index] != 0).into();
                if let Size::Argument(at) = *size
                    && call.shape().returns == Returns::Bytes(index)
                {
                    wire[at] = args[at].min(TRANSFER);
                }
                if let Size::Items(at, bytes) = *size
                    && matches!(arg, Arg::Out(_))
                {
                    wire[at] = u64::from(args[at] as u32).min(TRANSFER / u64::from(bytes));
                }
            }
            Arg::Path if args[index] != 0 => wire[index] = path_len(args[index])?,
            Arg::Room if args[index] != 0 => wire[index] = memory::read_u32(args[index])?.min(ROOM).into(),
            _ => {}
        }
    }
    Ok(wire)
}

/// Bytes of a string in user memory with its zero.
fn path_len(address: u64) -> Answer {
    let mut piece = [0_u8; 64];
    let mut at = address;
    while at - address < PATH_MOST {
        // Not beyond the page: what follows may not be there.
        let len = (64 - at % 64).min(PAGE - at % PAGE) as usize;
        // SAFETY: the piece is ours and has at least `len` bytes.
        unsafe { memory::read_user(at, piece.as_mut_ptr(), len)? };
        match piece[..len].iter().position(|byte| *byte == 0) {
            Some(zero) => return Ok(at - address + zero as u64 + 1),
            None => at += len as u64,
        }
    }
    Err(Errno::NAMETOOLONG)
}

/// `ioctl`: a few questions and one setting.
pub fn ioctl(args: Args) -> Answer {
    /// `FIONREAD`: its answer is a number of 32 bits.
    const READABLE: u64 = QUESTIONS[0];
    /// `TIOCGWINSZ`: four numbers of 16.
    const WINDOW: u64 = QUESTIONS[2];
    let [descriptor, request, place, ..] = args;
    match request & 0xFFFF_FFFF {
        NONBLOCKING => call(Call::SetNonblocking, [descriptor, NONBLOCKING, place, 0, 0, 0]),
        question if QUESTIONS.contains(&question) => {
            let args = [descriptor & 0xFFFF_FFFF, question, 1, 0, 0, 0];
            check(Call::Ask, &args)?;
            let exchange = Exchange::new(Call::Ask, args)?;
            exchange.call()?;
            let len = match question {
                READABLE => 4,
                WINDOW => 8,
                // `struct termios`, as the kernel has it.
                _ => 36,
            };
            exchange.take_user(2, 0, place, len)?;
            Ok(0)
        }
        // Not a terminal.
        _ => Err(Errno(25)),
    }
}

/// `fcntl`: flags, and duplicates.
pub fn fcntl(args: Args) -> Answer {
    match args[1] & 0xFFFF_FFFF {
        DUPLICATE | DUPLICATE_CLOSING => call(Call::Dup, [args[0], 0, 0, 0, 0, 0]),
        SET_STATUS => call(Call::Fcntl, [args[0], SET_STATUS, args[2] & STATUS, 0, 0, 0]),
        1..=3 => call(Call::Fcntl, [args[0], args[1], args[2] & 1, 0, 0, 0]),
        _ => Err(Errno::INVAL),
    }
}
