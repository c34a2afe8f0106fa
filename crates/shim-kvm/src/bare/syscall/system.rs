//! Calls about threads, signals, time, and what machine this is.

use super::{Answer, Args, deadline, timespec};
use crate::bare::cpu::set_fs;
use crate::bare::entry::Frame;
use crate::bare::start::{AUXILIARY, PROCESSORS, STACK};
use crate::bare::thread::{self, Thread};
use crate::bare::{entropy, memory, signal, time};
use abi::errno::Errno;
use abi::layout::{DESCRIPTORS, USER_END};
use core::sync::atomic::Ordering;

/// What a thread shares with its maker: memory, signal handlers, process (linux/sched.h). Without them it is a process.
const THREAD: u64 = 0x100 | 0x800 | 0x1_0000;
const SET_TLS: u64 = 0x8_0000;
const SET_PARENT: u64 = 0x10_0000;
const CLEAR_CHILD: u64 = 0x20_0000;

/// `clone`, for threads.
pub fn clone(frame: &Frame, [flags, stack, parent, child, tls, _]: Args) -> Answer {
    if flags & THREAD != THREAD || flags & SET_TLS == 0 || tls >= USER_END {
        return Err(Errno::INVAL);
    }
    let clear = if flags & CLEAR_CHILD != 0 { child } else { 0 };
    thread::start(frame, stack, tls, clear, |id| match flags & SET_PARENT {
        0 => Ok(()),
        _ => memory::write(parent, &(id as u32).to_le_bytes()),
    })
}

/// `futex`
pub fn futex([address, operation, value, time, other, bits]: Args) -> Answer {
    const PRIVATE: u64 = 128;
    const REALTIME: u64 = 256;
    let value32 = value as u32;
    match operation & 0xFFFF_FFFF & !(PRIVATE | REALTIME) {
        // WAIT takes a span, WAIT_BITSET a point in time.
        0 => {
            let until = if time == 0 { None } else { Some(deadline(timespec(time)?)) };
            thread::wait(address, value32, u32::MAX, until)
        }
        9 => {
            let until = if time == 0 { None } else { Some(timespec(time)?) };
            let until = match operation & REALTIME {
                0 => until,
                _ => until.map(|until| deadline(until.saturating_sub(time::realtime()))),
            };
            thread::wait(address, value32, bits as u32, until)
        }
        1 => Ok(thread::wake(address, value & 0xFFFF_FFFF, u32::MAX)),
        10 => Ok(thread::wake(address, value & 0xFFFF_FFFF, bits as u32)),
        // REQUEUE, and CMP_REQUEUE, which compares first.
        3 => Ok(thread::requeue(address, value & 0xFFFF_FFFF, u32::MAX, time, other)),
        4 => {
            if memory::with(|space| space.load(address))? != bits as u32 {
                return Err(Errno::AGAIN);
            }
            Ok(thread::requeue(address, value & 0xFFFF_FFFF, u32::MAX, time, other))
        }
        _ => Err(Errno::NOSYS),
    }
}

/// `rt_sigaction`
pub fn sigaction(number: u64, new: u64, old: u64) -> Answer {
    let action = if new == 0 { None } else { Some(memory::read_words(new)?) };
    let before = signal::set_action(number, action)?;
    if old != 0 {
        memory::write_words(old, &before)?;
    }
    Ok(0)
}

/// `rt_sigprocmask`
pub fn sigprocmask(how: u64, new: u64, old: u64) -> Answer {
    let blocked = &Thread::current().blocked;
    let before = blocked.load(Ordering::Relaxed);
    if new != 0 {
        let [mask] = memory::read_words(new)?;
        let after = match how {
            0 => before | mask,
            1 => before & !mask,
            2 => mask,
            _ => return Err(Errno::INVAL),
        };
        blocked.store(after, Ordering::Relaxed);
    }
    if old != 0 {
        memory::write_words(old, &[before])?;
    }
    Ok(0)
}

/// `sigaltstack`
pub fn sigaltstack(new: u64, old: u64) -> Answer {
    const DISABLED: u64 = 2;
    let thread = Thread::current();
    let (start, len) = (&thread.alternate, &thread.alternate_len);
    let before = [start.load(Ordering::Relaxed), 0, len.load(Ordering::Relaxed)];
    if new != 0 {
        let [to, flags, size] = memory::read_words(new)?;
        let size = if flags & DISABLED != 0 { 0 } else { size };
        start.store(to, Ordering::Relaxed);
        len.store(size, Ordering::Relaxed);
    }
    if old != 0 {
        memory::write_words(old, &[before[0], if before[2] == 0 { DISABLED } else { 0 }, before[2]])?;
    }
    Ok(0)
}

