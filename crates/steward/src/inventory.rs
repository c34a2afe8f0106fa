//! The inventory: what was issued and refused, to whom, on which evidence and policy; and what was revoked.
//!
//! One schema for SQLite (one Steward) and PostgreSQL (replicas), spoken to in the SQL that both know. Records go through a
//! bounded queue to one writer, which commits what waits as one transaction.
//!
//! **Nothing is issued that is not recorded**: where an inventory is configured, a certificate leaves only after its record is
//! committed. A database that is slower than the deadline, or a full queue, refuses the request; it never delays others.
//! A record may thus exist for a certificate that nobody received, never the other way round.

mod evidence;
pub mod export;
mod nonce;
pub mod query;
pub mod record;
pub mod revoked;
mod writer;

use std::time::Duration;

use attest::time::Time;
use serde::Deserialize;
use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyPool, Executor, SqlSafeStr};
use tokio::sync::mpsc;

pub use self::query::{Filter, Page};
pub use self::record::{Outcome, Record};

/// The schema, in the order it grew. A file is never changed once it has shipped: databases remember its digest.
const MIGRATIONS: [(i64, &str, &str); 1] = [(1, "inventory", include_str!("../migrations/1_inventory.sql"))];

/// Connections at once, unless the settings say otherwise: SQLite has one writer and some readers.
const CONNECTIONS: u32 = 4;

/// Where the inventory is and what it keeps.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `sqlite:/var/lib/steward/inventory.db` or `postgres://steward@host/steward`.
    pub url: String,
    /// The most milliseconds that an answer waits for its record.
    #[serde(default = "deadline")]
    pub deadline_ms: u64,
    /// The most records that wait to be written; more refuse requests at once.
    #[serde(default = "queue")]
    pub queue: usize,
    /// The most connections.
    #[serde(default = "connections")]
    pub connections: u32,
    /// Keep the evidence itself, so that `steward policy diff` can judge it again.
    #[serde(default)]
    pub keep_evidence: bool,
    /// The most bytes of evidence that are kept; the oldest goes first.
    #[serde(default = "evidence_bytes")]
    pub evidence_bytes: u64,
    /// How long records are kept after their certificates expired; for ever without it.
    #[serde(default)]
    pub retention_days: Option<u64>,
}

/// An open inventory.
#[derive(Clone, Debug)]
pub struct Inventory {
    pool: AnyPool,
    queue: mpsc::Sender<writer::Job>,
    deadline: Duration,
    keep_evidence: bool,
    retention: Option<Duration>,
}

