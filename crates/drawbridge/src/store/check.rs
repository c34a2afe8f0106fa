//! `drawbridge fsck`: every blob is read again, and compared with its name and with the index.

use super::{Store, StoreError};
use api::digest::Digest;
use std::path::PathBuf;

/// What a check found.
#[derive(Debug, Default, serde::Serialize)]
pub struct Findings {
    /// Blobs that are what their names say.
    pub sound: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs whose content is not what their names say.
    pub damaged: Vec<Digest>,
    /// Blobs that the index knows, and that are not there.
    pub lost: Vec<Digest>,
    /// Blobs that are there, and that the index does not know: a crash leaves such; they hold room, and do no harm.
    pub orphaned: Vec<Digest>,
    /// Files among the blobs that are none.
    pub strangers: Vec<PathBuf>,
}

impl Findings {
    /// Whether nothing that was acknowledged is missing.
    pub fn is_sound(&self) -> bool {
        self.damaged.is_empty() && self.lost.is_empty()
    }
}

impl Store {
    /// Reads every blob again. With `repair`, removes orphans.
    pub async fn check(&self, repair: bool) -> Result<Findings, StoreError> {
        let mut findings = Findings::default();
        let mut after = String::new();
        loop {
            let page = self.index.blobs(&after, 500).await?;
            let Some((last, _)) = page.last() else { break };
            after = last.to_string();
            for (digest, length) in page {
                let blobs = self.blobs.clone();
                let read = super::blocking(move || {
                    let mut reading = blobs.read(digest, length)?;
                    while reading.next()?.is_some() {}
                    Ok(())
                });
                match read.await {
                    Ok(()) => {
                        (findings.sound, findings.bytes) = (findings.sound + 1, findings.bytes + length)
                    }
                    Err(StoreError::Lost { digest }) => findings.lost.push(digest),
                    // Unreadable is as bad as altered.
                    Err(_) => findings.damaged.push(digest),
                }
            }
        }
        for first in 0..=u8::MAX {
            let (blobs, strangers) = self.blobs.list(first)?;
            findings.strangers.extend(strangers);
            for digest in blobs {
                if !self.index.knows(&digest).await? {
                    if repair {
                        self.blobs.remove(&digest)?;
                    }
                    findings.orphaned.push(digest);
                }
            }
        }
        Ok(findings)
    }
}
