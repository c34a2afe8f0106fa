//! Why the store did not do what it was asked.

use api::digest::Digest;
use std::io;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Content that is not what its sender said.
    #[error("expected content with {expected}, found {found}")]
    Mismatch {
        /// The digest that was announced.
        expected: Digest,
        /// The digest that it has.
        found: String,
    },
    /// Content of another length than its sender said.
    #[error("expected {expected} bytes, found {found}")]
    Length {
        /// The length that was announced.
        expected: u64,
        /// The length that it has, or has so far.
        found: u64,
    },
    /// Content that goes on past the limit.
    #[error("more than the {limit} bytes allowed")]
    TooLong {
        /// The limit.
        limit: u64,
    },
    /// The sender went away.
    #[error("the content ended before it was whole")]
    Broken,
    /// A user has stored all that they may.
    #[error("the quota of user `{user}` is used up")]
    Quota {
        /// The user.
        user: String,
    },
    /// A stored file is not what its name says.
    #[error("the stored copy of {digest} is damaged")]
    Damaged {
        /// The blob.
        digest: Digest,
    },
    /// The index names a blob that is not there.
    #[error("the stored copy of {digest} is missing")]
    Lost {
        /// The blob.
        digest: Digest,
    },
    /// There is no room left.
    #[error("no space is left to store it")]
    Full,
    /// Another program has the store open.
    #[error("the store is in use by another program")]
    InUse,
    /// The file system failed.
    #[error("the file system failed: {0}")]
    File(io::Error),
    /// The index failed.
    #[error("the index failed: {0}")]
    Index(sqlx::Error),
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::Full
            }
            _ => Self::File(error),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        // SQLITE_FULL is 13; extended codes carry it in their low byte. PostgreSQL: 53100, disk_full.
        match error.as_database_error().and_then(|error| error.code()).as_deref() {
            Some("13" | "53100") => Self::Full,
            _ => Self::Index(error),
        }
    }
}
