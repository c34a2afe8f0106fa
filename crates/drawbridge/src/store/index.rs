//! What there is, who holds it, and what it is called: SQLite beside the blobs, or PostgreSQL.
//!
//! A write is one transaction, and on the disk when it returns. The index never names a blob that was not published before.

mod batch;
mod contents;
mod manifests;
mod nodes;
mod people;
mod repositories;
mod tags;
mod uploads;

pub use contents::Held;
pub use manifests::{Descriptor, Manifest};
pub use nodes::Node;
pub use people::{Token, UserRow};
pub use repositories::RepositoryRow;
pub use tags::{Claimed, Tag, TreeTag};

use super::StoreError;
use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Any, AnyPool, Executor, SqlSafeStr, Transaction};
use std::path::Path;
use std::time::Duration;

const MIGRATIONS: [(i64, &str, &str); 1] = [(1, "first", include_str!("../../migrations/1_first.sql"))];

/// How long a query waits for a connection, or for another program's lock.
const PATIENCE: Duration = Duration::from_secs(10);

/// Each commit is on the disk before it returns; readers do not wait for the writer.
const SQLITE: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 10000";

/// The index of a store.
#[derive(Clone)]
pub struct Index {
    readers: AnyPool,
    writers: AnyPool,
    batch: batch::Sender,
}

impl Index {
    /// Opens the index in a store's folder, or makes one.
    pub async fn open(store: &Path) -> Result<Self, StoreError> {
        let path = store.join("index.sqlite");
        let url = format!("sqlite://{}?mode=rwc", path.display());
        // SQLite has one writer at a time. Waiting for a connection is fair, waiting for its lock is not.
        let (writers, readers) = (pool(&url, 1).await?, pool(&url, 4).await?);
        Self::new(readers, writers).migrated(str::to_owned).await
    }

    /// Connects to an index in PostgreSQL.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let pool = pool(url, 16).await?;
        // Lists are in the order of bytes everywhere, and not in that of the database's language.
        let flavour = |sql: &str| sql.replace(" TEXT", " TEXT COLLATE \"C\"");
        Self::new(pool.clone(), pool).migrated(flavour).await
    }

    fn new(readers: AnyPool, writers: AnyPool) -> Self {
        let batch = batch::start(writers.clone());
        Self { readers, writers, batch }
    }

    async fn migrated(self, flavour: fn(&str) -> String) -> Result<Self, StoreError> {
        let migrations = MIGRATIONS.map(|(version, name, sql)| {
            let sql = sqlx::AssertSqlSafe(flavour(sql)).into_sql_str();
            Migration::new(version, name.into(), MigrationType::Simple, sql, false)
        });
        let migrator = Migrator::with_migrations(migrations.into());
        migrator.run(&self.writers).await.map_err(|error| StoreError::Index(error.into()))?;
        Ok(self)
    }

    async fn begin(&self) -> Result<Transaction<'static, Any>, StoreError> {
        Ok(self.writers.begin().await?)
    }

    /// Whether it answers.
    pub async fn check(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.readers).await?;
        Ok(())
    }

    /// Writes everything to the main file, and closes.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writers.close().await;
    }
}

async fn pool(url: &str, connections: u32) -> Result<AnyPool, StoreError> {
    install_default_drivers();
    let options = AnyPoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE);
    let sqlite = url.starts_with("sqlite:");
    let options = options.after_connect(move |connection, _| {
        Box::pin(async move {
            if sqlite {
                connection.execute(SQLITE).await?;
            }
            Ok(())
        })
    });
    Ok(options.connect(url).await?)
}

/// A number of bytes as the index has it: SQL knows no unsigned numbers.
fn signed(length: u64) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn unsigned(length: i64) -> u64 {
    u64::try_from(length).unwrap_or(0)
}

/// What the index holds was checked when it was written; what does not read back is a damaged index.
fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, StoreError>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().map_err(|error: T::Err| StoreError::Index(sqlx::Error::Decode(Box::new(error))))
}
