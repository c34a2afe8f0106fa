//! Reads a log and says whether it is whole.
//!
//! | what was done to the files | found |
//! |---|---|
//! | a byte changed anywhere | always |
//! | a line or file inserted, removed or moved before the last line | always |
//! | the oldest files removed | always, unless the head they ended with is given to begin after |
//! | lines removed at the end | when a head recorded elsewhere names one of them |
//! | everything from some line on written anew, hashes included | when a recorded head names a line from there on |

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::line::{Line, LineError, MAX_LINE};
use super::store::{CURRENT, closed_name};
use super::{Hash, Head};

/// What is known of a log from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// The head that removed older files ended with; the log begins after it.
    pub after: Option<Head>,
    /// Heads that were recorded: the log must hold each.
    pub heads: Vec<Head>,
}

/// A log that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The number of files.
    pub files: usize,
    /// The number of lines.
    pub lines: u64,
    /// The last line.
    pub head: Head,
}

/// The first thing that is wrong with a log.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum Breach {
    #[error("cannot read `{path}`: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("there is no log in `{0}`")]
    Nothing(PathBuf),
    #[error("{place}: {error}")]
    Line { place: Place, error: LineError },
    #[error("{place}: line {found} stands where line {expected} belongs")]
    Sequence { place: Place, expected: u64, found: u64 },
    #[error("{place}: the line follows another one than the line before it ({found}, not {expected})")]
    Chain { place: Place, expected: Hash, found: Hash },
    #[error(
        "{place}: the last line is cut off: a crash, or a line being written; what wrote it mends it when it starts"
    )]
    Torn { place: Place },
    #[error("{path}: the file's name is not the number of its first line, {first}")]
    Name { path: PathBuf, first: u64 },
    #[error("{place}: the line is not the one that was recorded ({found}, not {recorded})")]
    Recorded { place: Place, recorded: Hash, found: Hash },
    #[error(
        "the log ends with line {last}, and line {recorded} was recorded: lines are missing from the end"
    )]
    Missing { last: u64, recorded: u64 },
    #[error("the recorded line {0} is older than the log")]
    Older(u64),
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The line in it, from one.
    pub line: u64,
}

/// What one file holds.
pub(super) struct Scan {
    /// The number of its first line.
    pub(super) first: Option<u64>,
    /// Its last line, or the one before it.
    pub(super) head: Head,
    /// The bytes of its whole lines.
    pub(super) length: u64,
    /// The bytes after them.
    pub(super) torn: u64,
}

/// Verifies every file of a directory, and shows each line that holds to `see`.
pub fn verify(directory: &Path, expected: &Expected, mut see: impl FnMut(&Line)) -> Result<Verified, Breach> {
    let mut files: Vec<_> = closed_files(directory)?.into_iter().map(|(_, path)| path).collect();
    let current = directory.join(CURRENT);
    if current.exists() {
        files.push(current);
    }
    if files.is_empty() {
        return Err(Breach::Nothing(directory.to_owned()));
    }
    let begin = expected.after.unwrap_or(Head::NONE);
    if let Some(older) = expected.heads.iter().find(|head| head.seq < begin.seq) {
        return Err(Breach::Older(older.seq));
    }
    let mut head = begin;
    for path in &files {
        let found = scan(path, Some(head), |(place, line)| {
            let recorded = expected.heads.iter().find(|recorded| recorded.seq == line.seq);
            match recorded {
                Some(recorded) if recorded.hash != line.hash => {
                    return Err(Breach::Recorded { place, recorded: recorded.hash, found: line.hash });
                }
                _ => see(line),
            }
            Ok(())
        })?;
        if found.torn > 0 {
            let line = found.head.seq + 2 - found.first.unwrap_or(found.head.seq + 1);
            return Err(Breach::Torn { place: Place { path: path.clone(), line } });
        }
        head = found.head;
    }
    match expected.heads.iter().map(|head| head.seq).max() {
        Some(recorded) if recorded > head.seq => Err(Breach::Missing { last: head.seq, recorded }),
        _ => Ok(Verified { files: files.len(), lines: head.seq - begin.seq, head }),
    }
}

/// The closed files with the number of their first line, oldest first.
pub(super) fn closed_files(directory: &Path) -> Result<Vec<(u64, PathBuf)>, Breach> {
    let failed = |source| Breach::Read { path: directory.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix("audit-")?.strip_suffix(".jsonl")?.parse::<u64>().ok());
        files.extend(number.filter(|&first| name == *closed_name(first)).map(|first| (first, entry.path())));
    }
    files.sort();
    Ok(files)
}

/// Reads one file from its first line, which must follow `before`; without it the first line is taken at its word.
pub(super) fn scan(
    path: &Path,
    before: Option<Head>,
    mut see: impl FnMut((Place, &Line)) -> Result<(), Breach>,
) -> Result<Scan, Breach> {
    let failed = |source| Breach::Read { path: path.to_owned(), source };
    let mut reader = BufReader::new(File::open(path).map_err(failed)?);
    let mut found = Scan::empty(before.unwrap_or(Head::NONE));
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        let limit = MAX_LINE as u64 + 1;
        let read = reader.by_ref().take(limit).read_until(b'\n', &mut bytes).map_err(failed)? as u64;
        let place = || Place { path: path.to_owned(), line: number };
        let Some(line) = bytes.strip_suffix(b"\n") else {
            if read == limit {
                let error = LineError::TooLong { found: bytes.len() };
                return Err(Breach::Line { place: place(), error });
            }
            found.torn = read;
            break;
        };
        let line = Line::decode(line).map_err(|error| Breach::Line { place: place(), error })?;
        let follows = match (before, found.first) {
            (None, None) => Head { seq: line.seq.saturating_sub(1), hash: line.prev },
            _ => found.head,
        };
        if line.seq != follows.seq + 1 {
            return Err(Breach::Sequence { place: place(), expected: follows.seq + 1, found: line.seq });
        }
        if line.prev != follows.hash {
            return Err(Breach::Chain { place: place(), expected: follows.hash, found: line.prev });
        }
        let named = |name: &str| path.file_name().is_some_and(|found| found == name);
        if found.first.is_none() && !named(CURRENT) && !named(&closed_name(line.seq)) {
            return Err(Breach::Name { path: path.to_owned(), first: line.seq });
        }
        see((place(), &line))?;
        found.first = found.first.or(Some(line.seq));
        found.head = line.head();
        found.length += read;
    }
    Ok(found)
}

impl Scan {
    pub(super) fn empty(head: Head) -> Self {
        Self { first: None, head, length: 0, torn: 0 }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.path.display(), self.line)
    }
}
