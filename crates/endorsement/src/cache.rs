//! Answers of vendors on disk, each with its lifetime.
//!
//! Whoever wants an item gets it from here while it is fresh, and from the vendor when it is not. While the vendor is away
//! the old item serves on, and says how old it is: whether it is too old is the verifier's policy. Several processes share
//! a cache: one of them asks for an item, the others wait for its answer.
//!
//! An answer that does not decode as what was asked for, or that is older than what is here, changes nothing.

use crate::fetch::{Answer, Client, FetchError};
use crate::file::{self, Endorsement, FileError, Unrecognised};
use crate::{Kind, Wanted};
use attest::crypto::sha256;
use attest::endorsements::DocumentKind;
use attest::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The name of the index.
pub const INDEX: &str = "index.json";
/// The version of the index.
const SCHEMA: u32 = 1;
/// Most entries.
const ENTRIES_MOST: usize = 4096;
const DAY: u64 = 86_400;

/// A directory of endorsements.
#[derive(Clone, Debug)]
pub struct Store {
    directory: PathBuf,
}

/// One kept item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its file.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Where its vendor has it.
    pub source: String,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// When it came, in seconds since 1970.
    pub fetched: u64,
    /// When its vendor will have replaced it; nothing for what stays as it is.
    pub next_update: Option<u64>,
}

/// An item, and how it was come by.
#[derive(Debug)]
pub struct Obtained {
    /// The item.
    pub entry: Entry,
    /// How.
    pub state: State,
}

/// How an item was come by.
#[derive(Debug)]
pub enum State {
    /// It was here, and is fresh.
    Fresh,
    /// It was fetched just now.
    Fetched,
    /// It was here and wants replacing, but the vendor gave nothing better.
    Stale {
        /// Seconds since it was fetched.
        age: u64,
        /// Why there is nothing better.
        error: Box<CacheError>,
    },
}

