//! Where genuine evidence is. It is no part of the repository: `ENARX_VECTORS` names the folder, by default `shared/vectors`
//! beside the workspace. Without it a test says so and passes.

use std::path::{Path, PathBuf};

/// The folder of one kind of evidence, or all of them for an empty name.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test reads its environment and says what it skips"
)]
pub fn folder(kind: &str) -> Option<PathBuf> {
    let folder = match std::env::var("ENARX_VECTORS") {
        Ok(folder) => PathBuf::from(folder),
        Err(_) => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"),
    };
    let folder = folder.join(kind);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no vectors at {}", folder.display());
    None
}

/// A file, whole.
pub fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