/// `clock_gettime`: of the day, and since the start; processor time is the latter.
pub fn clock(which: u64, place: u64) -> Answer {
    let now = match which {
        0 | 5 | 11 => time::realtime(),
        1 | 2 | 3 | 4 | 6 | 7 => time::monotonic(),
        _ => return Err(Errno::INVAL),
    };
    memory::write_words(place, &[now / 1_000_000_000, now % 1_000_000_000])?;
    Ok(0)
}

/// `clock_getres`
pub fn resolution(place: u64) -> Answer {
    if place != 0 {
        memory::write_words(place, &[0, 1])?;
    }
    Ok(0)
}

/// `gettimeofday`
pub fn gettimeofday(place: u64) -> Answer {
    let now = time::realtime();
    if place != 0 {
        memory::write_words(place, &[now / 1_000_000_000, now % 1_000_000_000 / 1000])?;
    }
    Ok(0)
}

/// `time`
pub fn seconds(place: u64) -> Answer {
    let now = time::realtime() / 1_000_000_000;
    if place != 0 {
        memory::write_words(place, &[now])?;
    }
    Ok(now)
}

/// `clock_nanosleep`
pub fn nanosleep(clock: u64, flags: u64, place: u64) -> Answer {
    const ABSOLUTE: u64 = 1;
    let time = timespec(place)?;
    let until = match (flags & ABSOLUTE, clock) {
        (0, _) => deadline(time),
        (_, 0) => deadline(time.saturating_sub(time::realtime())),
        _ => time,
    };
    thread::sleep(until);
    Ok(0)
}

/// `arch_prctl`: the base of FS.
pub fn arch_prctl(what: u64, value: u64) -> Answer {
    const SET_FS: u64 = 0x1002;
    if what != SET_FS || value >= USER_END {
        return Err(Errno::INVAL);
    }
    set_fs(value);
    Ok(0)
}

/// `prctl`: names are heard and forgotten, and the auxiliary vector is told again.
pub fn prctl(what: u64, place: u64, len: u64) -> Answer {
    const SET_NAME: u64 = 15;
    const GET_AUXILIARY: u64 = 0x4155_5856;
    match what {
        SET_NAME => Ok(0),
        GET_AUXILIARY => {
            let vector = *AUXILIARY.take();
            let words = vector.as_flattened();
            memory::write_words(place, &words[..words.len().min((len / 8) as usize)])?;
            Ok(size_of_val(words) as u64)
        }
        _ => Err(Errno::INVAL),
    }
}

/// `prlimit64`, reading.
pub fn limit(which: u64, place: u64) -> Answer {
    const STACK_SIZE: u64 = 3;
    const OPEN_FILES: u64 = 7;
    let limit = match which {
        STACK_SIZE => STACK.load(Ordering::Relaxed),
        OPEN_FILES => DESCRIPTORS as u64,
        _ => u64::MAX,
    };
    if place != 0 {
        memory::write_words(place, &[limit, limit])?;
    }
    Ok(0)
}

/// `sched_getaffinity`: the processors there are.
pub fn affinity(len: u64, place: u64) -> Answer {
    if len < 8 {
        return Err(Errno::INVAL);
    }
    let count = PROCESSORS.load(Ordering::Relaxed).clamp(1, 63);
    memory::write_words(place, &[(1 << count) - 1])?;
    Ok(8)
}

/// `getcpu`
pub fn processor(number: u64, node: u64) -> Answer {
    for place in [number, node].into_iter().filter(|place| *place != 0) {
        memory::write(place, &[0; 4])?;
    }
    Ok(0)
}

/// `sysinfo`: memory and nothing else.
pub fn sysinfo(place: u64) -> Answer {
    let (used, all) = memory::with(|space| space.usage());
    let mut words = [0; 14];
    words[0] = time::monotonic() / 1_000_000_000;
    words[4] = all;
    words[5] = all - used;
    words[10] = 1;
    // `mem_unit` is a number of 32 bits: bytes.
    words[13] = 1;
    memory::write_words(place, &words)?;
    Ok(0)
}

/// `uname`: a Linux without a name.
pub fn uname(place: u64) -> Answer {
    const FIELD: usize = 65;
    let mut bytes = [0; 6 * FIELD];
    for (index, text) in ["Linux", "keep", "6.1.0", "enarx", "x86_64", ""].iter().enumerate() {
        bytes[index * FIELD..index * FIELD + text.len()].copy_from_slice(text.as_bytes());
    }
    memory::write(place, &bytes)?;
    Ok(0)
}

/// `getrandom`
pub fn random(place: u64, len: u64) -> Answer {
    /// Of one call; who wants more asks again.
    const MOST: u64 = 256;
    let mut bytes = [0; MOST as usize];
    let bytes = &mut bytes[..len.min(MOST) as usize];
    entropy::fill(bytes);
    memory::write(place, bytes)?;
    Ok(bytes.len() as u64)
}
