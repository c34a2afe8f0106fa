//! Which descriptors of this process are the keep's. All others are this process's own, and no call reaches them.

use abi::layout::DESCRIPTORS;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// One bit for each number.
pub(super) struct Descriptors([AtomicU64; DESCRIPTORS / 64]);

impl Descriptors {
    /// Those that the keep begins with.
    pub(super) fn new(first: Range<u64>) -> Self {
        let descriptors = Self([const { AtomicU64::new(0) }; DESCRIPTORS / 64]);
        first.for_each(|number| {
            descriptors.add(number);
        });
        descriptors
    }

    /// Gives the keep a descriptor; false if it can have none of this number.
    pub(super) fn add(&self, number: u64) -> bool {
        let Some((word, bit)) = self.bit(number) else { return false };
        word.fetch_or(bit, Ordering::SeqCst);
        true
    }

    /// Takes a descriptor from the keep; false if it was not the keep's.
    pub(super) fn remove(&self, number: u64) -> bool {
        self.bit(number).is_some_and(|(word, bit)| word.fetch_and(!bit, Ordering::SeqCst) & bit != 0)
    }

    /// Whether a descriptor is the keep's.
    pub(super) fn has(&self, number: u64) -> bool {
        self.bit(number).is_some_and(|(word, bit)| word.load(Ordering::SeqCst) & bit != 0)
    }

    fn bit(&self, number: u64) -> Option<(&AtomicU64, u64)> {
        Some((self.0.get(usize::try_from(number / 64).ok()?)?, 1 << (number % 64)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_given() {
        let descriptors = Descriptors::new(0..3);
        assert!(descriptors.has(2) && !descriptors.has(3) && !descriptors.has(u64::MAX));
        assert!(descriptors.add(70) && descriptors.has(70));
        assert!(!descriptors.add(DESCRIPTORS as u64));
        assert!(descriptors.remove(70) && !descriptors.remove(70) && !descriptors.has(70));
    }
}
