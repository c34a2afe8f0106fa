//! Programs that a test needs and a machine may lack.

#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::path::PathBuf;

/// Whether a test that needs `tool` can run. If not it says so, and fails where `ENARX_REQUIRE` names the tool.
pub fn available(tool: &str, present: bool) -> bool {
    if present {
        return true;
    }
    let required = std::env::var_os("ENARX_REQUIRE").unwrap_or_default();
    let required = required.to_string_lossy().split(',').any(|name| name.trim() == tool);
    assert!(!required, "ENARX_REQUIRE names `{tool}`, which this machine lacks");
    eprintln!("skipped: this machine lacks `{tool}`");
    false
}

/// The program of this name on `PATH`.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file());
    available(program, found.is_some()).then_some(found).flatten()
}
