//! Many small commits as few: whoever waits for the disk at the same time waits for one flush.

use super::Index;
use super::contents::Held;
use crate::store::StoreError;
use api::digest::Digest;
use api::name::Repository;
use sqlx::AnyPool;
use tokio::sync::{mpsc, oneshot};

/// The largest batch.
const LARGEST: usize = 64;
/// Jobs that may wait before senders do.
const QUEUE: usize = 256;

/// Where jobs are sent.
pub(super) type Sender = mpsc::Sender<Job>;

/// One blob that a repository comes to hold.
pub(super) struct Job {
    repository: Repository,
    digest: Digest,
    length: u64,
    now: i64,
    done: oneshot::Sender<Result<(), StoreError>>,
}

/// Starts the task that writes; it ends with the last sender.
pub(super) fn start(writers: AnyPool) -> Sender {
    let (sender, mut jobs) = mpsc::channel::<Job>(QUEUE);
    tokio::spawn(async move {
        let mut batch = Vec::new();
        while jobs.recv_many(&mut batch, LARGEST).await > 0 {
            let outcome = write(&writers, &batch).await;
            for (number, job) in batch.drain(..).enumerate() {
                let told = match &outcome {
                    Ok(over_quota) if over_quota.contains(&number) => {
                        Err(StoreError::Quota { user: job.repository.user().to_owned() })
                    }
                    Ok(_) => Ok(()),
                    Err(StoreError::Full) => Err(StoreError::Full),
                    Err(error) => Err(StoreError::Index(sqlx::Error::Protocol(error.to_string()))),
                };
                // Whoever has gone away does not want to know.
                let _ = job.done.send(told);
            }
        }
    });
    sender
}

/// Writes a batch as one transaction; the jobs that would exceed a quota, which are not written.
async fn write(writers: &AnyPool, batch: &[Job]) -> Result<Vec<usize>, StoreError> {
    let mut over_quota = Vec::new();
    let mut transaction = writers.begin().await?;
    for (number, job) in batch.iter().enumerate() {
        let held = Held { repository: &job.repository, digest: job.digest, length: job.length };
        if !held.enter(&mut transaction, job.now).await? {
            over_quota.push(number);
        }
    }
    transaction.commit().await?;
    Ok(over_quota)
}

impl Index {
    /// Enters that a repository holds a blob, and counts it against its owner's quota. On the disk when this returns.
    pub async fn hold(&self, held: Held<'_>, now: i64) -> Result<(), StoreError> {
        let (done, told) = oneshot::channel();
        let Held { repository, digest, length } = held;
        let job = Job { repository: repository.clone(), digest, length, now, done };
        self.batch.send(job).await.map_err(|_| StoreError::Broken)?;
        told.await.unwrap_or(Err(StoreError::Broken))
    }
}
