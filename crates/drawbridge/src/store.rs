//! What Drawbridge keeps: blobs by digest, and an index that says what they are.
//!
//! Content is received into a staging file, verified, published under its digest, entered into the index, and only then
//! acknowledged. A crash at any moment leaves at worst a blob that nobody knows of, which `fsck` finds.

mod blob;
mod check;
mod error;
mod failpoint;
mod garbage;
pub mod index;

pub use blob::{Blobs, CHUNK, Expected, Reading, Staged, Staging};
pub use check::Findings;
pub use error::StoreError;
pub use failpoint::{Failpoints, PLACES};
pub use garbage::Collected;
pub use index::Index;

use api::digest::Digest;
use api::name::Repository;
use index::Held;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::RwLock;

/// How long a name is kept for somebody who has begun to publish a tree under it, and stopped.
pub const CLAIM_SECONDS: i64 = 300;

/// A store.
#[derive(Clone)]
pub struct Store {
    /// The blobs.
    pub blobs: Blobs,
    /// What they are.
    pub index: Index,
    /// Held for reading from before a blob is published until the index knows it.
    publishing: Arc<RwLock<()>>,
}

impl Store {
    /// Opens the store in a folder, or makes one; the index is in the folder too, unless a PostgreSQL is named.
    pub async fn open(
        folder: &Path,
        database: Option<&str>,
        failpoints: Failpoints,
    ) -> Result<Self, StoreError> {
        let (path, owned) = (folder.to_owned(), folder.to_owned());
        let blobs = blocking(move || {
            std::fs::create_dir_all(&owned)?;
            Blobs::open(&path, failpoints)
        });
        let blobs = blobs.await?;
        let index = match database {
            Some(url) => Index::connect(url).await?,
            None => Index::open(folder).await?,
        };
        Ok(Self { blobs, index, publishing: Arc::default() })
    }

    /// Publishes a blob in a repository. When this returns, it is there to stay.
    pub async fn keep(
        &self,
        repository: &Repository,
        staged: Staged,
        now: i64,
    ) -> Result<Digest, StoreError> {
        let (digest, length) = (staged.digest(), staged.length());
        let _shared = self.publishing.read().await;
        let blobs = self.blobs.clone();
        blocking(move || blobs.publish(staged)).await?;
        self.blobs.failpoints().reach("index.begin")?;
        self.index.hold(Held { repository, digest, length }, now).await?;
        self.blobs.failpoints().reach("index.committed")?;
        Ok(digest)
    }

    /// Publishes a short content that is at hand.
    pub async fn keep_bytes(
        &self,
        repository: &Repository,
        content: Vec<u8>,
        now: i64,
    ) -> Result<Digest, StoreError> {
        let blobs = self.blobs.clone();
        let staged = blocking(move || {
            let mut staging = blobs.stage([])?;
            staging.write(&content)?;
            staging.finish(&Expected::default())
        });
        self.keep(repository, staged.await?, now).await
    }

    /// Reads a short content whole.
    pub async fn read_all(&self, digest: Digest, length: u64) -> Result<Vec<u8>, StoreError> {
        let blobs = self.blobs.clone();
        blocking(move || blobs.read(digest, length)?.all()).await
    }

    /// Lets a repository hold what another holds, without sending it again. False, if the other does not hold it.
    pub async fn mount(
        &self,
        from: &Repository,
        to: &Repository,
        digest: Digest,
        now: i64,
    ) -> Result<bool, StoreError> {
        let _shared = self.publishing.read().await;
        let Some(length) = self.index.held(from, &digest).await? else { return Ok(false) };
        self.index.hold(Held { repository: to, digest, length }, now).await?;
        Ok(true)
    }
}

/// Runs what waits for the disk off the threads that serve connections.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(StoreError::Broken))
}
