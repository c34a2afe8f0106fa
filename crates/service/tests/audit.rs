//! The audit log on a real disk: what is written verifies, and what is done to it afterwards is found.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use serde_json::json;
use service::audit::{AuditError, Breach, Expected, Head, Log, Settings, Sync, Verified, verify};

const NOW: &str = "2026-11-21T12:00:00Z";

fn settings(directory: &Path, rotate_bytes: u64) -> Settings {
    Settings { directory: directory.to_owned(), rotate_bytes, sync: Sync::System }
}

/// Writes entries `1..=count` after those that are there.
fn write(directory: &Path, rotate_bytes: u64, count: u64) -> Vec<Head> {
    let (log, _) = Log::open(settings(directory, rotate_bytes), NOW).expect("a log");
    let record = |number| log.record_blocking(NOW, "test", &json!({ "number": number })).expect("a line");
    (1..=count).map(record).collect()
}

fn check(directory: &Path, expected: &Expected) -> Result<Verified, Breach> {
    verify(directory, expected, |_| {})
}

fn whole(directory: &Path) -> Result<Verified, Breach> {
    check(directory, &Expected::default())
}

fn current(directory: &Path) -> std::path::PathBuf {
    directory.join("audit.jsonl")
}

#[test]
fn a_log_goes_on_where_it_ended_and_over_files() {
    let directory = tempfile::tempdir().expect("a directory");
    let first = write(directory.path(), 700, 10);
    let second = write(directory.path(), 700, 10);
    let mut numbers = Vec::new();
    let verified =
        verify(directory.path(), &Expected::default(), |line| numbers.push(line.seq)).expect("whole");
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
    assert_eq!(verified.head, second[9]);
    assert!(verified.files > 5, "{verified:?}");
    let heads = [first, second].concat();
    assert_eq!(check(directory.path(), &Expected { heads, after: None }).expect("recorded"), verified);
}

#[test]
fn every_changed_bit_is_found() {
    let directory = tempfile::tempdir().expect("a directory");
    write(directory.path(), u64::MAX, 3);
    let bytes = fs::read(current(directory.path())).expect("a file");
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            fs::write(current(directory.path()), changed).expect("written");
            assert!(whole(directory.path()).is_err(), "byte {at}, bit {bit}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_changed_byte_and_every_cut_inside_is_found(at in any::<prop::sample::Index>(), value: u8, length in 0_usize..400) {
        let directory = tempfile::tempdir().expect("a directory");
        let head = write(directory.path(), u64::MAX, 3)[2];
        let bytes = fs::read(current(directory.path())).expect("a file");
        let at = at.index(bytes.len());
        let mut changed = bytes.clone();
        changed[at] = value;
        fs::write(current(directory.path()), &changed).expect("written");
        prop_assert_eq!(whole(directory.path()).is_err(), changed != bytes);
        let mut cut = bytes.clone();
        cut.drain(at..bytes.len().min(at + length));
        fs::write(current(directory.path()), &cut).expect("written");
        let recorded = Expected { heads: vec![head], after: None };
        prop_assert_eq!(check(directory.path(), &recorded).is_err(), cut != bytes);
    }

    #[test]
    fn lines_removed_moved_or_repeated_are_found(from in 0_usize..6, to in 0_usize..6, kind in 0..3) {
        let directory = tempfile::tempdir().expect("a directory");
        let head = write(directory.path(), u64::MAX, 6)[5];
        let text = fs::read_to_string(current(directory.path())).expect("a file");
        let before: Vec<&str> = text.split_inclusive('\n').collect();
        let mut lines = before.clone();
        match kind {
            0 => { lines.remove(from); }
            1 => lines.swap(from, to),
            _ => lines.insert(to, before[from]),
        }
        fs::write(current(directory.path()), lines.concat()).expect("written");
        let recorded = Expected { heads: vec![head], after: None };
        prop_assert_eq!(check(directory.path(), &recorded).is_err(), lines != before);
    }
}

#[test]
fn lines_missing_from_the_end_are_found_by_a_recorded_head_only() {
    let directory = tempfile::tempdir().expect("a directory");
    let heads = write(directory.path(), u64::MAX, 4);
    let text = fs::read_to_string(current(directory.path())).expect("a file");
    let kept: Vec<&str> = text.split_inclusive('\n').take(2).collect();
    fs::write(current(directory.path()), kept.concat()).expect("written");
    assert_eq!(whole(directory.path()).expect("nothing says otherwise").head, heads[1]);
    let recorded = |head| check(directory.path(), &Expected { heads: vec![head], after: None });
    assert!(recorded(heads[1]).is_ok());
    assert!(matches!(recorded(heads[2]), Err(Breach::Missing { last: 2, recorded: 3 })));
    let forged = Head { seq: 2, hash: heads[2].hash };
    assert!(matches!(recorded(forged), Err(Breach::Recorded { .. })));
}

