//! Preopened directories.

use e2e::programs::{wasip1, wasip2};
use e2e::run::Run;
use std::path::Path;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("from-host"), "greetings").expect("a written file");
    #[cfg(unix)]
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link-out")).expect("a link");
    folder
}

fn preopen(folder: &Path, guest: &str) -> String {
    format!("{}::{guest}", folder.display())
}

#[test]
fn a_directory_is_read_and_changed() {
    for program in [wasip1("files"), wasip2("files")] {
        let folder = folder();
        let run = Run::new(program).options(["--dir", &preopen(folder.path(), "/data")]).args(&["/data"]);
        run.end().check(
            0,
            "found: greetings\noutside: refused\ntail: three\ncontent: one TWO!\n\
             names: [\"from-host\", \"link-out\", \"sub\", \"to-host\"]\nsize: 8\n",
            "",
        );
        let left = std::fs::read_to_string(folder.path().join("to-host")).expect("a file of the workload");
        assert_eq!(left, "one TWO!");
    }
}

#[test]
fn a_directory_may_be_read_only() {
    for program in [wasip1("files"), wasip2("files")] {
        let folder = folder();
        let run = Run::new(program).options(["--dir", &preopen(folder.path(), "/data:ro")]);
        run.args(&["/data", "--read-only"]).end().check(
            0,
            "found: greetings\noutside: refused\nchanges: refused\n",
            "",
        );
    }
}

#[test]
fn without_the_option_there_are_no_files() {
    let folder = folder();
    let path = folder.path().to_str().expect("a path in UTF-8").to_owned();
    for program in [wasip1("files"), wasip2("files")] {
        Run::new(program).args(&[&path]).end().check(1, "", "Error: [..]");
    }
}

#[test]
fn a_missing_directory_is_named() {
    let run = Run::new(wasip1("files")).options(["--dir", "/no/such/folder::/data"]);
    run.end().check(1, "", "error: [..]/no/such/folder[..]\n");
}
