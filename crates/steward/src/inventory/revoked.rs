//! What was revoked, as it is kept: in the inventory, or without one in a file of its own.
//!
//! ```toml
//! [[revoked]]
//! kind = "workload"                  # or "serial", "chip"
//! value = "5e3f…"
//! at = "2026-11-21T12:00:00Z"
//! cause = "privilege-withdrawn"
//! note = "CVE-2026-1234"
//! ```

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use attest::time::Time;
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::record::hex;
use super::{Inventory, InventoryError, seconds};
use crate::issue::serial::Serial;
use crate::revocation::{Cause, Revocation, Revocations, Subject};

/// The largest file, and the most entries: a list that long wants a database.
const FILE_MOST: u64 = 4 * 1024 * 1024;

/// The longest note.
const NOTE_MOST: usize = 500;

/// Something that is revoked, when, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What `value` is.
    pub kind: Kind,
    /// The serial number, digest or identifier, in hexadecimal.
    pub value: String,
    /// When it was revoked.
    pub at: Time,
    /// Why, for machines.
    #[serde(default)]
    pub cause: Cause,
    /// Why, for people.
    #[serde(default)]
    pub note: String,
}

/// What is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// One certificate, by its serial number.
    Serial,
    /// Every certificate of a workload, by the digest of its package.
    Workload,
    /// Every certificate of keeps on a chip or platform, by CHIP_ID, PPID or instance.
    Chip,
}

/// Where revocations are kept.
#[derive(Clone, Debug)]
pub enum Revoked {
    /// In the inventory, for all replicas.
    Inventory(Inventory),
    /// In a file.
    File(PathBuf),
}

/// Why revocations cannot be read or changed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum RevokedError {
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    #[error("cannot {act} `{path}`: {source}")]
    File { act: &'static str, path: PathBuf, source: std::io::Error },
    #[error("`{path}` is no list of revocations: {problem}")]
    Syntax { path: PathBuf, problem: String },
    #[error("`{path}` has more than {FILE_MOST} bytes\nhint: keep that many revocations in an inventory")]
    TooLarge { path: PathBuf },
    #[error("`{value}` is no {kind}: {problem}")]
    Value { kind: &'static str, value: String, problem: &'static str },
}

/// The file.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    revoked: Vec<Entry>,
}

impl Entry {
    /// An entry whose value is checked, and in the one spelling.
    pub fn new(kind: Kind, value: &str, revocation: Revocation, note: &str) -> Result<Self, RevokedError> {
        let subject = subject(kind, value)?;
        let value = match &subject {
            Subject::Serial(serial) => serial.to_string(),
            Subject::Workload(bytes) | Subject::Chip(bytes) => hex(bytes),
        };
        if note.len() > NOTE_MOST || note.chars().any(char::is_control) {
            let problem = "one line of at most 500 bytes";
            return Err(RevokedError::Value { kind: "note", value: note.to_owned(), problem });
        }
        Ok(Self { kind, value, at: revocation.at, cause: revocation.cause, note: note.to_owned() })
    }

    fn subject(&self) -> Result<Subject, RevokedError> {
        subject(self.kind, &self.value)
    }
}

impl Revoked {
    /// Every entry, the newest first.
    pub async fn list(&self) -> Result<Vec<Entry>, RevokedError> {
        let mut entries = match self {
            Self::Inventory(inventory) => inventory.revoked().await?,
            Self::File(path) => read(path)?.revoked,
        };
        entries.sort_by(|one, other| other.at.cmp(&one.at).then_with(|| one.value.cmp(&other.value)));
        Ok(entries)
    }

    /// What the certifying pipeline asks.
    pub async fn load(&self) -> Result<Revocations, RevokedError> {
        let mut revocations = Revocations::default();
        for entry in self.list().await? {
            revocations.add(entry.subject()?, Revocation { at: entry.at, cause: entry.cause });
        }
        Ok(revocations)
    }

    /// Adds an entry. Says whether it is new: of two the first stays.
    pub async fn add(&self, entry: &Entry) -> Result<bool, RevokedError> {
        match self {
            Self::Inventory(inventory) => Ok(inventory.revoke(entry).await?),
            Self::File(path) => {
                let mut list = read(path)?;
                let known =
                    list.revoked.iter().any(|known| known.kind == entry.kind && known.value == entry.value);
                if !known {
                    list.revoked.push(entry.clone());
                    write(path, &list)?;
                }
                Ok(!known)
            }
        }
    }

    /// Removes an entry. Says whether there was one.
    pub async fn undo(&self, kind: Kind, value: &str) -> Result<bool, RevokedError> {
        let anyhow = Revocation { at: Time(0), cause: Cause::Unspecified };
        let value = Entry::new(kind, value, anyhow, "")?.value;
        match self {
            Self::Inventory(inventory) => Ok(inventory.unrevoke(kind, &value).await?),
            Self::File(path) => {
                let mut list = read(path)?;
                let before = list.revoked.len();
                list.revoked.retain(|entry| entry.kind != kind || entry.value != value);
                let found = list.revoked.len() < before;
                if found {
                    write(path, &list)?;
                }
                Ok(found)
            }
        }
    }
}

