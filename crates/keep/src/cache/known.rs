//! What earlier starts found in a workload's file, so that a big one is digested once and not at every start.
//!
//! A file is recognised as Git's index recognises one: by device, inode, length and both times. Whoever changes its
//! bytes changes its ctime, which only root and the clock can set back; what changed moments ago might change again
//! within one tick of the clock, and is not noted. A note is authenticated with the user's secret, like the entries it
//! leads to.

use super::{CacheError, Store, now, place, secret};
use api::launch::{Known, frame};
use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Bytes below which digesting a file costs no more than looking for a note.
const WORTH_FROM: u64 = 256 << 10;
/// Longest note in bytes.
const NOTE_MOST: usize = 4096;
/// Since when a file must not have changed: longer than the coarsest time stamps of file systems (FAT: two seconds).
const SETTLED: Duration = Duration::from_secs(3);

/// A file as it stands: two equal stamps mean the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// The stamp of a file that is worth a note and can be recognised by one.
    pub(crate) fn of(file: &File) -> Option<Self> {
        let found = file.metadata().ok().filter(|found| found.is_file() && found.len() >= WORTH_FROM)?;
        Some(Self::read(&found)).filter(Self::settled)
    }

    fn read(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            length: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }

    fn settled(&self) -> bool {
        let (Ok(seconds), Ok(nanoseconds)) = (self.changed.0.try_into(), self.changed.1.try_into()) else {
            return false;
        };
        let changed = SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds));
        // One of the future has no age.
        changed.and_then(|changed| changed.elapsed().ok()).is_some_and(|age| age >= SETTLED)
    }
}

impl Store {
    /// What an earlier start found in this file.
    pub fn known(&self, file: &File) -> Option<Known> {
        self.recall(&Stamp::of(file)?)
    }

    /// Notes what was found in `file`, if it is still what it was before it was read.
    pub(crate) fn learn(&self, before: &Stamp, file: &File, known: &Known) -> Result<(), CacheError> {
        if Stamp::of(file).as_ref() == Some(before) { self.note(before, known) } else { Ok(()) }
    }

    fn recall(&self, stamp: &Stamp) -> Option<Known> {
        let note = File::open(self.path(stamp)).ok()?;
        let mut bytes = Vec::new();
        (&note).take(NOTE_MOST as u64).read_to_end(&mut bytes).ok()?;
        let (said, tag) = bytes.split_last_chunk::<{ secret::TAG }>()?;
        secret::verify(&self.secret, &message(stamp, said), tag).then_some(())?;
        // A note that cannot be touched is only evicted sooner.
        let _ = rustix::fs::futimens(&note, &now());
        frame::read(&mut &*said, NOTE_MOST).ok()?
    }

    fn note(&self, stamp: &Stamp, known: &Known) -> Result<(), CacheError> {
        let path = self.path(stamp);
        let mut note = frame::encode(known, NOTE_MOST)
            .map_err(|error| CacheError::Disk { path: path.clone(), source: io::Error::other(error) })?;
        note.extend(secret::tag(&self.secret, &message(stamp, &note)));
        place(&path, |file| file.write_all(&note))
    }

    fn path(&self, stamp: &Stamp) -> PathBuf {
        self.directory.join(format!("{:x}-{:x}.known", stamp.device, stamp.inode))
    }
}

/// What a note's tag is over. No name of an entry, from which keys are derived, has such a start.
fn message(stamp: &Stamp, said: &[u8]) -> Vec<u8> {
    let Stamp { device, inode, length, modified, changed } = stamp;
    let times = [modified.0, modified.1, changed.0, changed.1];
    [format!("known file {device} {inode} {length} {times:?} ").as_bytes(), said].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::launch::Kind;

    #[test]
    fn a_note_holds_for_its_file_as_it_stood_and_for_no_other() {
        let root = tempfile::tempdir().unwrap();
        let open = |state| Store::open(&root.path().join("modules"), &root.path().join(state)).unwrap();
        let store = open("state");
        let stamp = Stamp { device: 1, inode: 2, length: 3, modified: (4, 5), changed: (6, 7) };
        let known = Known { scheme: 1, digest: [8; 32], kind: Kind::Service { tasks: true } };
        assert_eq!(store.recall(&stamp), None);
        store.note(&stamp, &known).unwrap();
        assert_eq!(store.recall(&stamp), Some(known));
        assert_eq!(open("another").recall(&stamp), None, "another user's");
        for other in [
            Stamp { length: 0, ..stamp.clone() },
            Stamp { modified: (4, 0), ..stamp.clone() },
            Stamp { changed: (0, 7), ..stamp.clone() },
        ] {
            assert_eq!(store.recall(&other), None, "{other:?}");
        }
        let (path, note) = (store.path(&stamp), std::fs::read(store.path(&stamp)).unwrap());
        for at in 0..note.len() {
            let mut changed = note.clone();
            changed[at] ^= 1;
            std::fs::write(&path, &changed).unwrap();
            assert_eq!(store.recall(&stamp), None, "byte {at}");
            std::fs::write(&path, &note[..at]).unwrap();
            assert_eq!(store.recall(&stamp), None, "length {at}");
        }
    }

    #[test]
    fn what_is_small_or_has_just_changed_gets_no_stamp() {
        let root = tempfile::tempdir().unwrap();
        let file = File::create(root.path().join("app.wasm")).unwrap();
        assert_eq!(Stamp::of(&file), None);
        file.set_len(WORTH_FROM).unwrap();
        assert_eq!(Stamp::of(&file), None);
        let fresh = Stamp::read(&file.metadata().unwrap());
        assert!(!fresh.settled());
        assert!(Stamp { changed: (fresh.changed.0 - 60, 0), ..fresh.clone() }.settled());
        assert!(!Stamp { changed: (fresh.changed.0 + 60, 0), ..fresh }.settled());
    }
}
