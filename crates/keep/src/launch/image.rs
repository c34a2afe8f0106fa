//! The runtime image: a static program, opened once and executed from that descriptor.

use std::fs::File;
use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// An opened runtime image.
#[derive(Debug)]
pub struct Image {
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux executes descriptors"))]
    file: File,
    path: PathBuf,
}

/// A file that cannot serve as runtime image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// It cannot be read.
    #[error("cannot open the runtime image `{}`", path.display())]
    Open {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no ordinary file.
    #[error("the runtime image `{}` is not a file", path.display())]
    NotAFile {
        /// Its path.
        path: PathBuf,
    },
}

impl Image {
    /// Opens a runtime image.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let fail = |source| ImageError::Open { path: path.to_owned(), source };
        let file = File::open(path).map_err(fail)?;
        if !file.metadata().map_err(fail)?.is_file() {
            return Err(ImageError::NotAFile { path: path.to_owned() });
        }
        Ok(Self { file, path: path.to_owned() })
    }

    /// A runtime image with these bytes, in memory.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    pub(crate) fn in_memory(bytes: &[u8]) -> io::Result<Self> {
        use rustix::fs::{MemfdFlags, memfd_create};
        let file = File::from(memfd_create(c"enarx-image", MemfdFlags::CLOEXEC)?);
        std::io::Write::write_all(&mut &file, bytes)?;
        Ok(Self { file, path: PathBuf::from("memory") })
    }

    /// Where it was found.
    pub fn path(&self) -> &Path {
        &self.path
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    pub(crate) const fn file(&self) -> &File {
        &self.file
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
