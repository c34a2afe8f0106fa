//! Entries of the compile cache: machine code on the host's disk that is loaded only if this user's key authenticates
//! it. Anything else there is as good as absent.
//!
//! ```text
//! machine code … │ tag 16 of each piece … │ random 7 │ tier 1
//! ```
//!
//! Each tag is AES-256-GMAC (NIST SP 800-38D: GCM without plaintext) over [`PIECE`] bytes of machine code; the last
//! piece may be shorter. Nonces are as in the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015), random,
//! tier, number, and whether the piece is the last, so that pieces cannot be moved, dropped or added, and all processors
//! share the work. The key is the host's for an entry of this name alone, and the name is the digest of the workload
//! and of everything that decides which code is made of it, so an entry renamed, or replaced by another genuine one,
//! fails too.

use crate::engine::Tier;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{self, SHA256};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::num::NonZero;
use std::os::unix::fs::FileExt;
use std::panic::resume_unwind;
use std::thread;
use wasmtime::Engine;

const TAG_LEN: usize = 16;
/// Bytes after the tags: what the nonces of all pieces share.
const PREFIX_LEN: usize = 8;
/// Pieces from which on starting threads costs less than it brings.
const WORTH_A_THREAD: usize = 8;
/// Marks the number of the last piece.
const LAST: u32 = 1 << 31;

/// What one thread digests or authenticates at a time, in bytes: what a processor's own cache holds.
const PIECE: usize = 256 << 10;

/// The number of [`digest()`]'s scheme: another one for any change to it or to what follows from a digest.
pub const SCHEME: u8 = 1;

/// The digest of a workload: the SHA-256 of the SHA-256 of each of its pieces, so that all processors share the work.
pub fn digest(workload: &[u8]) -> [u8; 32] {
    let leaves = each_piece(workload, |_, piece| digest::digest(&SHA256, piece));
    let mut root = Sha256::new(b"enarx workload v1\0");
    leaves.iter().for_each(|leaf| root.write(leaf.as_ref()));
    root.finished()
}

