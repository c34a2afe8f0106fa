//! Signatures of certificates and lists that were verified before, in bounded memory.

use attest::memory::{Fact, Memory};
use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

/// Facts per generation: a fleet of some thousand machines, at 64 bytes each.
const GENERATION: usize = 16_384;

/// Remembers in two generations: when the younger is full, the older is forgotten.
#[derive(Default)]
pub struct Remembered(RwLock<[HashSet<Fact>; 2]>);

impl Memory for Remembered {
    fn recall(&self, fact: &Fact) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().any(|facts| facts.contains(fact))
    }

    fn remember(&self, fact: Fact) {
        let mut generations = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if generations[0].len() >= GENERATION {
            generations.swap(0, 1);
            generations[0].clear();
        }
        generations[0].insert(fact);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_recent() {
        let memory = Remembered::default();
        let fact = |number: usize| attest::crypto::sha512(&number.to_be_bytes());
        for number in 0..3 * GENERATION {
            memory.remember(fact(number));
        }
        assert!(memory.recall(&fact(3 * GENERATION - 1)) && memory.recall(&fact(2 * GENERATION)));
        assert!(!memory.recall(&fact(0)));
        let kept: usize = memory.0.read().expect("not poisoned").iter().map(HashSet::len).sum();
        assert!(kept <= 2 * GENERATION);
    }
}