/// A cache that cannot give what is wanted.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The vendor did not answer.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The vendor answered something else.
    #[error("{url} answered something else than what was asked for")]
    Garbage {
        /// What was asked.
        url: String,
        /// What is wrong with it, if it looks like anything.
        source: Option<Unrecognised>,
    },
    /// The vendor answered something older than what is here.
    #[error("{url} answered something older than what was fetched before")]
    Older {
        /// What was asked.
        url: String,
    },
    /// A file is not what it should be.
    #[error(transparent)]
    File(#[from] FileError),
    /// The index is no index, or does not fit its files.
    #[error("`{}` is not an index of endorsements: {reason}", path.display())]
    Index {
        /// Which.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The disk failed.
    #[error("cannot use `{}`", path.display())]
    Disk {
        /// What failed.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    schema: u32,
    entries: Vec<Entry>,
}

impl Store {
    /// Opens a cache; makes the directory if it is missing.
    pub fn open(directory: &Path) -> Result<Self, CacheError> {
        std::fs::create_dir_all(directory).map_err(disk(directory))?;
        Ok(Self { directory: directory.to_owned() })
    }

    /// What is here, by name.
    pub fn entries(&self) -> Result<Vec<Entry>, CacheError> {
        read_index(&self.directory)
    }

    /// Gives an item: from here while it is fresh, else from its vendor, else what is here.
    pub fn obtain(&self, wanted: &Wanted, client: &Client, now: Time) -> Result<Obtained, CacheError> {
        if let Some(entry) = self.find(wanted)?.filter(|entry| entry.is_fresh(now)) {
            return Ok(Obtained { entry, state: State::Fresh });
        }
        let _flight = self.lock(&wanted.name)?;
        let known = self.find(wanted)?;
        // Whoever held the lock may have asked for the same.
        if let Some(entry) = known.clone().filter(|entry| entry.is_fresh(now)) {
            return Ok(Obtained { entry, state: State::Fresh });
        }
        let answer = client.get(&wanted.url, wanted.chain_header).map_err(CacheError::Fetch);
        match (answer.and_then(|answer| self.keep(wanted, &answer, known.as_ref(), now)), known) {
            (Ok(entry), _) => Ok(Obtained { entry, state: State::Fetched }),
            (Err(error @ CacheError::Disk { .. }), _) | (Err(error), None) => Err(error),
            (Err(error), Some(entry)) => {
                let state = State::Stale { age: now.0.saturating_sub(entry.fetched), error: Box::new(error) };
                Ok(Obtained { entry, state })
            }
        }
    }

    /// Copies everything, with its index, into a directory that must be empty or missing.
    pub fn export(&self, to: &Path) -> Result<usize, CacheError> {
        let target = Self::open(to)?;
        if std::fs::read_dir(to).map_err(disk(to))?.next().is_some() {
            return Err(CacheError::Index {
                path: to.to_owned(),
                reason: "the directory is not empty".to_owned(),
            });
        }
        target.import(&self.directory)
    }

    /// Takes over everything that another directory's index lists and that is not older than what is here. Each file must
    /// have the digest of the index and decode; otherwise nothing is taken over.
    pub fn import(&self, from: &Path) -> Result<usize, CacheError> {
        let mut checked = Vec::new();
        for mut entry in read_index(from)? {
            let path = from.join(&entry.name);
            let bytes = file::read_bounded(&path)?;
            if hex(&sha256(&bytes)) != entry.sha256 {
                let reason = format!("{} is not the file that was indexed", entry.name);
                return Err(CacheError::Index { path: from.join(INDEX), reason });
            }
            let items = Endorsement::recognise(&bytes)
                .map_err(|source| CacheError::File(FileError::Unknown { path, source }))?;
            // The index may be anybody's; what the item says of itself counts.
            entry.next_update = next_update(&items);
            checked.push((entry, bytes));
        }
        let known = self.entries()?;
        checked.retain(|(entry, _)| {
            let old = known.iter().find(|old| old.name == entry.name);
            old.is_none_or(|old| (old.next_update, old.fetched) < (entry.next_update, entry.fetched))
        });
        let count = checked.len();
        self.publish(checked)?;
        Ok(count)
    }

    fn find(&self, wanted: &Wanted) -> Result<Option<Entry>, CacheError> {
        let mut entries = self.entries()?.into_iter();
        Ok(entries.find(|entry| entry.name == wanted.name && self.directory.join(&entry.name).is_file()))
    }

    fn keep(
        &self,
        wanted: &Wanted,
        answer: &Answer,
        known: Option<&Entry>,
        now: Time,
    ) -> Result<Entry, CacheError> {
        let url = || wanted.url.clone();
        let recognise = |bytes: &[u8]| {
            Endorsement::recognise(bytes)
                .map_err(|source| CacheError::Garbage { url: url(), source: Some(source) })
        };
        let items = recognise(&answer.body)?;
        if items.is_empty() || !items.iter().all(|item| wanted.kind.fits(item)) {
            return Err(CacheError::Garbage { url: url(), source: None });
        }
        let next_update = next_update(&items);
        if known.is_some_and(|known| next_update < known.next_update) {
            return Err(CacheError::Older { url: url() });
        }
        let entry = |name: String, kind, bytes: &[u8], next_update| Entry {
            name,
            kind,
            source: wanted.origin.clone(),
            sha256: hex(&sha256(bytes)),
            fetched: now.0,
            next_update,
        };
        let kept = entry(wanted.name.clone(), wanted.kind, &answer.body, next_update);
        let mut fresh = vec![(kept.clone(), answer.body.clone())];
        if !answer.chain.is_empty() {
            recognise(&answer.chain)?;
            let name = format!("{}.chain.pem", wanted.name);
            fresh.push((entry(name, Kind::Chain, &answer.chain, None), answer.chain.clone()));
        }
        self.publish(fresh)?;
        Ok(kept)
    }

    /// Writes files, then the index that names them.
    fn publish(&self, fresh: Vec<(Entry, Vec<u8>)>) -> Result<(), CacheError> {
        let _lock = self.lock("index")?;
        let mut entries = self.entries()?;
        for (entry, bytes) in fresh {
            write(&self.directory.join(&entry.name), &bytes)?;
            entries.retain(|old| old.name != entry.name);
            entries.push(entry);
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let path = self.directory.join(INDEX);
        let text = serde_json::to_vec_pretty(&Index { schema: SCHEMA, entries });
        let text = text.map_err(|error| disk(&path)(error.into()))?;
        write(&path, &text)
    }

    /// Waits for whoever is at the same; the lock ends with the returned file.
    fn lock(&self, name: &str) -> Result<File, CacheError> {
        let path = self.directory.join(format!(".{name}.lock"));
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(disk(&path))?;
        file.lock().map_err(disk(&path))?;
        Ok(file)
    }
}

impl Entry {
    /// Whether there is no need to ask for it again. Vendors revoke between updates, so lists are asked for daily.
    pub fn is_fresh(&self, now: Time) -> bool {
        let lifetime = match self.kind {
            Kind::Certificate => return true,
            Kind::Chain => 30 * DAY,
            Kind::Crl | Kind::TcbInfo | Kind::QeIdentity => DAY,
        };
        let expires = self.fetched.saturating_add(lifetime);
        // A clock that was set back makes nothing fresh.
        self.fetched <= now.0 && now.0 < self.next_update.map_or(expires, |next| next.min(expires))
    }
}

impl Kind {
    fn fits(self, item: &Endorsement) -> bool {
        match item {
            Endorsement::Certificate(_) => matches!(self, Self::Certificate | Self::Chain),
            Endorsement::Crl(..) => self == Self::Crl,
            Endorsement::Document(DocumentKind::TcbInfo, _) => self == Self::TcbInfo,
            Endorsement::Document(DocumentKind::QeIdentity, _) => self == Self::QeIdentity,
            Endorsement::Document(_, _) => false,
        }
    }
}

fn next_update(items: &[Endorsement]) -> Option<u64> {
    items.iter().filter_map(Endorsement::next_update).map(|time| time.0).min()
}

/// Where the files of a directory came from, as far as an index says.
pub(super) fn origins(directory: &Path) -> BTreeMap<String, String> {
    let entries = read_index(directory).unwrap_or_default();
    entries.into_iter().map(|entry| (entry.name, entry.source)).collect()
}

fn read_index(directory: &Path) -> Result<Vec<Entry>, CacheError> {
    let path = directory.join(INDEX);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let bad = |reason: String| CacheError::Index { path: path.clone(), reason };
    let index: Index =
        serde_json::from_slice(&file::read_bounded(&path)?).map_err(|error| bad(error.to_string()))?;
    if index.schema != SCHEMA || index.entries.len() > ENTRIES_MOST {
        return Err(bad(format!("schema {}, {} entries", index.schema, index.entries.len())));
    }
    match index.entries.iter().find(|entry| !is_plain(&entry.name)) {
        Some(entry) => Err(bad(format!("`{}` is no name of an entry", entry.name.escape_debug()))),
        None => Ok(index.entries),
    }
}

/// Names never leave the directory.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    (1..=255).contains(&name.len()) && !name.starts_with('.') && name != INDEX && name.bytes().all(plain)
}

/// Written under another name, then renamed: a reader sees the old file or the new one, whole.
fn write(path: &Path, bytes: &[u8]) -> Result<(), CacheError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = path.with_file_name(format!(".{name}.unfinished-{}", std::process::id()));
    let written = File::create(&unfinished).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(disk(&unfinished))?;
    std::fs::rename(&unfinished, path).map_err(disk(path))?;
    let directory = path.parent().unwrap_or(path);
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(disk(directory))
}

fn disk(path: &Path) -> impl Fn(io::Error) -> CacheError {
    move |source| CacheError::Disk { path: path.to_owned(), source }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