#[test]
fn missing_files_are_found_and_old_ones_may_go_when_their_head_is_known() {
    let directory = tempfile::tempdir().expect("a directory");
    let heads = write(directory.path(), 500, 9);
    let mut closed: Vec<_> = fs::read_dir(directory.path())
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().contains("audit-"))
        .collect();
    closed.sort();
    let second = fs::read_to_string(&closed[1]).expect("a file");
    fs::remove_file(&closed[0]).expect("removed");
    assert!(matches!(whole(directory.path()), Err(Breach::Sequence { expected: 1, .. })));
    let first: u64 = heads
        .iter()
        .map(|head| head.seq)
        .find(|seq| second.contains(&format!("\"seq\":{seq},")))
        .expect("a line");
    let after = Some(heads[first as usize - 2]);
    assert!(check(directory.path(), &Expected { after, heads: vec![heads[8]] }).is_ok());
    let older = Expected { after, heads: vec![Head { seq: 0, ..heads[0] }] };
    assert!(matches!(check(directory.path(), &older), Err(Breach::Older(0))));
    fs::remove_file(&closed[2]).expect("removed");
    assert!(check(directory.path(), &Expected { after, heads: Vec::new() }).is_err());
}

#[test]
fn a_torn_line_is_cut_off_and_told_of() {
    let directory = tempfile::tempdir().expect("a directory");
    write(directory.path(), u64::MAX, 2);
    let mut file = fs::OpenOptions::new().append(true).open(current(directory.path())).expect("a file");
    file.write_all(br#"{"seq":3,"time":"2026-"#).expect("written");
    assert!(matches!(whole(directory.path()), Err(Breach::Torn { .. })));
    write(directory.path(), u64::MAX, 1);
    let mut kinds = Vec::new();
    verify(directory.path(), &Expected::default(), |line| {
        kinds.push((line.kind.clone(), line.entry.to_string()))
    })
    .expect("whole");
    assert_eq!(kinds[2], ("audit.torn".to_owned(), r#"{"removed_bytes":22}"#.to_owned()));
    assert_eq!(kinds.len(), 4);
}

#[test]
fn a_damaged_log_is_not_written_on() {
    let directory = tempfile::tempdir().expect("a directory");
    write(directory.path(), u64::MAX, 2);
    let text = fs::read_to_string(current(directory.path()))
        .expect("a file")
        .replace("\"number\":1", "\"number\":2");
    fs::write(current(directory.path()), text).expect("written");
    let refused = Log::open(settings(directory.path(), 1), NOW).map(|_| ());
    assert!(matches!(refused, Err(AuditError::Damaged { .. })), "{refused:?}");
}

#[test]
fn one_process_writes() {
    let directory = tempfile::tempdir().expect("a directory");
    let first = Log::open(settings(directory.path(), 1), NOW).expect("a log");
    let second = Log::open(settings(directory.path(), 1), NOW).map(|_| ());
    assert!(matches!(second, Err(AuditError::Locked(_))), "{second:?}");
    drop(first);
}

/// Not a test by itself: the process that [`killing_the_writer_loses_nothing`] starts and kills.
#[test]
fn writes_until_killed() {
    let Some(directory) = std::env::var_os("AUDIT_TEST_DIRECTORY") else { return };
    let (log, _) = Log::open(settings(Path::new(&directory), 4096), NOW).expect("a log");
    for number in 0_u64.. {
        let head = log.record_blocking(NOW, "test", &json!({ "number": number })).expect("a line");
        println!("\nacknowledged {head}");
    }
}

#[test]
fn killing_the_writer_loses_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut heads = Vec::new();
    for round in 1..=10 {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "--nocapture", "writes_until_killed"])
            .env("AUDIT_TEST_DIRECTORY", directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let acknowledged = lines
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("acknowledged ")?.parse::<Head>().ok());
        heads.extend(acknowledged.take(7 * round));
        child.kill().expect("killed");
        child.wait().expect("gone");
    }
    assert_eq!(heads.len(), 7 * 55);
    write(directory.path(), 4096, 1);
    check(directory.path(), &Expected { heads, after: None }).expect("every acknowledged line is there");
}
