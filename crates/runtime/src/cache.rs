//! Entries of the compile cache: machine code on the host's disk that is loaded only if this user's key authenticates
//! it. Anything else there is as good as absent.
//!
//! ```text
//! machine code … │ nonce 12: tier 1, random 11 │ tag 16
//! ```
//!
//! The tag is AES-256-GMAC (NIST SP 800-38D: GCM without plaintext) over the machine code. The key is the host's for an
//! entry of this name alone, and the name is the digest of the workload and of everything that decides which code is
//! made of it, so an entry renamed, or replaced by another genuine one, fails too.

use crate::engine::Tier;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{self, Digest, SHA256};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;
use std::hash::{Hash, Hasher};
use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;
use wasmtime::Engine;

const TAG_LEN: usize = 16;
/// Bytes after the machine code.
const TRAILER_LEN: usize = NONCE_LEN + TAG_LEN;

/// What one thread digests at a time, in bytes.
const LEAF_LEN: usize = 1 << 20;

/// The entry's name for a workload under `engine`: hexadecimal digits of the SHA-256 of all that decides which code is
/// made. The workload goes in as the SHA-256 of each of its [`LEAF_LEN`] parts, so that all processors can share the
/// work: it is most of what a start from the cache costs.
pub fn name(engine: &Engine, workload: &[u8]) -> String {
    let mut hasher = Sha256(digest::Context::new(&SHA256));
    hasher.write(b"enarx compile cache v1\0");
    engine.precompile_compatibility_hash().hash(&mut hasher);
    for leaf in leaves(workload) {
        hasher.write(leaf.as_ref());
    }
    hasher.0.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn leaves(workload: &[u8]) -> Vec<Digest> {
    let digest =
        |part: &[u8]| part.chunks(LEAF_LEN).map(|leaf| digest::digest(&SHA256, leaf)).collect::<Vec<_>>();
    let leaves = workload.len().div_ceil(LEAF_LEN);
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(leaves);
    if threads < 2 {
        return digest(workload);
    }
    let share = leaves.div_ceil(threads) * LEAF_LEN;
    thread::scope(|scope| {
        let (first, rest) = workload.split_at(share);
        let rest: Vec<_> = rest.chunks(share).map(|part| scope.spawn(move || digest(part))).collect();
        let mut leaves = digest(first);
        leaves.extend(
            rest.into_iter().flat_map(|part| part.join().unwrap_or_else(|panic| resume_unwind(panic))),
        );
        leaves
    })
}

/// The trailer that authenticates `code`.
pub fn seal(key: &[u8; 32], tier: Tier, code: &[u8]) -> Result<Vec<u8>, Unspecified> {
    let mut nonce = [0; NONCE_LEN];
    rand::fill(&mut nonce)?;
    nonce[0] = byte(tier);
    let tag = cipher(key)?.seal_in_place_separate_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(code),
        &mut [],
    )?;
    Ok([&nonce, tag.as_ref()].concat())
}

/// The tier and length of the machine code in `entry`, if it is authentic.
pub fn open(key: &[u8; 32], entry: &[u8]) -> Option<(Tier, usize)> {
    let (code, trailer) = entry.split_at_checked(entry.len().checked_sub(TRAILER_LEN)?)?;
    let (nonce, tag) = trailer.split_first_chunk::<NONCE_LEN>()?;
    let mut tag = tag.to_vec();
    let authentic = Nonce::assume_unique_for_key(*nonce);
    cipher(key).ok()?.open_in_place(authentic, Aad::from(code), &mut tag).ok()?;
    let tier = [Tier::Baseline, Tier::Optimized].into_iter().find(|tier| byte(*tier) == nonce[0])?;
    Some((tier, code.len()))
}

const fn byte(tier: Tier) -> u8 {
    match tier {
        Tier::Baseline => 0,
        Tier::Optimized => 1,
    }
}

fn cipher(key: &[u8; 32]) -> Result<LessSafeKey, Unspecified> {
    Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key)?))
}

/// Feeds what Wasmtime hashes for itself into a digest that an adversary cannot steer.
struct Sha256(digest::Context);

impl Hasher for Sha256 {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finish();
        digest.as_ref().first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn sealed(tier: Tier) -> Vec<u8> {
        let code = b"machine code";
        let trailer = seal(&KEY, tier, code).unwrap();
        [code.as_slice(), &trailer].concat()
    }

    #[test]
    fn opens_what_it_sealed() {
        for tier in [Tier::Baseline, Tier::Optimized] {
            assert_eq!(open(&KEY, &sealed(tier)), Some((tier, 12)));
        }
    }

    #[test]
    fn leaves_are_in_order_whatever_shares_the_work() {
        let workload: Vec<u8> = (0..5 * LEAF_LEN + 3).map(|at| (at >> 10) as u8).collect();
        let leaves: Vec<_> = leaves(&workload).iter().map(|leaf| leaf.as_ref().to_vec()).collect();
        let alone: Vec<_> =
            workload.chunks(LEAF_LEN).map(|leaf| digest::digest(&SHA256, leaf).as_ref().to_vec()).collect();
        assert_eq!(leaves, alone);
    }

    #[test]
    fn refuses_every_changed_bit_other_key_and_truncation() {
        let entry = sealed(Tier::Optimized);
        for bit in 0..entry.len() * 8 {
            let mut changed = entry.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&KEY, &changed), None, "bit {bit}");
        }
        for len in 0..entry.len() {
            assert_eq!(open(&KEY, &entry[..len]), None, "length {len}");
        }
        assert_eq!(open(&[8; 32], &entry), None);
    }
}
