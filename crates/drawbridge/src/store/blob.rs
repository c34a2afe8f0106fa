//! Blobs as files, each named by its SHA-256.
//!
//! ```text
//! <store>/lock                     held while a server runs
//! <store>/staging/<name>           what is being received
//! <store>/blobs/<ab>/<abcdef…>     what was received whole, and verified
//! ```
//!
//! A blob appears under its name by a rename, after its content is on the disk, and is acknowledged after its folder is.

mod read;
mod stage;

pub use read::{CHUNK, Reading};
pub use stage::{Expected, Staged, Staging};

use super::{Failpoints, StoreError};
use api::digest::{Algorithm, Digest};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The blobs of a store.
#[derive(Clone)]
pub struct Blobs(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    staging: PathBuf,
    failpoints: Failpoints,
    /// Numbers what is received in one request.
    count: AtomicU64,
    /// Held for as long as the process lives: two servers would collect each other's garbage.
    _lock: File,
}

impl Blobs {
    /// Opens a store, or makes one, and clears away what was being received when it was last closed.
    pub fn open(store: &Path, failpoints: Failpoints) -> Result<Self, StoreError> {
        let (folder, staging) = (store.join("blobs"), store.join("staging"));
        fs::create_dir_all(&staging)?;
        let lock = File::create(store.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(StoreError::InUse),
            Err(fs::TryLockError::Error(error)) => return Err(error.into()),
        }
        for first in 0..=u8::MAX {
            fs::create_dir_all(folder.join(format!("{first:02x}")))?;
        }
        sync_folder(&folder)?;
        sync_folder(store)?;
        for entry in fs::read_dir(&staging)? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().starts_with(stage::ONCE.as_bytes()) {
                fs::remove_file(entry.path())?;
            }
        }
        let count = AtomicU64::new(0);
        Ok(Self(Arc::new(Inner { folder, staging, failpoints, count, _lock: lock })))
    }

    /// Starts to receive a blob in one request.
    pub fn stage(&self, algorithms: impl IntoIterator<Item = Algorithm>) -> Result<Staging, StoreError> {
        let number = self.0.count.fetch_add(1, Ordering::Relaxed);
        Staging::create(
            self.0.staging.join(format!("{}{number}", stage::ONCE)),
            algorithms,
            &self.0.failpoints,
        )
    }

    /// Goes on receiving a blob that comes in several requests, under a name that outlives the process.
    pub fn resume(&self, id: &str) -> Result<Staging, StoreError> {
        Staging::resume(self.0.staging.join(id), &self.0.failpoints)
    }

    /// Gives up what came in several requests.
    pub fn abandon(&self, id: &str) -> Result<(), StoreError> {
        gone_is_fine(fs::remove_file(self.0.staging.join(id))).map_err(StoreError::from)
    }

    /// Puts a blob under its name. When this returns, it is there to stay.
    pub fn publish(&self, staged: Staged) -> Result<(), StoreError> {
        let path = self.path(&staged.digest());
        self.0.failpoints.reach("publish.rename")?;
        staged.rename(&path)?;
        self.0.failpoints.reach("publish.renamed")?;
        path.parent().map_or(Ok(()), sync_folder)?;
        self.0.failpoints.reach("publish.synced")?;
        Ok(())
    }

    /// Opens a blob for reading.
    pub fn read(&self, digest: Digest, length: u64) -> Result<Reading, StoreError> {
        let file = File::open(self.path(&digest)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::Lost { digest },
            _ => error.into(),
        })?;
        Reading::new(file, digest, length)
    }

    /// Removes a blob.
    pub fn remove(&self, digest: &Digest) -> Result<(), StoreError> {
        gone_is_fine(fs::remove_file(self.path(digest)))?;
        self.0.failpoints.reach("collect.removed")?;
        Ok(())
    }

    /// The blobs whose names start with this byte, and files there that are none.
    pub fn list(&self, first: u8) -> Result<(Vec<Digest>, Vec<PathBuf>), StoreError> {
        let (mut blobs, mut strangers) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(self.0.folder.join(format!("{first:02x}")))? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            match Digest::from_hex(Algorithm::Sha256, name) {
                Ok(digest) if digest.as_bytes().first() == Some(&first) => blobs.push(digest),
                _ => strangers.push(path),
            }
        }
        Ok((blobs, strangers))
    }

    pub(super) fn failpoints(&self) -> &Failpoints {
        &self.0.failpoints
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let name = digest.hex();
        self.0.folder.join(&name[..2]).join(name)
    }
}

/// Makes the names in a folder last.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn gone_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
