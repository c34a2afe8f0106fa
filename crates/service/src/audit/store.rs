//! The files of a log: one that grows, and those that are closed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::line::Draft;
use super::verify::{self, Scan};
use super::{AuditError, Head, Settings, Sync};

/// The file that grows.
pub(super) const CURRENT: &str = "audit.jsonl";

/// Held while a process writes.
const LOCK: &str = "lock";

/// What a line is called that tells of one cut off by a crash.
const TORN: &str = "audit.torn";

/// A log open for writing.
pub(super) struct Store {
    settings: Settings,
    file: File,
    length: u64,
    /// The number of the first line of the file, if it has one.
    first: Option<u64>,
    head: Head,
    /// A flush failed: what is on the disk is not known any more, so nothing is acknowledged.
    failed: bool,
    /// Released when the process ends, however it ends.
    _lock: File,
}

impl Store {
    pub(super) fn open(settings: Settings, now: &str) -> Result<Self, AuditError> {
        let directory = &settings.directory;
        let make = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        make.map_err(AuditError::file("make the directory", directory))?;
        let lock = lock(directory)?;
        let damaged = |breach| AuditError::Damaged { path: directory.clone(), breach: Box::new(breach) };
        let closed = verify::closed_files(directory).map_err(damaged)?;
        let before = match closed.last() {
            Some((_, path)) => verify::scan(path, None, |_| Ok(())).map_err(damaged)?.head,
            None => Head::NONE,
        };
        let path = directory.join(CURRENT);
        let found = match path.exists() {
            true => verify::scan(&path, Some(before), |_| Ok(())).map_err(damaged)?,
            false => Scan::empty(before),
        };
        let file = append_to(&path)?;
        let mut store = Self {
            length: found.length,
            first: found.first,
            head: found.head,
            failed: false,
            _lock: lock,
            file,
            settings,
        };
        if found.torn > 0 {
            store.cut().map_err(AuditError::file("cut the torn line off", &path))?;
            let note = Draft::new(now, TORN, &serde_json::json!({ "removed_bytes": found.torn }))?;
            store.append([&note]).map_err(AuditError::file("write", &path))?;
        }
        sync_directory(&store.settings.directory)
            .map_err(AuditError::file("flush", &store.settings.directory))?;
        Ok(store)
    }

    pub(super) fn head(&self) -> Head {
        self.head
    }

    /// Writes lines as one, and returns the head that each makes. After an error none of them is in the log.
    pub(super) fn append<'a>(
        &mut self,
        drafts: impl IntoIterator<Item = &'a Draft>,
    ) -> io::Result<Vec<Head>> {
        if self.failed {
            return Err(io::Error::other("a flush failed before; start again when the disk is sound"));
        }
        let mut bytes = Vec::new();
        let mut head = self.head;
        let heads: Vec<Head> = drafts
            .into_iter()
            .map(|draft| {
                head = draft.place(head, &mut bytes);
                head
            })
            .collect();
        if self.length > 0 && self.length + bytes.len() as u64 > self.settings.rotate_bytes {
            self.rotate()?;
        }
        if let Err(error) = self.file.write_all(&bytes) {
            // Part of a line may be there, as on a full disk: it goes, or nothing is written any more.
            self.failed = self.cut().is_err();
            return Err(error);
        }
        if self.settings.sync == Sync::Always
            && let Err(error) = self.file.sync_data()
        {
            self.failed = true;
            return Err(error);
        }
        self.length += bytes.len() as u64;
        self.first = self.first.or_else(|| heads.first().map(|head| head.seq));
        self.head = head;
        Ok(heads)
    }

    /// Closes the file under the number of its first line, and begins the next. A crash in between leaves no current file,
    /// which the next start begins.
    fn rotate(&mut self) -> io::Result<()> {
        let Some(first) = self.first else { return Ok(()) };
        self.file.sync_all()?;
        let directory = &self.settings.directory;
        fs::rename(directory.join(CURRENT), directory.join(closed_name(first)))?;
        let begun = append_to(&directory.join(CURRENT)).and_then(|file| {
            sync_directory(directory).map_err(AuditError::file("flush", directory))?;
            Ok(file)
        });
        match begun {
            Ok(file) => {
                (self.file, self.length, self.first) = (file, 0, None);
                Ok(())
            }
            Err(error) => {
                // The open file has its closed name already: lines must not go there.
                self.failed = true;
                Err(io::Error::other(error.to_string()))
            }
        }
    }

    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.sync_all()
    }
}

/// The name of a closed file, which sorts by its first line.
pub(super) fn closed_name(first: u64) -> String {
    format!("audit-{first:020}.jsonl")
}

fn lock(directory: &Path) -> Result<File, AuditError> {
    let path = directory.join(LOCK);
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = file.map_err(AuditError::file("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(AuditError::Locked(directory.to_owned())),
        Err(fs::TryLockError::Error(source)) => Err(AuditError::File { act: "lock", path, source }),
    }
}

fn append_to(path: &PathBuf) -> Result<File, AuditError> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    file.map_err(AuditError::file("open", path))
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
