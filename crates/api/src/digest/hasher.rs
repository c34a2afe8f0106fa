//! Hashing of content that streams by.

use super::{Algorithm, Digest, Digests};
use sha2::digest::Digest as _;
use sha2::{Sha224, Sha256, Sha384, Sha512};

/// Hashes under several algorithms at once.
#[derive(Clone)]
pub struct Hasher(Vec<State>);

#[derive(Clone)]
enum State {
    Sha224(Sha224),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hasher {
    /// Starts under these algorithms; one that is named twice counts once.
    pub fn new(algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        let mut algorithms: Vec<_> = algorithms.into_iter().collect();
        algorithms.sort();
        algorithms.dedup();
        Self(algorithms.into_iter().map(State::new).collect())
    }

    /// Takes the next piece.
    pub fn update(&mut self, content: &[u8]) {
        self.0.iter_mut().for_each(|state| state.update(content));
    }

    /// The digests of all that was taken.
    pub fn finish(self) -> Digests {
        self.0.into_iter().map(State::finish).collect()
    }
}

/// The digest of content under one algorithm.
pub(super) fn of(algorithm: Algorithm, content: &[u8]) -> Digest {
    let mut state = State::new(algorithm);
    state.update(content);
    state.finish()
}

impl State {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha224 => Self::Sha224(Sha224::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha384 => Self::Sha384(Sha384::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    fn update(&mut self, content: &[u8]) {
        match self {
            Self::Sha224(state) => state.update(content),
            Self::Sha256(state) => state.update(content),
            Self::Sha384(state) => state.update(content),
            Self::Sha512(state) => state.update(content),
        }
    }

    fn finish(self) -> Digest {
        let (algorithm, value) = match self {
            Self::Sha224(state) => (Algorithm::Sha224, state.finalize().to_vec()),
            Self::Sha256(state) => (Algorithm::Sha256, state.finalize().to_vec()),
            Self::Sha384(state) => (Algorithm::Sha384, state.finalize().to_vec()),
            Self::Sha512(state) => (Algorithm::Sha512, state.finalize().to_vec()),
        };
        let mut bytes = [0; super::LONGEST];
        bytes[..value.len()].copy_from_slice(&value);
        Digest { algorithm, bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_hash_like_the_whole() {
        let content: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        let mut hasher = Hasher::new([Algorithm::Sha512, Algorithm::Sha224, Algorithm::Sha512]);
        content.chunks(77).for_each(|piece| hasher.update(piece));
        let digests = hasher.finish();
        assert_eq!(digests.iter().count(), 2);
        assert!(digests.iter().all(|digest| *digest == Digest::of(digest.algorithm(), &content)));
    }
}
