//! `steward ca`, as people type it.

use std::path::Path;
use std::process::Command;

fn steward(arguments: &[&str], folder: &Path) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_steward")).args(arguments).current_dir(folder).output();
    let output = output.expect("starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn an_authority_is_begun_looked_at_and_rolled_over() {
    let folder = tempfile::tempdir().expect("folder");
    let folder = folder.path();
    let (code, printed, told) = steward(&["ca", "init", "ca", "--name", "Example"], folder);
    assert_eq!((code, printed.lines().count()), (Some(0), 5), "{printed}{told}");
    assert!(told.contains("move it to a safe place"), "{told}");
    let (code, _, told) = steward(&["ca", "init", "ca", "--name", "Example"], folder);
    assert_eq!(code, Some(1));
    assert!(told.starts_with("error: ca has an authority already\nhint: "), "{told}");
    let (code, printed, told) = steward(&["ca", "rotate", "ca", "--json"], folder);
    assert_eq!(code, Some(0), "{told}");
    let taken: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!(taken["written"].as_array().map(Vec::len), Some(5), "{printed}");
    let (code, printed, _) = steward(&["ca", "inspect", "ca"], folder);
    assert_eq!(code, Some(0));
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines[0].starts_with("root-1: Example root 1 (by Example root 1): valid, "), "{printed}");
    assert!(
        lines.last().is_some_and(|line| line.starts_with("issuing-2: ") && line.contains("issues, ")),
        "{printed}"
    );
    std::fs::rename(folder.join("ca/root-2.key"), folder.join("safe")).expect("moved");
    let (code, _, told) = steward(&["ca", "intermediate", "ca"], folder);
    assert_eq!(code, Some(1));
    assert!(told.contains("--root-key"), "{told}");
    let (code, _, told) = steward(&["ca", "intermediate", "ca", "--root-key", "safe"], folder);
    assert_eq!(code, Some(0), "{told}");
}
