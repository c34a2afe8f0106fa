//! Checks that time passes, and that the calendar is plausible.

use std::time::{Duration, Instant, SystemTime};

fn main() {
    let (start, nap) = (Instant::now(), Duration::from_millis(20));
    std::thread::sleep(nap);
    let elapsed = start.elapsed();
    assert!(elapsed >= nap, "woke after {elapsed:?}");
    assert!(elapsed < Duration::from_secs(20), "woke after {elapsed:?}");
    let today = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let random: [u64; 2] = [entropy(), entropy()];
    assert_ne!(random[0], random[1]);
    println!("{}", today.as_secs());
}

/// The standard library seeds its hash maps with the host's random bytes.
fn entropy() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}