impl Inventory {
    async fn revoked(&self) -> Result<Vec<Entry>, InventoryError> {
        let rows = sqlx::query("SELECT kind, value, time, cause, note FROM revocation")
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(entry).collect()
    }

    async fn revoke(&self, entry: &Entry) -> Result<bool, InventoryError> {
        let insert = "INSERT INTO revocation (kind, value, time, cause, note) VALUES ($1, $2, $3, $4, $5) \
                      ON CONFLICT (kind, value) DO NOTHING";
        let done = sqlx::query(insert)
            .bind(word(&entry.kind))
            .bind(entry.value.as_str())
            .bind(seconds(entry.at))
            .bind(word(&entry.cause))
            .bind(entry.note.as_str())
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    async fn unrevoke(&self, kind: Kind, value: &str) -> Result<bool, InventoryError> {
        let delete = sqlx::query("DELETE FROM revocation WHERE kind = $1 AND value = $2");
        Ok(delete.bind(word(&kind)).bind(value).execute(&self.pool).await?.rows_affected() == 1)
    }
}

fn entry(row: &AnyRow) -> Result<Entry, InventoryError> {
    let (kind, cause): (String, String) = (row.try_get("kind")?, row.try_get("cause")?);
    let time: i64 = row.try_get("time")?;
    let damaged = |expected, found: &str| InventoryError::Damaged { expected, found: found.to_owned() };
    Ok(Entry {
        kind: from_word(&kind).ok_or_else(|| damaged("a kind of revocation", &kind))?,
        value: row.try_get("value")?,
        at: Time(u64::try_from(time).map_err(|_| damaged("a time", &time.to_string()))?),
        cause: from_word(&cause).ok_or_else(|| damaged("a cause of revocation", &cause))?,
        note: row.try_get("note")?,
    })
}

/// The word that serde writes for a variant without fields.
fn word(variant: &impl Serialize) -> String {
    match serde_json::to_value(variant) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

fn from_word<T: serde::de::DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(word.to_owned())).ok()
}

fn subject(kind: Kind, value: &str) -> Result<Subject, RevokedError> {
    let wrong = |kind, problem| RevokedError::Value { kind, value: value.to_owned(), problem };
    let digits: String = value.chars().filter(|&digit| digit != ':').collect();
    let bytes = |name, lengths: std::ops::RangeInclusive<usize>, problem| {
        let pairs = digits.as_bytes().chunks(2);
        let bytes: Option<Vec<u8>> = match digits.is_ascii() && digits.len().is_multiple_of(2) {
            true => pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect(),
            false => None,
        };
        bytes.filter(|bytes| lengths.contains(&bytes.len())).ok_or_else(|| wrong(name, problem))
    };
    match kind {
        Kind::Serial => {
            let serial: Result<Serial, _> = value.parse();
            serial
                .map(Subject::Serial)
                .map_err(|_| wrong("serial number", "1 to 20 octets in hexadecimal, not zero"))
        }
        Kind::Workload => {
            bytes("workload digest", 32..=64, "32 to 64 octets in hexadecimal").map(Subject::Workload)
        }
        Kind::Chip => bytes("chip identifier", 8..=64, "8 to 64 octets in hexadecimal").map(Subject::Chip),
    }
}

/// A file that is missing revokes nothing.
fn read(path: &Path) -> Result<List, RevokedError> {
    let failed = |source| RevokedError::File { act: "read", path: path.to_owned(), source };
    match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(List::default()),
        Err(error) => return Err(failed(error)),
        Ok(found) if found.len() > FILE_MOST => return Err(RevokedError::TooLarge { path: path.to_owned() }),
        Ok(_) => {}
    }
    let wrong = |problem| RevokedError::Syntax { path: path.to_owned(), problem };
    let list: List = toml::from_str(&fs::read_to_string(path).map_err(failed)?)
        .map_err(|error| wrong(error.to_string()))?;
    for entry in &list.revoked {
        entry.subject().map_err(|error| wrong(error.to_string()))?;
    }
    Ok(list)
}

/// Whoever reads the file sees the old list or the new one, whatever happens in between.
fn write(path: &Path, list: &List) -> Result<(), RevokedError> {
    let failed = |act| move |source| RevokedError::File { act, path: path.to_owned(), source };
    let text = toml::to_string(list)
        .map_err(|error| RevokedError::Syntax { path: path.to_owned(), problem: error.to_string() })?;
    let beside = path.with_extension("new");
    let mut file = fs::File::create(&beside).map_err(failed("write"))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed("write"))?;
    fs::rename(&beside, path).map_err(failed("replace"))?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed("flush"))
}
