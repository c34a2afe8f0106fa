//! Signatures that were verified before.
//!
//! "This key signed these bytes" is true for ever: it depends on no time, no revocation list and no policy. Remembering it
//! is therefore the one cache that cannot lie; dates, revocation and rules are judged anew each time, which costs little.
//! Only certificates, lists and collateral are remembered, never the evidence's own signature.

/// A signature by a key over exact bytes: SHA-256 of the SubjectPublicKeyInfo, then SHA-256 of what was signed with its
/// signature.
pub type Fact = [u8; 64];

/// Where verified signatures are remembered. A service shares one among its threads; forgetting is always safe.
pub trait Memory: Send + Sync {
    /// Whether this was verified before.
    fn recall(&self, fact: &Fact) -> bool;

    /// Keeps something that has just been verified.
    fn remember(&self, fact: Fact);
}

/// Remembers nothing.
#[derive(Clone, Copy, Debug)]
pub struct Forgetful;

impl Memory for Forgetful {
    fn recall(&self, _: &Fact) -> bool {
        false
    }

    fn remember(&self, _: Fact) {}
}

/// Whether the holder of the key with the digest `spki` signed the item with this digest: from memory, or by `verify`.
pub(crate) fn verified(
    memory: &dyn Memory,
    spki: &[u8; 32],
    item: &[u8; 32],
    verify: impl FnOnce() -> bool,
) -> bool {
    let mut fact = [0; 64];
    fact[..32].copy_from_slice(spki);
    fact[32..].copy_from_slice(item);
    memory.recall(&fact) || {
        let holds = verify();
        if holds {
            memory.remember(fact);
        }
        holds
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Everything(Mutex<BTreeSet<Fact>>);

    impl Memory for Everything {
        fn recall(&self, fact: &Fact) -> bool {
            self.0.lock().expect("not poisoned").contains(fact)
        }

        fn remember(&self, fact: Fact) {
            self.0.lock().expect("not poisoned").insert(fact);
        }
    }

    #[test]
    fn only_what_held_is_remembered_for_the_same_key_and_item() {
        let memory = Everything::default();
        let check = |spki: u8, item: u8, holds: bool, expected: bool| {
            assert_eq!(verified(&memory, &[spki; 32], &[item; 32], || holds), expected);
        };
        check(1, 2, false, false);
        check(1, 2, true, true);
        check(1, 2, false, true);
        check(2, 1, false, false);
        check(3, 2, false, false);
        check(1, 3, false, false);
    }
}
