//! Compiled workloads, kept on the host between runs.
//!
//! Entries are private to the user and named by the runtime; what makes them safe to load is the runtime's affair: it
//! authenticates each with the user's secret, which stands beside them. This side guarantees that a keep reads and
//! writes whole entries under well-formed names, and that all of them together stay within bounds.
//!
//! A keep never holds a descriptor it can write a published entry through: it fills anonymous memory, which is copied.

mod known;
mod private;
mod secret;

pub(crate) use known::Stamp;
pub use private::PrivateError;

use private::{File, private_directory};
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Most bytes of all entries together; the least recently used go first.
pub const TOTAL_MOST: u64 = 2 << 30;
/// Most bytes of one entry.
pub const ENTRY_MOST: u64 = 512 << 20;
/// Hexadecimal digits of an entry's name: a SHA-256.
const NAME_DIGITS: usize = 64;
/// Bytes copied at a time.
const PIECE: usize = 256 << 10;
/// How an entry being published is called until it is complete.
const UNFINISHED: &str = ".unfinished";
/// After this time, an unfinished entry belongs to a run that died.
const ABANDONED: Duration = Duration::from_secs(3600);

/// The compile cache of one user.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    secret: [u8; 32],
}

/// The place of one compiled workload.
#[derive(Debug)]
pub struct Entry {
    path: PathBuf,
    existing: Option<File>,
    fresh: OwnedFd,
    key: [u8; 32],
}

/// A compile cache that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// It is not private to the user.
    #[error(transparent)]
    Private(#[from] PrivateError),
    /// The runtime asked for a name that is none.
    #[error("`{found}` is no name of a cache entry: expected {NAME_DIGITS} hexadecimal digits")]
    Name {
        /// What it asked for.
        found: String,
    },
    /// The runtime wrote more than an entry may have.
    #[error("a cache entry of {found} bytes, more than the {ENTRY_MOST} allowed")]
    TooLong {
        /// How much it wrote.
        found: u64,
    },
    /// The disk failed.
    #[error("cannot use the compile cache `{}`", path.display())]
    Disk {
        /// What failed.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Store {
    /// Opens the cache with its entries in one directory and its secret in another; makes what is missing.
    pub fn open(entries: &Path, secrets: &Path) -> Result<Self, CacheError> {
        private_directory(entries)?;
        private_directory(secrets)?;
        Ok(Self { directory: entries.to_owned(), secret: secret::read_or_create(secrets)? })
    }

    /// The place of the entry with this name, used now.
    pub fn entry(&self, name: &str) -> Result<Entry, CacheError> {
        let digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
        if name.len() != NAME_DIGITS || !name.chars().all(digit) {
            return Err(CacheError::Name { found: name.chars().take(NAME_DIGITS).collect() });
        }
        let path = self.directory.join(name);
        let existing = match File::options().read(true).custom_flags(libc::O_NOFOLLOW).open(&path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(CacheError::Disk { path, source }),
        };
        if let Some(file) = &existing {
            // An entry that cannot be touched is only evicted sooner.
            let _ = rustix::fs::futimens(file, &now());
        }
        let fresh = scratch(&path).map_err(|source| CacheError::Disk { path: path.clone(), source })?;
        Ok(Entry { path, existing, fresh, key: secret::derive(&self.secret, name) })
    }
}

impl Entry {
    /// What is stored, if anything.
    pub(crate) fn existing(&self) -> Option<BorrowedFd<'_>> {
        self.existing.as_ref().map(AsFd::as_fd)
    }

    /// What authenticates it.
    pub(crate) const fn key(&self) -> [u8; 32] {
        self.key
    }

    /// Where to write what shall be stored.
    pub(crate) fn fresh(&self) -> BorrowedFd<'_> {
        self.fresh.as_fd()
    }

    /// Stores what was written, whole or not at all, and evicts what no longer fits.
    pub(crate) fn publish(&self) -> Result<(), CacheError> {
        let disk = |source| CacheError::Disk { path: self.path.clone(), source };
        let written = File::from(self.fresh.try_clone().map_err(disk)?);
        let found = written.metadata().map_err(disk)?.len();
        if found > ENTRY_MOST {
            return Err(CacheError::TooLong { found });
        }
        place(&self.path, |entry| copy(&written, found, entry))?;
        evict(self.path.parent().unwrap_or(Path::new(".")), TOTAL_MOST).map_err(disk)
    }
}

/// Copies `length` bytes. The keep shares the position of `from` and may change its length: neither is relied on.
fn copy(from: &File, length: u64, to: &mut File) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    let mut copied = 0;
    while copied < length {
        let read = from.read_at(&mut piece, copied)?;
        if read == 0 {
            break;
        }
        to.write_all(&piece[..read])?;
        copied += read as u64;
    }
    Ok(())
}

/// Puts a file of the user's alone at `path`, whole or not at all.
///
/// Not synced: what a crash of the host tore is refused by its tag, and made again.
fn place(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), CacheError> {
    let mut name: OsString = path.file_name().unwrap_or_default().to_owned();
    name.push(format!("-{}{UNFINISHED}", std::process::id()));
    let unfinished = path.with_file_name(name);
    let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&unfinished);
    let placed = file.and_then(|mut file| write(&mut file)).and_then(|()| std::fs::rename(&unfinished, path));
    placed.map_err(|source| {
        let _ = std::fs::remove_file(&unfinished);
        CacheError::Disk { path: path.to_owned(), source }
    })
}

/// Memory for a new entry, outside any directory.
#[cfg(target_os = "linux")]
fn scratch(_: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::memfd_create(c"enarx-cache-entry", rustix::fs::MemfdFlags::CLOEXEC)?)
}

/// A file for a new entry, already removed from its directory.
#[cfg(not(target_os = "linux"))]
fn scratch(path: &Path) -> io::Result<OwnedFd> {
    let path = path.with_extension(format!("{}{UNFINISHED}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file.into())
}

/// Removes the least recently used entries until the rest fits, and what runs that died left unfinished.
fn evict(directory: &Path, most: u64) -> io::Result<()> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        // Another run may have evicted it meanwhile.
        let Ok(metadata) = entry.metadata() else { continue };
        let used = metadata.modified()?;
        let unfinished = entry.file_name().as_encoded_bytes().ends_with(UNFINISHED.as_bytes());
        if unfinished && used.elapsed().is_ok_and(|age| age > ABANDONED) {
            let _ = std::fs::remove_file(entry.path());
        } else if !unfinished && metadata.is_file() {
            entries.push((used, metadata.size(), entry.path()));
        }
    }
    entries.sort_by_key(|(used, ..)| std::cmp::Reverse::<SystemTime>(*used));
    let mut total = 0_u64;
    for (_, size, path) in entries {
        total = total.saturating_add(size);
        if total > most {
            let _ = std::fs::remove_file(path);
        }
    }
    Ok(())
}

fn now() -> rustix::fs::Timestamps {
    let now = rustix::fs::Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW };
    rustix::fs::Timestamps { last_access: now, last_modification: now }
}

#[cfg(test)]
mod tests;
