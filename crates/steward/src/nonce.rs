//! Nonces: signed, so that nothing is kept when one is given; remembered once spent, so that none is taken twice.
//!
//! ```text
//! expiry, seconds since 1970 (8 bytes) ‖ random (16) ‖ HMAC-SHA256 of both (32)
//! ```
//!
//! The key is the process's own, or a file that replicas share.

use attest::time::Time;
use aws_lc_rs::hmac;
use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, PoisonError};

/// Length of a nonce.
pub const LENGTH: usize = 56;
const SIGNED: usize = 24;
/// The shortest key: as long as the digest (RFC 2104 section 3).
const KEY_LEAST: usize = 32;

/// Gives nonces and recognises them.
pub struct Nonces {
    key: hmac::Key,
    lifetime: u64,
    most: usize,
    spent: Mutex<Spent>,
}

#[derive(Default)]
struct Spent {
    nonces: HashSet<[u8; SIGNED]>,
    /// The same, by expiry.
    order: BTreeSet<(u64, [u8; SIGNED])>,
}

/// What a nonce is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Ours, alive, and not seen before; from now on it is spent.
    Fresh,
    /// Not ours, too old, or spent.
    Stale,
    /// Too many are spent to remember one more.
    Full,
}

/// A key that is too short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key of nonces has {0} bytes; it needs {KEY_LEAST} at least")]
pub struct KeyTooShort(pub usize);

impl Nonces {
    /// Nonces under this key, good for `lifetime` seconds; at most `most` spent ones are remembered.
    pub fn new(key: &[u8], lifetime: u64, most: usize) -> Result<Self, KeyTooShort> {
        if key.len() < KEY_LEAST {
            return Err(KeyTooShort(key.len()));
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        Ok(Self { key, lifetime, most, spent: Mutex::default() })
    }

    /// A new nonce, and when it expires.
    pub fn give(&self, random: [u8; 16], now: Time) -> ([u8; LENGTH], Time) {
        let expiry = now.0.saturating_add(self.lifetime);
        let mut nonce = [0; LENGTH];
        nonce[..8].copy_from_slice(&expiry.to_be_bytes());
        nonce[8..SIGNED].copy_from_slice(&random);
        let tag = hmac::sign(&self.key, &nonce[..SIGNED]);
        nonce[SIGNED..].copy_from_slice(tag.as_ref());
        (nonce, Time(expiry))
    }

    /// Whether a nonce is ours and alive, and until when.
    pub fn recognise(&self, nonce: &[u8], now: Time) -> Option<Time> {
        let (signed, tag) = nonce.split_at_checked(SIGNED)?;
        hmac::verify(&self.key, signed, tag).ok()?;
        let expiry = u64::from_be_bytes(signed.first_chunk().copied()?);
        // Nothing given out expires later than now plus the lifetime, unless the clock went back.
        (now.0 <= expiry && expiry <= now.0.saturating_add(self.lifetime)).then_some(Time(expiry))
    }

    /// Spends a nonce in this process's memory.
    pub fn spend(&self, nonce: &[u8], now: Time) -> Verdict {
        let Some((expiry, signed)) = self.recognise(nonce, now).zip(nonce.first_chunk().copied()) else {
            return Verdict::Stale;
        };
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.forget(now);
        if spent.nonces.contains(&signed) {
            return Verdict::Stale;
        }
        if spent.nonces.len() >= self.most {
            return Verdict::Full;
        }
        spent.nonces.insert(signed);
        spent.order.insert((expiry.0, signed));
        Verdict::Fresh
    }
}

impl Spent {
    fn forget(&mut self, now: Time) {
        while let Some(&(expiry, signed)) = self.order.first().filter(|(expiry, _)| *expiry < now.0) {
            self.order.remove(&(expiry, signed));
            self.nonces.remove(&signed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_700_000_000);

    fn later(seconds: u64) -> Time {
        Time(NOW.0 + seconds)
    }

    #[test]
    fn a_nonce_is_good_once_and_for_its_time() {
        let nonces = Nonces::new(&[7; 32], 300, 8).expect("a good key");
        let (nonce, expiry) = nonces.give([1; 16], NOW);
        assert_eq!(expiry, later(300));
        assert_eq!(nonces.spend(&nonce, later(301)), Verdict::Stale);
        assert_eq!(nonces.spend(&nonce, later(300)), Verdict::Fresh);
        assert_eq!(nonces.spend(&nonce, later(300)), Verdict::Stale);
        assert_eq!(nonces.spend(&nonces.give([2; 16], later(900)).0, NOW), Verdict::Stale, "from the future");
    }

    #[test]
    fn only_our_own_are_recognised() {
        let nonces = Nonces::new(&[7; 32], 300, 8).expect("a good key");
        let (nonce, _) = nonces.give([1; 16], NOW);
        for bit in 0..8 * LENGTH {
            let mut other = nonce;
            other[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(nonces.recognise(&other, NOW), None, "bit {bit}");
        }
        for length in 0..LENGTH {
            assert_eq!(nonces.recognise(&nonce[..length], NOW), None);
        }
        let replica = Nonces::new(&[7; 32], 300, 8).expect("a good key");
        assert!(replica.recognise(&nonce, NOW).is_some());
        let stranger = Nonces::new(&[8; 32], 300, 8).expect("a good key");
        assert_eq!(stranger.recognise(&nonce, NOW), None);
        assert_eq!(Nonces::new(&[7; 31], 300, 8).err(), Some(KeyTooShort(31)));
    }

    #[test]
    fn what_is_spent_is_bounded_and_forgotten() {
        let nonces = Nonces::new(&[7; 32], 300, 2).expect("a good key");
        let spend = |number: u8, now| nonces.spend(&nonces.give([number; 16], now).0, now);
        assert_eq!(
            (spend(1, NOW), spend(2, NOW), spend(3, NOW)),
            (Verdict::Fresh, Verdict::Fresh, Verdict::Full)
        );
        assert_eq!(spend(4, later(301)), Verdict::Fresh);
    }
}
