//! The one writer: takes what waits, commits it as one transaction, tells each sender.

use sqlx::AnyPool;
use tokio::sync::{mpsc, oneshot};

use super::evidence;
use super::record::Record;

/// The most records of one transaction.
const BATCH: usize = 64;

/// A record that waits.
#[derive(Debug)]
pub(super) struct Job {
    record: Record,
    evidence: Option<Vec<u8>>,
    done: oneshot::Sender<Result<(), String>>,
}

impl Job {
    pub(super) fn new(
        record: Record,
        evidence: Option<Vec<u8>>,
    ) -> (Self, oneshot::Receiver<Result<(), String>>) {
        let (done, answer) = oneshot::channel();
        (Self { record, evidence, done }, answer)
    }
}

/// Runs until nobody can send any more. `bound` is the most bytes of evidence that are kept.
pub(super) async fn run(pool: AnyPool, mut jobs: mpsc::Receiver<Job>, bound: Option<u64>) {
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.recv_many(&mut batch, BATCH).await > 0 {
        // Whoever stopped waiting was refused already: the record would tell of a certificate that never left.
        batch.retain(|job| !job.done.is_closed());
        match commit(&pool, &batch).await {
            Ok(()) => answer(batch.drain(..), &Ok(())),
            // One record that the database does not take must not refuse the others.
            Err(_) if batch.len() > 1 => {
                for job in batch.drain(..) {
                    let written = commit(&pool, std::slice::from_ref(&job)).await;
                    answer([job], &written.map_err(|error| error.to_string()));
                }
            }
            Err(error) => answer(batch.drain(..), &Err(error.to_string())),
        }
        if let Some(bound) = bound
            && let Err(error) = evidence::prune(&pool, bound).await
        {
            tracing::warn!(error = %error, "cannot remove old evidence from the inventory");
        }
    }
}

async fn commit(pool: &AnyPool, batch: &[Job]) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    for Job { record, evidence, .. } in batch {
        record.insert().execute(&mut *transaction).await?;
        if let (Some(body), Some(digest)) = (evidence, &record.evidence) {
            evidence::insert(&mut transaction, digest, record.time, body).await?;
        }
    }
    transaction.commit().await
}

fn answer(jobs: impl IntoIterator<Item = Job>, written: &Result<(), String>) {
    for job in jobs {
        // A sender that stopped waiting has been refused.
        let _ = job.done.send(written.clone());
    }
}
