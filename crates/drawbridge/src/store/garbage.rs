//! Removing what nobody needs any more, while others are served.

use super::{Store, StoreError};

/// How many blobs are asked for at once.
const BATCH: i64 = 500;

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Collected {
    /// Blobs that repositories let go of.
    pub released: u64,
    /// Blobs that were removed.
    pub removed: u64,
    /// Uploads that were given up.
    pub uploads: u64,
}

impl Store {
    /// Collects what nothing has needed since `before`, in seconds since 1970.
    pub async fn collect(&self, before: i64) -> Result<Collected, StoreError> {
        let mut collected =
            Collected { released: self.index.release_unused(before).await?, ..Collected::default() };
        for id in self.index.stale_uploads(before).await? {
            self.index.remove_upload(&id).await?;
            self.blobs.abandon(&id)?;
            collected.uploads += 1;
        }
        loop {
            let unheld = self.index.unheld(BATCH).await?;
            self.blobs.failpoints().reach("collect.listed")?;
            if unheld.is_empty() {
                return Ok(collected);
            }
            for digest in unheld {
                // Nobody publishes meanwhile: or a blob could be forgotten, come anew, and be removed.
                let _alone = self.publishing.write().await;
                if self.index.forget(&digest).await? {
                    self.blobs.failpoints().reach("collect.forgotten")?;
                    let blobs = self.blobs.clone();
                    super::blocking(move || blobs.remove(&digest)).await?;
                    collected.removed += 1;
                }
            }
        }
    }
}
