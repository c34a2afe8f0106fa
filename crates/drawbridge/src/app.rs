//! What every request needs: the store, the clock, randomness, limits.

use crate::error::Refusal;
use crate::store::index::RepositoryRow;
use crate::store::{Staging, Store};
use api::name::Repository;
use service::audit::Log;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

/// Most uploads that were started, and of which nothing has come.
const FRESH_LIMIT: usize = 4096;

/// Uploads between two of their requests. One of which something has come is in the index and on the disk as well, and is
/// found again there after a restart.
#[derive(Default)]
pub struct Uploads(Mutex<HashMap<String, Upload>>);

/// How far an upload is.
pub enum Upload {
    /// Started for this repository; nothing has come.
    Fresh(Repository),
    /// A request is at work on it.
    Busy,
    /// As the last request left it.
    Idle(Box<Staging>),
}

impl Uploads {
    /// Starts an upload. When too many were started, those of which nothing came are forgotten.
    pub fn start(&self, id: String, repository: Repository) {
        let mut uploads = self.lock();
        if uploads.len() >= FRESH_LIMIT {
            uploads.retain(|_, upload| !matches!(upload, Upload::Fresh(_)));
        }
        uploads.insert(id, Upload::Fresh(repository));
    }

    /// Whether an upload was started for this repository, and nothing has come of it.
    pub fn is_fresh(&self, id: &str, repository: &Repository) -> bool {
        matches!(self.lock().get(id), Some(Upload::Fresh(known)) if known == repository)
    }

    /// Takes such an upload for one request.
    pub fn take_fresh(&self, id: &str, repository: &Repository) -> bool {
        let mut uploads = self.lock();
        let fresh = matches!(uploads.get(id), Some(Upload::Fresh(known)) if known == repository);
        if fresh {
            uploads.insert(id.to_owned(), Upload::Busy);
        }
        fresh
    }

    /// Takes any other for one request; none, if it is only on the disk.
    pub fn take(&self, id: &str) -> Option<Upload> {
        self.lock().insert(id.to_owned(), Upload::Busy)
    }

    /// Gives an upload back, or ends it.
    pub fn put(&self, id: &str, staging: Option<Staging>) {
        match staging {
            Some(staging) => self.lock().insert(id.to_owned(), Upload::Idle(Box::new(staging))),
            None => self.lock().remove(id),
        };
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Upload>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