/// The entry's name for a workload under `engine`: hexadecimal digits of the SHA-256 of all that decides which code is
/// made.
pub fn name(engine: &Engine, workload: &[u8; 32]) -> String {
    let mut name = Sha256::new(b"enarx compile cache v2\0");
    engine.precompile_compatibility_hash().hash(&mut name);
    name.write(workload);
    name.finished().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What `work` makes of each piece and its number, in their order; there is at least one.
fn each_piece<T: Send>(bytes: &[u8], work: impl Fn(usize, &[u8]) -> T + Sync) -> Vec<T> {
    shared(pieces(bytes.len()), 0, |_, number| {
        let rest = &bytes[number * PIECE..];
        work(number, &rest[..rest.len().min(PIECE)])
    })
}

/// What `work` makes of the numbers below `count`, in their order, each thread with a buffer of its own.
fn shared<T: Send>(count: usize, buffer: usize, work: impl Fn(&mut [u8], usize) -> T + Sync) -> Vec<T> {
    let threads = if count < WORTH_A_THREAD {
        1
    } else {
        thread::available_parallelism().map_or(1, NonZero::get).min(count)
    };
    let share = count.div_ceil(threads);
    let run = |first: usize| {
        let mut buffer = vec![0; buffer];
        (first..count.min(first + share)).map(|number| work(&mut buffer, number)).collect::<Vec<T>>()
    };
    thread::scope(|scope| {
        let starts = (share..count).step_by(share);
        let others: Vec<_> = starts.map(|first| scope.spawn(move || run(first))).collect();
        let mut all = run(0);
        for part in others {
            all.extend(part.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        all
    })
}

/// How many pieces this many bytes are.
fn pieces(length: usize) -> usize {
    length.div_ceil(PIECE).max(1)
}

/// The trailer that authenticates `code`.
pub fn seal(key: &[u8; 32], tier: Tier, code: &[u8]) -> Result<Vec<u8>, Unspecified> {
    let mut prefix = [0; PREFIX_LEN];
    rand::fill(&mut prefix)?;
    prefix[PREFIX_LEN - 1] = byte(tier);
    let cipher = cipher(key)?;
    let count = pieces(code.len());
    let tags = each_piece(code, |number, piece| {
        cipher.seal_in_place_separate_tag(nonce(prefix, number, count)?, Aad::from(piece), &mut [])
    });
    let mut trailer = Vec::with_capacity(count * TAG_LEN + PREFIX_LEN);
    for tag in tags {
        trailer.extend_from_slice(tag?.as_ref());
    }
    trailer.extend_from_slice(&prefix);
    Ok(trailer)
}

/// The tier and length of the machine code in `entry`, if it is authentic.
pub fn open(key: &[u8; 32], entry: &File) -> Option<(Tier, usize)> {
    let length = usize::try_from(entry.metadata().ok()?.len()).ok()?.checked_sub(PREFIX_LEN)?;
    let count = length.div_ceil(PIECE + TAG_LEN).max(1);
    let code = length.checked_sub(count * TAG_LEN)?;
    if pieces(code) != count {
        return None;
    }
    let mut tags = vec![0; count * TAG_LEN];
    entry.read_exact_at(&mut tags, code as u64).ok()?;
    let mut prefix = [0; PREFIX_LEN];
    entry.read_exact_at(&mut prefix, length as u64).ok()?;
    let tier =
        [Tier::Baseline, Tier::Optimized].into_iter().find(|tier| byte(*tier) == prefix[PREFIX_LEN - 1])?;
    let cipher = cipher(key).ok()?;
    let authentic = shared(count, PIECE.min(code), |buffer, number| {
        let piece = &mut buffer[..PIECE.min(code - number * PIECE)];
        entry.read_exact_at(piece, (number * PIECE) as u64).ok()?;
        let mut tag = tags[number * TAG_LEN..][..TAG_LEN].to_vec();
        cipher.open_in_place(nonce(prefix, number, count).ok()?, Aad::from(piece), &mut tag).ok().map(drop)
    });
    authentic.iter().all(Option::is_some).then_some((tier, code))
}

fn nonce(prefix: [u8; PREFIX_LEN], number: usize, count: usize) -> Result<Nonce, Unspecified> {
    let last = if number + 1 == count { LAST } else { 0 };
    let number = u32::try_from(number).ok().filter(|number| number & LAST == 0).ok_or(Unspecified)?;
    let mut nonce = [0; NONCE_LEN];
    nonce[..PREFIX_LEN].copy_from_slice(&prefix);
    nonce[PREFIX_LEN..].copy_from_slice(&(number | last).to_be_bytes());
    Ok(Nonce::assume_unique_for_key(nonce))
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

impl Sha256 {
    fn new(purpose: &[u8]) -> Self {
        let mut context = digest::Context::new(&SHA256);
        context.update(purpose);
        Self(context)
    }

    fn finished(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.finish().as_ref());
        bytes
    }
}

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

    /// What is found in an entry of these bytes.
    fn open(key: &[u8; 32], entry: &[u8]) -> Option<(Tier, usize)> {
        let file = File::from(rustix::fs::memfd_create(c"entry", rustix::fs::MemfdFlags::CLOEXEC).unwrap());
        file.write_all_at(entry, 0).unwrap();
        super::open(key, &file)
    }

    fn sealed(tier: Tier, code: &[u8]) -> Vec<u8> {
        [code, &seal(&KEY, tier, code).unwrap()].concat()
    }

    #[test]
    fn opens_what_it_sealed() {
        for tier in [Tier::Baseline, Tier::Optimized] {
            for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE - TAG_LEN, 3 * PIECE] {
                let code: Vec<u8> = (0..length).map(|at| (at >> 9) as u8).collect();
                assert_eq!(open(&KEY, &sealed(tier, &code)), Some((tier, length)), "length {length}");
            }
        }
    }

    #[test]
    fn pieces_are_in_order_whatever_shares_the_work() {
        let bytes: Vec<u8> = (0..9 * PIECE + 3).map(|at| (at >> 10) as u8).collect();
        let pieces = each_piece(&bytes, |number, piece| (number, piece.to_vec()));
        let alone: Vec<_> = bytes.chunks(PIECE).map(<[u8]>::to_vec).enumerate().collect();
        assert!(pieces == alone);
        assert_eq!(each_piece(&[], |number, piece| (number, piece.len())), [(0, 0)]);
    }

    #[test]
    fn refuses_every_changed_bit_other_key_and_truncation() {
        let entry = sealed(Tier::Optimized, b"machine code");
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

    #[test]
    fn refuses_pieces_moved_dropped_or_added() {
        let code: Vec<u8> = (0..3 * PIECE).map(|at| (at / PIECE) as u8).collect();
        let entry = sealed(Tier::Optimized, &code);
        let (code, trailer) = entry.split_at(3 * PIECE);
        let [one, two, three] =
            [0, 1, 2].map(|at| (&code[at * PIECE..][..PIECE], &trailer[at * TAG_LEN..][..TAG_LEN]));
        let prefix = &trailer[3 * TAG_LEN..];
        let built = |pieces: &[(&[u8], &[u8])]| {
            let code = pieces.iter().flat_map(|(code, _)| code.iter());
            let tags = pieces.iter().flat_map(|(_, tag)| tag.iter());
            open(&KEY, &code.chain(tags).chain(prefix).copied().collect::<Vec<u8>>())
        };
        assert_eq!(built(&[one, two, three]), Some((Tier::Optimized, 3 * PIECE)));
        for other in [&[one, two][..], &[two, three], &[two, one, three], &[one, two, two, three]] {
            assert_eq!(built(other), None);
        }
    }
}
