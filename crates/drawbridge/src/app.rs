//! What every request needs: the store, the clock, randomness, limits.

use crate::error::Refusal;
use crate::store::index::RepositoryRow;
use crate::store::{Staging, Store};
use api::name::Repository;
use service::audit::Log;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What every request needs.
pub struct App {
    /// What is kept.
    pub store: Store,
    /// Seconds since 1970.
    pub clock: fn() -> i64,
    /// Fills with random bytes.
    pub random: fn(&mut [u8]),
    /// The largest blob in bytes.
    pub blob_limit: u64,
    /// The record of releases and refusals; none in tests of other things.
    pub audit: Option<Log>,
    /// Uploads between two of their requests, with the state of their hashes.
    pub uploads: Uploads,
}

/// The state that routes get.
pub type Shared = Arc<App>;

impl App {
    /// The time.
    pub fn now(&self) -> i64 {
        (self.clock)()
    }

    /// A repository that must be there.
    pub async fn repository(&self, name: &Repository) -> Result<RepositoryRow, Refusal> {
        self.store.index.repository(name).await?.ok_or(Refusal::Missing("repository"))
    }

    /// A name that cannot be guessed.
    pub fn random_name(&self) -> String {
        let mut bytes = [0; 16];
        (self.random)(&mut bytes);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Uploads between two of their requests. What is not here is read again from the staging file.
#[derive(Default)]
pub struct Uploads(Mutex<HashMap<String, Option<Staging>>>);

impl Uploads {
    /// Takes an upload for one request. None, if another request has it.
    pub fn take(&self, id: &str) -> Option<Taken> {
        let mut uploads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match uploads.insert(id.to_owned(), None) {
            Some(None) => None,
            Some(Some(staging)) => Some(Taken::Known(Box::new(staging))),
            None => Some(Taken::Unknown),
        }
    }

    /// Gives an upload back, or ends it.
    pub fn put(&self, id: &str, staging: Option<Staging>) {
        let mut uploads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match staging {
            Some(staging) => uploads.insert(id.to_owned(), Some(staging)),
            None => uploads.remove(id),
        };
    }
}

/// An upload that one request has to itself.
pub enum Taken {
    /// As the last request left it.
    Known(Box<Staging>),
    /// To be read from its file.
    Unknown,
}
