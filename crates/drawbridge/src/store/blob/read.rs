//! Reading a blob: its last piece is handed out only after all of it was found to be what its name says.
//!
//! A reader of the whole therefore never gets the whole of a damaged blob. One who wants a part gets it after the whole
//! was read through first.

use crate::store::StoreError;
use api::digest::{Algorithm, Digest, Hasher};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

/// How much is read at once.
pub const CHUNK: usize = 256 << 10;

/// A blob on its way out.
pub struct Reading {
    file: File,
    digest: Digest,
    length: u64,
    /// Hashes what is handed out; none if it was verified before.
    hasher: Option<Hasher>,
    /// What is still to be handed out.
    left: u64,
}

impl Reading {
    pub(super) fn new(file: File, digest: Digest, length: u64) -> Result<Self, StoreError> {
        if file.metadata()?.len() != length {
            return Err(StoreError::Damaged { digest });
        }
        let hasher = Some(Hasher::new([Algorithm::Sha256]));
        Ok(Self { file, digest, length, hasher, left: length })
    }

    /// Narrows to a part, after reading through the whole.
    pub fn part(mut self, range: Range<u64>) -> Result<Self, StoreError> {
        while self.next()?.is_some() {}
        self.left = range.end.min(self.length).saturating_sub(range.start);
        self.file.seek(SeekFrom::Start(range.start))?;
        Ok(self)
    }

    /// The next piece; none after the last.
    #[expect(clippy::should_implement_trait, reason = "an iterator would go on after an error")]
    pub fn next(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let size = self.left.min(CHUNK as u64);
        let mut piece = vec![0; size as usize];
        self.file.read_exact(&mut piece).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => StoreError::Damaged { digest: self.digest },
            _ => error.into(),
        })?;
        self.left -= size;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&piece);
        }
        if self.left == 0
            && let Some(hasher) = self.hasher.take()
            && hasher.finish().get(Algorithm::Sha256) != Some(&self.digest)
        {
            return Err(StoreError::Damaged { digest: self.digest });
        }
        Ok(Some(piece).filter(|piece| !piece.is_empty()))
    }

    /// All that is left, for content that is known to be short.
    pub fn all(mut self) -> Result<Vec<u8>, StoreError> {
        let mut content = Vec::new();
        while let Some(piece) = self.next()? {
            content.extend(piece);
        }
        Ok(content)
    }
}
