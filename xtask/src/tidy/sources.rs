//! What may stand in a source file.

use anyhow::Result;
use std::path::{Path, PathBuf};

/// Longest source file in lines.
const LONGEST: usize = 800;
/// Crates that touch no file, socket, clock or log.
const PURE: [&str; 3] = ["crates/abi/", "crates/api/", "crates/attest/"];
const IMPURE: [&str; 5] = ["std::fs", "std::net::Tcp", "std::net::Udp", "tokio", "tracing"];
/// Names that say nothing.
const EMPTY_NAMES: [&str; 5] = ["common", "core", "helper", "util", "utils"];

/// Reads every source file of the workspace and of the packages beside it.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    for folder in ["crates", "examples", "fuzz", "tests", "xtask"] {
        for file in sources(&root.join(folder))? {
            let text = std::fs::read_to_string(&file)?;
            let name = file.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
            breaches.extend(judge(&name, &text).into_iter().map(|breach| format!("{name}: {breach}")));
        }
    }
    Ok(breaches)
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if !folder.exists() {
        return Ok(found);
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("target") && !path.ends_with(".venv") {
            found.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(found)
}

fn judge(name: &str, text: &str) -> Vec<String> {
    let mut breaches = Vec::new();
    let count = text.lines().count();
    if count > LONGEST {
        breaches.push(format!("{count} lines; more than {LONGEST} cannot be kept in mind"));
    }
    let stem = name.rsplit('/').next().unwrap_or(name).trim_end_matches(".rs");
    if stem == "mod" || EMPTY_NAMES.contains(&stem) {
        breaches.push(format!("a file named `{stem}` says nothing of what is in it"));
    }
    for (index, line) in text.lines().enumerate() {
        let mut tell = |breach: &str| breaches.push(format!("line {}: {breach}", index + 1));
        if is_pure(name) && IMPURE.iter().any(|word| line.contains(word)) {
            tell("this crate is pure: no files, sockets or logs");
        }
        let promise = ["TODO", "FIXME", "XXX"].into_iter().find_map(|word| line.split_once(word));
        if promise.is_some_and(|(_, rest)| !rest.starts_with("(#")) && !is_rule(name) {
            tell("a promise without issue number");
        }
        if !is_rule(name) && (line.contains("#[ignore") || line.contains("should_panic")) {
            tell("a test either runs, or says why it cannot");
        }
        if name.starts_with("tests/e2e/") && line.contains("sleep(") {
            tell("tests wait for events");
        }
    }
    breaches
}

fn is_pure(name: &str) -> bool {
    PURE.iter().any(|folder| name.starts_with(folder)) && name.contains("/src/")
}

/// This file names what it looks for.
fn is_rule(name: &str) -> bool {
    name == "xtask/src/tidy/sources.rs"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaches_are_seen() {
        let long = "x\n".repeat(LONGEST + 1);
        for (name, text) in [
            ("crates/api/src/a.rs", "use std::fs;"),
            ("crates/api/src/a.rs", "tracing::info!()"),
            ("crates/keep/src/mod.rs", ""),
            ("crates/keep/src/util.rs", ""),
            ("crates/keep/src/a.rs", "// TODO later"),
            ("crates/keep/src/a.rs", "#[ignore = \"slow\"]"),
            ("crates/keep/src/a.rs", long.as_str()),
            ("tests/e2e/tests/a.rs", "thread::sleep(second)"),
        ] {
            assert_eq!(judge(name, text).len(), 1, "{name}: {text}");
        }
    }

    #[test]
    fn good_sources_pass() {
        for (name, text) in [
            ("crates/keep/src/a.rs", "use std::fs; // TODO(#7): later"),
            ("crates/api/src/launch.rs", "use std::net::SocketAddr;"),
            ("crates/api/tests/a.rs", "use std::fs;"),
            ("tests/guests/programs/src/bin/clocks.rs", "thread::sleep(nap)"),
        ] {
            assert_eq!(judge(name, text), [""; 0], "{name}: {text}");
        }
    }
}
