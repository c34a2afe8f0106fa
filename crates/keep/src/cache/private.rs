//! Files and directories that are the user's alone.

use std::fs::{DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

pub(super) use std::fs::File;

/// Permission bits of group and others.
const SHARED: u32 = 0o077;

/// Something that should be the user's alone and is not.
#[derive(Debug, thiserror::Error)]
pub enum PrivateError {
    /// It belongs to somebody else.
    #[error("`{}` belongs to user {found}, expected {expected}", path.display())]
    Owner {
        /// Its path.
        path: PathBuf,
        /// Its owner.
        found: u32,
        /// The user running this.
        expected: u32,
    },
    /// Group or others may enter, read or write it.
    #[error("`{}` has mode {found:03o}, which lets others in", path.display())]
    Shared {
        /// Its path.
        path: PathBuf,
        /// Its permission bits.
        found: u32,
    },
    /// It is of the wrong kind.
    #[error("`{}` is not a {expected}", path.display())]
    Kind {
        /// Its path.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
    },
    /// It cannot be made or looked at.
    #[error("cannot use `{}`", path.display())]
    Disk {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Makes sure of a directory that only the user may enter.
pub(super) fn private_directory(path: &Path) -> Result<(), PrivateError> {
    let fail = |source| PrivateError::Disk { path: path.to_owned(), source };
    let metadata = match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(fail)?;
            std::fs::metadata(path).map_err(fail)?
        }
        metadata => metadata.map_err(fail)?,
    };
    if !metadata.is_dir() {
        return Err(PrivateError::Kind { path: path.to_owned(), expected: "directory" });
    }
    owned_alone(path, &metadata)
}

/// Makes sure that an open file is the user's alone.
pub(super) fn private_file(path: &Path, file: &File) -> Result<(), PrivateError> {
    let metadata = file.metadata().map_err(|source| PrivateError::Disk { path: path.to_owned(), source })?;
    if !metadata.is_file() {
        return Err(PrivateError::Kind { path: path.to_owned(), expected: "file" });
    }
    owned_alone(path, &metadata)
}

fn owned_alone(path: &Path, metadata: &Metadata) -> Result<(), PrivateError> {
    let (found, expected) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if found != expected {
        return Err(PrivateError::Owner { path: path.to_owned(), found, expected });
    }
    let found = metadata.mode() & 0o777;
    if found & SHARED != 0 {
        return Err(PrivateError::Shared { path: path.to_owned(), found });
    }
    Ok(())
}
