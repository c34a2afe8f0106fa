//! An append-only log whose lines vouch for each other: the record of what a service decided.
//!
//! ```text
//! {"seq":7,"time":"2026-11-21T14:30:00Z","kind":"certificate.issued","entry":{…},"prev":"<hash of line 6>","hash":"<hash>"}
//! ```
//!
//! One line is one JSON object. `hash` is the SHA-256 of the line's bytes before `,"hash":`, and `prev` repeats the hash of
//! the line before, 64 zeros in the first. The canonical bytes are therefore the bytes on disk: nothing is parsed and written
//! anew to be checked. The chain runs on from file to file: a full file is renamed after its first sequence number.
//!
//! What is found, given the files alone: every edited, inserted, removed or reordered line, and every change of a byte. What
//! is not: lines missing from the end, and a rewritten log with all its hashes; the hashes have no key. Both are found
//! against a [`Head`] that was recorded elsewhere, and only as far as that head reaches. [`verify()`] has the details.
//!
//! A line is acknowledged after it is written and, under [`Sync::Always`], on the disk. Lines that wait at the same time
//! share one write and one flush.

mod line;
mod store;
mod verify;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde::Serialize;
use tokio::sync::oneshot;

use self::line::Draft;
pub use self::line::{Hash, Line, LineError, MAX_LINE};
use self::store::Store;
pub use self::verify::{Breach, Expected, Verified, verify};

/// The largest batch of lines that share one flush.
const BATCH: usize = 256;

/// Lines that may wait; more are refused at once.
const QUEUE: usize = 1024;

/// Where the log is and how it is kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory of its files; made if it is missing, readable by its owner alone.
    pub directory: PathBuf,
    /// A file of this size is closed, and the next begun.
    pub rotate_bytes: u64,
    /// When lines are flushed to the disk.
    pub sync: Sync,
}

/// When lines are flushed to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sync {
    /// Before they are acknowledged: a power cut takes nothing that was acknowledged.
    Always,
    /// When the system pleases: a killed process loses nothing that was acknowledged, a power cut may.
    System,
}

/// The last line of a log at some time: with it, lines missing from the end are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The line's sequence number; zero before the first.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
}

/// Why a log cannot be opened or written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum AuditError {
    #[error("cannot {act} `{path}`")]
    File {
        act: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("another process writes the audit log in `{0}`\nhint: each service keeps its own directory")]
    Locked(PathBuf),
    #[error(
        "the audit log in `{path}` is damaged: {breach}\nhint: keep the directory as it is for the inquiry, and name a new one"
    )]
    Damaged { path: PathBuf, breach: Box<Breach> },
    #[error("the audit log cannot keep up: {QUEUE} lines wait\nhint: look at the disk's load")]
    Busy,
    #[error("a line of {found} bytes is over the limit of {MAX_LINE}")]
    TooLong { found: usize },
    #[error("the entry cannot be written as JSON: {0}")]
    Entry(String),
    #[error("the audit log stopped writing")]
    Stopped,
    #[error("the audit log could not be written: {0}")]
    Write(String),
}

/// A log that is being written, by a thread of its own. Dropping the last handle writes what waits, and closes it.
#[derive(Clone, Debug)]
pub struct Log(Arc<Writer>);

#[derive(Debug)]
struct Writer {
    /// Nothing once the log is being closed.
    queue: Option<mpsc::SyncSender<Job>>,
    thread: Option<thread::JoinHandle<()>>,
    head: Arc<Mutex<Head>>,
}

#[derive(Debug)]
struct Job {
    draft: Draft,
    done: oneshot::Sender<Result<Head, AuditError>>,
}

impl Log {
    /// Opens a log, or begins one; `now` dates the line that tells of a torn one. The newest file is read and verified: a
    /// line that was cut off by a crash is removed and told of, any other damage refused.
    pub fn open(settings: Settings, now: impl fmt::Display) -> Result<(Self, Head), AuditError> {
        let directory = settings.directory.clone();
        let store = Store::open(settings, &now.to_string())?;
        let head = store.head();
        let (queue, jobs) = mpsc::sync_channel(QUEUE);
        let failed = AuditError::file("start the writer of", &directory);
        let latest = Arc::new(Mutex::new(head));
        let told = latest.clone();
        let thread = thread::Builder::new().name("audit".into()).spawn(move || write(store, &jobs, &told));
        let thread = thread.map_err(failed)?;
        Ok((Self(Arc::new(Writer { queue: Some(queue), thread: Some(thread), head: latest })), head))
    }

    /// The last line that was acknowledged.
    pub fn head(&self) -> Head {
        *self.0.head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line, and returns once it is written as the settings say. Whoever stops waiting may find the line in the log.
    pub async fn record(
        &self,
        now: impl fmt::Display,
        kind: &'static str,
        entry: &impl Serialize,
    ) -> Result<Head, AuditError> {
        self.send(now, kind, entry)?.await.unwrap_or(Err(AuditError::Stopped))
    }

    /// The same for threads that may block.
    pub fn record_blocking(
        &self,
        now: impl fmt::Display,
        kind: &'static str,
        entry: &impl Serialize,
    ) -> Result<Head, AuditError> {
        self.send(now, kind, entry)?.blocking_recv().unwrap_or(Err(AuditError::Stopped))
    }

    fn send(
        &self,
        now: impl fmt::Display,
        kind: &'static str,
        entry: &impl Serialize,
    ) -> Result<oneshot::Receiver<Result<Head, AuditError>>, AuditError> {
        let draft = Draft::new(&now.to_string(), kind, entry)?;
        let (done, answer) = oneshot::channel();
        let queue = self.0.queue.as_ref().ok_or(AuditError::Stopped)?;
        queue.try_send(Job { draft, done }).map_err(|error| match error {
            mpsc::TrySendError::Full(_) => AuditError::Busy,
            mpsc::TrySendError::Disconnected(_) => AuditError::Stopped,
        })?;
        Ok(answer)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        // A writer that panicked has told its senders so.
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

/// The writer: takes what waits, writes it as one, tells each sender.
fn write(mut store: Store, jobs: &mpsc::Receiver<Job>, head: &Mutex<Head>) {
    while let Ok(first) = jobs.recv() {
        let mut batch = vec![first];
        batch.extend(jobs.try_iter().take(BATCH - 1));
        let written = store.append(batch.iter().map(|job| &job.draft));
        match written {
            Ok(heads) => {
                *head.lock().unwrap_or_else(PoisonError::into_inner) = store.head();
                for (job, head) in batch.into_iter().zip(heads) {
                    // A sender that stopped waiting is nobody's loss.
                    let _ = job.done.send(Ok(head));
                }
            }
            Err(error) => batch.into_iter().for_each(|job| {
                let _ = job.done.send(Err(AuditError::Write(error.to_string())));
            }),
        }
    }
}

impl Head {
    /// Before the first line.
    pub const NONE: Self = Self { seq: 0, hash: Hash([0; 32]) };
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

impl FromStr for Head {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once(':').and_then(|(seq, hash)| {
            let canonical = seq == "0" || !seq.starts_with(['0', '+']);
            Some(Self { seq: seq.parse().ok().filter(|_| canonical)?, hash: Hash::from_hex(hash)? })
        });
        parsed.ok_or("a head is a sequence number, a colon, and 64 hexadecimal digits")
    }
}

impl AuditError {
    fn file(act: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::File { act, path: path.to_owned(), source }
    }
}
