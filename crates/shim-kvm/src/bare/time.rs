//! Clocks: the host says once what time it is, from then on the time stamp counter counts.
//!
//! Inside a keep the time of day is the host's word and no more; that it does not go backwards is ours.

use super::cpu::counter;
use abi::boot::Given;
use core::sync::atomic::{AtomicU64, Ordering};

static COUNTER: AtomicU64 = AtomicU64::new(0);
static REALTIME: AtomicU64 = AtomicU64::new(0);
static MONOTONIC: AtomicU64 = AtomicU64::new(0);
/// Nanoseconds of one count, times 2³².
static SCALE: AtomicU64 = AtomicU64::new(0);
/// The latest time told to anybody.
static LATEST: AtomicU64 = AtomicU64::new(0);

/// Sets the clocks; called once.
pub fn start(given: &Given) {
    COUNTER.store(counter(), Ordering::Relaxed);
    REALTIME.store(given.realtime, Ordering::Relaxed);
    MONOTONIC.store(given.monotonic, Ordering::Relaxed);
    SCALE.store((1_000_000 << 32) / given.tsc_khz, Ordering::Relaxed);
}

/// Nanoseconds since the start; never less than before, on any processor.
fn elapsed() -> u64 {
    let counted = counter().saturating_sub(COUNTER.load(Ordering::Relaxed));
    let scaled = u128::from(counted) * u128::from(SCALE.load(Ordering::Relaxed));
    let elapsed = (scaled >> 32) as u64;
    LATEST.fetch_max(elapsed, Ordering::Relaxed).max(elapsed)
}

/// Nanoseconds of the clock that waits are measured by.
pub fn monotonic() -> u64 {
    MONOTONIC.load(Ordering::Relaxed).saturating_add(elapsed())
}

/// Nanoseconds since 1970.
pub fn realtime() -> u64 {
    REALTIME.load(Ordering::Relaxed).saturating_add(elapsed())
}

/// First count, scale, and both times then: what a clock in ring 3 needs.
pub fn clocks() -> [u64; 4] {
    [&COUNTER, &SCALE, &MONOTONIC, &REALTIME].map(|word| word.load(Ordering::Relaxed))
}
