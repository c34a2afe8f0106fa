//! System calls of the program: answered here, or carried to the host.
//!
//! Numbers are those of Linux on x86-64 (arch/x86/entry/syscalls/syscall_64.tbl).

mod forward;
mod message;
mod space;
mod system;

pub use forward::inherit;

use super::entry::Frame;
use super::hostcall;
use super::signal::{self, Fault};
use super::{memory, thread, time};
use abi::call::{Call, WORKING_DIRECTORY};
use abi::errno::Errno;

/// Arguments as the program passed them.
type Args = [u64; 6];
type Answer = Result<u64, Errno>;

/// `unlinkat`'s flag for directories, `dup`'s for closing at execution (linux/fcntl.h).
const REMOVE_DIRECTORY: u64 = 0x200;

/// Answers the call that these registers ask for.
pub fn answer(frame: &mut Frame) {
    let args = [frame.rdi, frame.rsi, frame.rdx, frame.r10, frame.r8, frame.r9];
    let [a, b, c, d, ..] = args;
    let answer = match frame.rax {
        // What changes more than one register.
        15 => match signal::return_from(frame) {
            Ok(()) => return,
            Err(_) => return signal::raise(frame, Fault::memory(frame.rsp)),
        },
        56 => system::clone(frame, args),
        60 => return thread::end(),
        231 => end(a),
        // A signal to oneself; of the thread, or of the process, which is the first thread's number.
        62 | 200 => return send(frame, a, b),
        234 => return send(frame, b, c),
        number => quick(number, args).unwrap_or_else(|| {
            // Older calls without a directory, or without flags, are newer ones with.
            let here = WORKING_DIRECTORY;
            match number {
                0 => forward::transfer(Call::Read, args),
                1 => forward::transfer(Call::Write, args),
                2 => forward::call(Call::Openat, [here, a, b, c, 0, 0]),
                4 => forward::call(Call::Newfstatat, [here, a, b, 0, 0, 0]),
                6 => forward::call(Call::Newfstatat, [here, a, b, 0x100, 0, 0]),
                7 => message::poll(args),
                16 => forward::ioctl(args),
                19 | 20 => message::vector(frame.rax, args),
                21 => forward::call(Call::Faccessat, [here, a, b, 0, 0, 0]),
                44 => forward::transfer(Call::Sendto, args),
                45 => message::receive_from(args),
                46 => message::send(args),
                47 => message::receive(args),
                72 => forward::fcntl(args),
                82 => forward::call(Call::Renameat, [here, a, here, b, 0, 0]),
                83 => forward::call(Call::Mkdirat, [here, a, b, 0, 0, 0]),
                84 => forward::call(Call::Unlinkat, [here, a, REMOVE_DIRECTORY, 0, 0, 0]),
                87 => forward::call(Call::Unlinkat, [here, a, 0, 0, 0, 0]),
                89 => forward::call(Call::Readlinkat, [here, a, b, c, 0, 0]),
                232 => forward::call(Call::EpollPwait, [a, b, c, d, 0, 0]),
                271 => message::ppoll(args),
                281 => forward::call(Call::EpollPwait, [a, b, c, d, 0, 0]),
                295 | 296 => message::vector_at(frame.rax, args),
                number => match Call::from_linux(number) {
                    Some(call) => forward::call(call, args),
                    None => Err(Errno::NOSYS),
                },
            }
        }),
    };
    frame.rax = match answer {
        Ok(value) => value,
        Err(error) => error.returned().cast_unsigned(),
    };
}

/// Calls that the host learns nothing of.
fn quick(number: u64, args: Args) -> Option<Answer> {
    let [a, b, c, ..] = args;
    Some(match number {
        9 => space::mmap(args),
        10 => space::mprotect(a, b, c),
        11 => memory::with(|space| space.unmap(a, b)).map(|()| 0),
        12 => Ok(memory::with(|space| space.brk(a))),
        13 => system::sigaction(a, b, c),
        14 => system::sigprocmask(a, b, c),
        24 => Ok(0),
        25 => space::mremap(args),
        28 => space::madvise(a, b, c),
        35 => system::nanosleep(1, 0, a),
        39 => Ok(1),
        63 => system::uname(a),
        96 => system::gettimeofday(a),
        97 => system::limit(a, b),
        99 => system::sysinfo(a),
        // Nobody is anybody in a keep: user and group 0, which mean nothing outside.
        102 | 104 | 107 | 108 => Ok(0),
        110 => Ok(0),
        131 => system::sigaltstack(a, b),
        157 => system::prctl(a, b, c),
        158 => system::arch_prctl(a, b),
        186 => Ok(thread::id()),
        201 => system::seconds(a),
        202 => system::futex(args),
        204 => system::affinity(b, c),
        218 => {
            thread::clear_at_end(a);
            Ok(thread::id())
        }
        228 => system::clock(a, b),
        229 => system::resolution(b),
        230 => system::nanosleep(a, b, c),
        // Robust mutexes survive the death of a process that shares them; there is none.
        273 => Ok(0),
        302 => {
            if c == 0 {
                system::limit(b, args[3])
            } else {
                Err(Errno::ACCES)
            }
        }
        309 => system::processor(a, b),
        318 => system::random(a, b),
        _ => return None,
    })
}

/// Ends the keep.
fn end(code: u64) -> Answer {
    hostcall::ask(Call::Exit, [code & 0xFF, 0, 0, 0, 0, 0])?;
    Err(Errno::NOSYS)
}

fn send(frame: &mut Frame, to: u64, number: u64) {
    let result = match number {
        // Whether it is there.
        0 => Ok(()),
        1..=signal::MOST if to == thread::id() || frame.rax == 62 => {
            frame.rax = 0;
            return signal::raise(frame, Fault::own(number));
        }
        1..=signal::MOST => Err(Errno::SRCH),
        _ => Err(Errno::INVAL),
    };
    frame.rax = result.map_or_else(|error| error.returned().cast_unsigned(), |()| 0);
}

/// A point in time so many nanoseconds from now.
fn deadline(nanoseconds: u64) -> u64 {
    time::monotonic().saturating_add(nanoseconds)
}

/// Nanoseconds of a `timespec` in user memory.
fn timespec(address: u64) -> Answer {
    let [seconds, nanoseconds] = memory::read_words(address)?;
    if seconds > i64::MAX.cast_unsigned() || nanoseconds >= 1_000_000_000 {
        return Err(Errno::INVAL);
    }
    Ok(seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds))
}
