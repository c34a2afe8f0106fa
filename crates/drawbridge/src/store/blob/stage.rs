//! Receiving a blob: hashed while it is written, and nothing to anybody else until it is whole and right.

use crate::store::{Failpoints, StoreError};
use api::digest::{Algorithm, Digest, Digests, Hasher};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// How the names of what comes in one request begin; they mean nothing after a restart.
pub(super) const ONCE: &str = "once-";

/// A blob on its way in. Dropped, what came in one request is removed.
pub struct Staging {
    file: File,
    path: Doomed,
    hasher: Hasher,
    length: u64,
    failpoints: Failpoints,
}

/// What a sender announced.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// The digests.
    pub digests: Option<Digests>,
    /// The length.
    pub length: Option<u64>,
}

/// A blob that is whole, verified and on the disk, but not yet under its name.
pub struct Staged {
    path: Doomed,
    digests: Digests,
    digest: Digest,
    length: u64,
}

impl Staging {
    pub(super) fn create(
        path: PathBuf,
        algorithms: impl IntoIterator<Item = Algorithm>,
        failpoints: &Failpoints,
    ) -> Result<Self, StoreError> {
        failpoints.reach("stage.create")?;
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        let path = Doomed { path, armed: true };
        failpoints.reach("stage.created")?;
        // Every blob's name is of this kind, whatever its sender announced.
        let hasher = Hasher::new(algorithms.into_iter().chain([Algorithm::Sha256]));
        Ok(Self { file, path, hasher, length: 0, failpoints: failpoints.clone() })
    }

    /// Opens what came before, and hashes it again: a hash's state is not kept on the disk.
    pub(super) fn resume(path: PathBuf, failpoints: &Failpoints) -> Result<Self, StoreError> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
        let (mut hasher, mut length) = (Hasher::new([Algorithm::Sha256]), 0);
        let mut buffer = vec![0; super::CHUNK];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                count => {
                    hasher.update(&buffer[..count]);
                    length += count as u64;
                }
            }
        }
        let path = Doomed { path, armed: false };
        Ok(Self { file, path, hasher, length, failpoints: failpoints.clone() })
    }

    /// Takes the next piece.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), StoreError> {
        self.failpoints.reach("stage.write")?;
        self.file.write_all(piece)?;
        self.hasher.update(piece);
        self.length += piece.len() as u64;
        self.failpoints.reach("stage.written")?;
        Ok(())
    }

    /// How much has come.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Checks the content against what was announced, and puts it on the disk.
    pub fn finish(self, expected: &Expected) -> Result<Staged, StoreError> {
        if let Some(length) = expected.length
            && length != self.length
        {
            return Err(StoreError::Length { expected: length, found: self.length });
        }
        let digests = self.hasher.finish();
        if let Some(mismatch) = expected.digests.as_ref().and_then(|announced| announced.mismatch(&digests)) {
            let found = digests.get(mismatch.algorithm()).map_or("no such digest".into(), Digest::to_string);
            return Err(StoreError::Mismatch { expected: *mismatch, found });
        }
        self.failpoints.reach("stage.sync")?;
        self.file.sync_all()?;
        self.failpoints.reach("stage.synced")?;
        let digest = digests.get(Algorithm::Sha256).copied().unwrap_or_else(|| Digest::sha256(b""));
        Ok(Staged { path: self.path, digests, digest, length: self.length })
    }
}

impl Staged {
    /// The digest that names it.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Every digest that was made of it.
    pub fn digests(&self) -> &Digests {
        &self.digests
    }

    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Its content, for what is short.
    pub fn content(&self) -> Result<Vec<u8>, StoreError> {
        Ok(fs::read(&self.path.path)?)
    }

    pub(super) fn rename(mut self, to: &Path) -> io::Result<()> {
        fs::rename(&self.path.path, to)?;
        self.path.armed = false;
        Ok(())
    }
}

/// A file that is removed unless somebody lets it live.
struct Doomed {
    path: PathBuf,
    armed: bool,
}

impl Drop for Doomed {
    fn drop(&mut self) {
        if self.armed {
            // What cannot be removed now is removed at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}
