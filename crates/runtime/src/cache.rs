//! Entries of the compile cache: machine code on the host's disk that is loaded only if this user's key authenticates
//! it. Anything else there is as good as absent.
//!
//! ```text
//! machine code … │ tier 1 │ nonce 12 │ tag 16
//! ```
//!
//! The tag is AES-256-GMAC (NIST SP 800-38D: GCM without plaintext) over the machine code, under a key derived from the
//! user's for this entry's name and tier alone. The name is the digest of the workload and of everything that decides
//! which code is made of it, so an entry renamed or replaced by another genuine one fails too.

use crate::engine::Tier;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::{digest, hkdf, rand};
use std::hash::{Hash, Hasher};
use wasmtime::Engine;

const TAG_LEN: usize = 16;
/// Bytes after the machine code.
pub const TRAILER_LEN: usize = 1 + NONCE_LEN + TAG_LEN;

/// The entry's name for the workload with `digest` under `engine`: hexadecimal digits of SHA-256.
pub fn name(engine: &Engine, digest: &[u8]) -> String {
    let mut hasher = Sha256(digest::Context::new(&digest::SHA256));
    hasher.write(b"enarx compile cache v1\0");
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.write(digest);
    hasher.0.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The trailer that authenticates `code`.
pub fn seal(secret: &[u8; 32], name: &str, tier: Tier, code: &[u8]) -> Result<Vec<u8>, Unspecified> {
    let mut nonce = [0; NONCE_LEN];
    rand::fill(&mut nonce)?;
    let tag = key(secret, name, byte(tier))?.seal_in_place_separate_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(code),
        &mut [],
    )?;
    Ok([&[byte(tier)], &nonce[..], tag.as_ref()].concat())
}

/// The tier and length of the machine code in `entry`, if it is authentic.
pub fn open(secret: &[u8; 32], name: &str, entry: &[u8]) -> Option<(Tier, usize)> {
    let (code, trailer) = entry.split_at_checked(entry.len().checked_sub(TRAILER_LEN)?)?;
    let (tier, rest) = trailer.split_first()?;
    let (nonce, tag) = rest.split_first_chunk::<NONCE_LEN>()?;
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let mut tag = tag.to_vec();
    key(secret, name, *tier).ok()?.open_in_place(nonce, Aad::from(code), &mut tag).ok()?;
    let tier = [Tier::Baseline, Tier::Optimized].into_iter().find(|known| byte(*known) == *tier)?;
    Some((tier, code.len()))
}

const fn byte(tier: Tier) -> u8 {
    match tier {
        Tier::Baseline => 0,
        Tier::Optimized => 1,
    }
}

fn key(secret: &[u8; 32], name: &str, tier: u8) -> Result<LessSafeKey, Unspecified> {
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, b"enarx compile cache v1").extract(secret);
    let info = [name.as_bytes(), &[tier]];
    let key = UnboundKey::from(extracted.expand(&info, &AES_256_GCM)?);
    Ok(LessSafeKey::new(key))
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

    const SECRET: [u8; 32] = [7; 32];

    fn sealed(tier: Tier) -> Vec<u8> {
        let code = b"machine code";
        let trailer = seal(&SECRET, "name", tier, code).unwrap();
        [code.as_slice(), &trailer].concat()
    }

    #[test]
    fn opens_what_it_sealed() {
        for tier in [Tier::Baseline, Tier::Optimized] {
            assert_eq!(open(&SECRET, "name", &sealed(tier)), Some((tier, 12)));
        }
    }

    #[test]
    fn refuses_every_changed_bit_other_name_other_key_and_truncation() {
        let entry = sealed(Tier::Optimized);
        for bit in 0..entry.len() * 8 {
            let mut changed = entry.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&SECRET, "name", &changed), None, "bit {bit}");
        }
        for len in 0..entry.len() {
            assert_eq!(open(&SECRET, "name", &entry[..len]), None, "length {len}");
        }
        assert_eq!(open(&SECRET, "other", &entry), None);
        assert_eq!(open(&[8; 32], "name", &entry), None);
    }
}
