//! Genuine evidence as both sides of a comparison need it.
//!
//! The vectors are not part of the repository: `ENARX_VECTORS` names their folder, by default `shared/vectors` beside the
//! workspace. Without them every comparison says so and passes.

pub mod dcap;
pub mod snp;

use std::path::{Path, PathBuf};

/// The folder of one kind of evidence.
pub fn vectors(tee: &str) -> Option<PathBuf> {
    let folder = match std::env::var("ENARX_VECTORS") {
        Ok(folder) => PathBuf::from(folder),
        Err(_) => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"),
    };
    let folder = folder.join(tee);
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
