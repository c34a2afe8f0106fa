//! `enarx config`.

use e2e::run::enarx;
use std::path::Path;

fn config(home: &Path, verb: &[&str]) -> (Option<i32>, String, String) {
    let done = enarx(home).arg("config").args(verb).output().expect("enarx runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (done.status.code(), text(done.stdout), text(done.stderr))
}

#[test]
fn init_writes_a_manifest_that_check_accepts_once() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let (code, _, errors) = config(home.path(), &["init"]);
    assert_eq!(code, Some(0), "{errors}");
    let written = std::fs::read_to_string(home.path().join("Enarx.toml")).expect("a manifest");
    let (code, _, errors) = config(home.path(), &["check"]);
    assert_eq!(code, Some(0), "{errors}");
    let (code, _, errors) = config(home.path(), &["init"]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("Enarx.toml") && errors.contains("exist"), "{errors}");
    let kept = std::fs::read_to_string(home.path().join("Enarx.toml")).expect("a manifest");
    assert_eq!(written, kept);
}

/// A complete manifest of the old Enarx.
const OLD: &str = r#"
steward = "https://attest.example.com"
args = ["--verbose", "--limit=3"]

[env]
RUST_LOG = "info"

[[files]]
kind = "null"

[[files]]
kind = "stdout"
name = "out"

[[files]]
kind = "stderr"

[[files]]
kind = "listen"
name = "ingest"
prot = "tls"
addr = "0.0.0.0"
port = 12345

[[files]]
kind = "connect"
prot = "tls"
host = "db.example.com"
port = 5432
"#;

#[test]
fn an_old_manifest_is_accepted_and_shown() {
    let home = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(home.path().join("Enarx.toml"), OLD).expect("a written manifest");
    let (code, _, errors) = config(home.path(), &["check"]);
    assert_eq!(code, Some(0), "{errors}");
    let (code, shown, errors) = config(home.path(), &["show"]);
    assert_eq!(code, Some(0), "{errors}");
    std::fs::write(home.path().join("Enarx.toml"), &shown).expect("a written manifest");
    let (code, again, errors) = config(home.path(), &["show"]);
    assert_eq!(code, Some(0), "{errors}");
    assert_eq!(shown, again, "what is shown reads back to the same");
}

#[test]
fn check_names_place_and_remedy() {
    let home = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(home.path().join("Enarx.toml"), "\nstewrd = 'https://attest.example.com'\n")
        .expect("a manifest");
    let (code, _, errors) = config(home.path(), &["check"]);
    assert_eq!(code, Some(1));
    assert!(
        errors.starts_with("error: Enarx.toml:2:1: ") && errors.contains("did you mean `steward`?"),
        "{errors}"
    );
}
