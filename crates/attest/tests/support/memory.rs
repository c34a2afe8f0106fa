//! A memory that forgets nothing.

use std::collections::HashSet;
use std::sync::Mutex;

use attest::memory::{Fact, Memory};

#[derive(Default)]
pub struct Everything(pub Mutex<HashSet<Fact>>);

impl Memory for Everything {
    fn recall(&self, fact: &Fact) -> bool {
        self.0.lock().expect("not poisoned").contains(fact)
    }

    fn remember(&self, fact: Fact) {
        self.0.lock().expect("not poisoned").insert(fact);
    }
}
