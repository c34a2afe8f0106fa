//! Machine code is kept for the next start, and never believed.

#![cfg(unix)]

use e2e::programs::wasip1;
use e2e::run::Run;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let nested = entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    nested.collect()
}

/// Entries of the compile cache are the only large files of a home.
fn entries(home: &Path) -> Vec<PathBuf> {
    let large = |path: &PathBuf| path.metadata().is_ok_and(|metadata| metadata.len() > 1024);
    files(home).into_iter().filter(large).collect()
}

/// Which file it is: publishing an entry puts another in its place.
fn inode(path: &Path) -> u64 {
    path.metadata().expect("an entry").ino()
}

fn greet(home: &Path) {
    Run::new(wasip1("hello")).at_home(home).end().check(0, "Hello, world!\n", "");
}

#[test]
fn a_second_start_uses_the_entry_of_the_first() {
    let home = tempfile::tempdir().expect("a temporary folder");
    greet(home.path());
    let first = entries(home.path());
    assert_eq!(first.len(), 1, "{first:?}");
    let published = inode(&first[0]);
    greet(home.path());
    assert_eq!(entries(home.path()), first);
    assert_eq!(inode(&first[0]), published, "the entry was made anew");
}

#[test]
fn a_tampered_entry_is_compiled_anew() {
    let home = tempfile::tempdir().expect("a temporary folder");
    greet(home.path());
    let entry = entries(home.path()).remove(0);
    let good = std::fs::read(&entry).expect("an entry");
    for position in [0, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[position] ^= 1;
        std::fs::write(&entry, &bad).expect("a tampered entry");
        greet(home.path());
        assert!(
            std::fs::read(&entry).expect("an entry") != bad,
            "byte {position}: the entry was not replaced"
        );
        let published = inode(&entry);
        greet(home.path());
        assert_eq!(inode(&entry), published, "byte {position}: the new entry is not used");
    }
    std::fs::write(&entry, &good[..good.len() / 2]).expect("a truncated entry");
    greet(home.path());
}

/// An entry authenticated by another user's key is not this user's.
#[test]
fn a_foreign_entry_is_compiled_anew() {
    let (ours, theirs) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    greet(ours.path());
    greet(theirs.path());
    let (entry, foreign) = (entries(ours.path()).remove(0), entries(theirs.path()).remove(0));
    let foreign = std::fs::read(foreign).expect("an entry");
    std::fs::write(&entry, &foreign).expect("a planted entry");
    greet(ours.path());
    assert!(std::fs::read(&entry).expect("an entry") != foreign, "the planted entry stayed");
}

#[test]
fn the_cache_is_the_users_alone() {
    let home = tempfile::tempdir().expect("a temporary folder");
    greet(home.path());
    for entry in files(home.path()) {
        let folder = entry.parent().expect("a folder");
        let mode = |path: &Path| path.metadata().expect("metadata").permissions().mode() & 0o077;
        assert!(mode(&entry) == 0 || mode(folder) == 0, "{} is open to others", entry.display());
    }
}

#[test]
fn a_home_that_cannot_be_written_costs_time_only() {
    let run = Run::new(wasip1("hello")).environment("HOME", "/proc/no-such-home");
    run.end().check(0, "Hello, world!\n", "warning: the compile cache is not used: [..]");
}
