//! Clocks.

use super::errno::{Errno, Outcome};
use super::memory::Memory;
use super::process::Process;
use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

/// The clock behind a `clockid`.
pub fn clock(id: u32) -> Option<ClockId> {
    match id {
        0 => Some(ClockId::Realtime),
        1 => Some(ClockId::Monotonic),
        2 => Some(ClockId::ProcessCPUTime),
        3 => Some(ClockId::ThreadCPUTime),
        _ => None,
    }
}

/// What `clock` shows, in nanoseconds.
pub fn now(clock: ClockId) -> u64 {
    nanoseconds(clock_gettime(clock))
}

/// A time in nanoseconds. WASI counts in 64 bits, which end in the year 2554.
pub fn nanoseconds(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// A time given in nanoseconds.
pub fn timespec(nanoseconds: u64) -> Timespec {
    let (seconds, rest) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    Timespec { tv_sec: seconds.cast_signed(), tv_nsec: rest.cast_signed() }
}

pub fn clock_res_get(_: &mut Process, memory: &mut Memory<'_>, id: u32, resolution: u32) -> Outcome {
    let clock = clock(id).ok_or(Errno::Inval)?;
    Ok(memory.put_u64(resolution, nanoseconds(clock_getres(clock)))?)
}

pub fn clock_time_get(_: &mut Process, memory: &mut Memory<'_>, id: u32, _: u64, time: u32) -> Outcome {
    let clock = clock(id).ok_or(Errno::Inval)?;
    Ok(memory.put_u64(time, now(clock))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_nanoseconds() {
        for time in [0, 1, 999_999_999, 1_000_000_000, u64::MAX] {
            assert_eq!(nanoseconds(timespec(time)), time);
        }
    }
}