/// Why the inventory cannot answer.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum InventoryError {
    #[error(
        "cannot open the inventory: {0}\nhint: `url` is sqlite:/path/to/file.db or postgres://user@host/database"
    )]
    Open(#[source] sqlx::Error),
    #[error("cannot bring the inventory's schema up to date: {0}\nhint: a newer Steward may have changed it")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    #[error("the inventory failed: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the inventory failed: {0}")]
    Written(String),
    #[error("the inventory cannot keep up: {queue} records wait\nhint: look at the database's load")]
    Busy { queue: usize },
    #[error("the inventory did not answer in {} ms\nhint: look at the database's load, or raise `deadline_ms`", .0.as_millis())]
    Late(Duration),
    #[error("the inventory holds `{found}` where {expected} belongs")]
    Damaged { expected: &'static str, found: String },
    #[error("`{found}` is no {expected}")]
    Filter { expected: &'static str, found: String },
}

impl Settings {
    /// A database with everything else left to its default.
    pub fn of(url: String) -> Self {
        Self {
            url,
            deadline_ms: deadline(),
            queue: queue(),
            connections: connections(),
            keep_evidence: false,
            evidence_bytes: evidence_bytes(),
            retention_days: None,
        }
    }
}

impl Inventory {
    /// Opens a database, brings its schema up to date, and starts the writer on the current runtime.
    pub async fn open(settings: &Settings) -> Result<Self, InventoryError> {
        let pool = connect(settings).await.map_err(InventoryError::Open)?;
        migrator().run(&pool).await.map_err(InventoryError::Migrate)?;
        let (queue, jobs) = mpsc::channel(settings.queue.max(1));
        let bound = settings.keep_evidence.then_some(settings.evidence_bytes);
        tokio::spawn(writer::run(pool.clone(), jobs, bound));
        let deadline = Duration::from_millis(settings.deadline_ms);
        let retention = settings.retention_days.map(|days| Duration::from_secs(days.saturating_mul(86_400)));
        Ok(Self { pool, queue, deadline, keep_evidence: settings.keep_evidence, retention })
    }

    /// Whether evidence is worth handing to [`record`](Self::record).
    pub fn keeps_evidence(&self) -> bool {
        self.keep_evidence
    }

    /// Records what was decided; returns once it is committed. `evidence` is the submission as it came.
    pub async fn record(&self, record: Record, evidence: Option<Vec<u8>>) -> Result<(), InventoryError> {
        let evidence = evidence.filter(|_| self.keep_evidence);
        let (job, answer) = writer::Job::new(record, evidence);
        let full = |_| InventoryError::Busy { queue: self.queue.max_capacity() };
        self.queue.try_send(job).map_err(full)?;
        match tokio::time::timeout(self.deadline, answer).await {
            Ok(Ok(written)) => written.map_err(InventoryError::Written),
            Ok(Err(_)) => Err(InventoryError::Written("the writer has stopped".into())),
            Err(_) => Err(InventoryError::Late(self.deadline)),
        }
    }

    /// Whether the database answers.
    pub async fn check(&self) -> Result<(), InventoryError> {
        let one = sqlx::query("SELECT 1").execute(&self.pool);
        let answered = tokio::time::timeout(self.deadline, one).await;
        answered.map_err(|_| InventoryError::Late(self.deadline))?.map(|_| ()).map_err(Into::into)
    }

    /// Removes records, and evidence that no record names any more. Records of certificates count by their expiry, so that
    /// no certificate that is still valid is forgotten. Returns how many records went.
    pub async fn purge(&self, before: Time) -> Result<u64, InventoryError> {
        let before = seconds(before);
        let mut transaction = self.pool.begin().await?;
        let gone = sqlx::query("DELETE FROM record WHERE COALESCE(not_after, time) < $1 AND time < $1")
            .bind(before)
            .execute(&mut *transaction)
            .await?
            .rows_affected();
        let orphans = "DELETE FROM evidence WHERE time < $1 \
                       AND NOT EXISTS (SELECT 1 FROM record WHERE record.evidence = evidence.digest)";
        sqlx::query(orphans).bind(before).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(gone)
    }

    /// Removes what is older than the settings keep it; nothing if they keep everything.
    pub async fn expire(&self, now: Time) -> Result<u64, InventoryError> {
        match self.retention {
            Some(retention) => self.purge(Time(now.0.saturating_sub(retention.as_secs()))).await,
            None => Ok(0),
        }
    }

    /// Closes every connection. Records that wait are written first, if their writer still runs.
    pub async fn close(self) {
        let Self { pool, queue, .. } = self;
        drop(queue);
        pool.close().await;
    }
}

async fn connect(settings: &Settings) -> Result<AnyPool, sqlx::Error> {
    install_default_drivers();
    let sqlite = settings.url.starts_with("sqlite:");
    let url = match sqlite && !settings.url.contains('?') {
        true => format!("{}?mode=rwc", settings.url),
        false => settings.url.clone(),
    };
    let deadline = Duration::from_millis(settings.deadline_ms);
    AnyPoolOptions::new()
        .max_connections(settings.connections)
        .acquire_timeout(deadline.max(Duration::from_secs(1)))
        .after_connect(move |connection, _| {
            Box::pin(async move {
                if sqlite {
                    // A commit is on the disk when it returns; readers do not wait for the writer.
                    connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL").await?;
                }
                Ok(())
            })
        })
        .connect(&url)
        .await
}

fn migrator() -> Migrator {
    let migrations = MIGRATIONS.map(|(version, description, sql)| {
        Migration::new(version, description.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.into())
}

/// Times as the database has them.
fn seconds(time: Time) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

fn deadline() -> u64 {
    2_000
}

fn queue() -> usize {
    1_024
}

fn connections() -> u32 {
    CONNECTIONS
}

fn evidence_bytes() -> u64 {
    1024 * 1024 * 1024
}
