//! The folder of an authority: generations of roots and issuing keys, of which nothing is ever overwritten.
//!
//! ```text
//! root-1.key      root-1.pem                     the root; its key is better kept elsewhere
//! issuing-1.key   issuing-1.pem                  an issuing key, and its chain up to the root
//! root-2.key      root-2.pem      cross-2.pem    the next root, and its certificate by the one before
//! issuing-2.key   issuing-2.pem
//! authority.toml                                 whose authority it is
//! ```
//!
//! A `.key` file holds a key as PEM, or the address of one in a token. The newest issuing key that is valid signs; older
//! ones sign their revocation lists until they expire; all roots that have not expired are handed out.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use attest::time::Time;
use attest::x509::certificate::Certificate;

use super::source::{KeySource, SourceError, Surroundings};
use super::{Authority, AuthorityError};

/// A folder.
#[derive(Clone, Debug)]
pub struct Directory {
    path: PathBuf,
}

/// What stands in a folder, as it is at one time.
#[derive(Clone, Debug)]
pub struct Generations {
    /// The authorities that are valid, the newest first; the first one issues.
    pub authorities: Vec<Authority>,
    /// The roots that are valid, the newest first.
    pub roots: Vec<Certificate>,
}

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file that is there already.
    #[error("{} exists, and is not overwritten", .0.display())]
    Exists(PathBuf),
    /// A file of certificates holds none, or something else.
    #[error("{} holds no certificates as PEM", .0.display())]
    NotPem(PathBuf),
    /// A key cannot be opened.
    #[error("{0}")]
    Key(SourceError),
    /// Key and certificates do not fit.
    #[error("{}: {error}", path.display())]
    Authority {
        /// The file of certificates.
        path: PathBuf,
        /// Why.
        error: AuthorityError,
    },
    /// Nothing in the folder may issue now.
    #[error("no issuing key in {} is valid at {now}", path.display())]
    NoneValid {
        /// The folder.
        path: PathBuf,
        /// The clock.
        now: Time,
    },
}

impl DirectoryError {
    /// The way out.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } => "check the path, and the permissions of the folder",
            Self::Exists(_) => "keys are never overwritten: `steward ca rotate` adds the next generation",
            Self::NotPem(_) => "write certificates as PEM, the issuing one first",
            Self::Key(error) => error.hint(),
            Self::Authority { error, .. } => error.hint(),
            Self::NoneValid { .. } => {
                "check the clock; `steward ca inspect` shows what is there, `steward ca rotate` renews it"
            }
        }
    }
}

/// What the files of a generation are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A root.
    Root,
    /// A key that certifies keeps.
    Issuing,
    /// A root, certified by the one before.
    Cross,
}

impl Directory {
    /// The folder at this path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens what is valid now.
    pub fn open(&self, surroundings: &Surroundings<'_>, now: Time) -> Result<Generations, DirectoryError> {
        let mut authorities = Vec::new();
        for generation in self.generations(Role::Issuing)?.into_iter().rev() {
            let chain = self.certificates(Role::Issuing, generation)?;
            // What has expired needs no key any more.
            let expired = chain.first().and_then(|der| Certificate::decode(der).ok());
            if expired.is_some_and(|issuing| issuing.validity().to < now) {
                continue;
            }
            let authority = self.authority(Role::Issuing, generation, surroundings)?.without_expired(now);
            if authority.is_valid(now) {
                authorities.push(authority);
            }
        }
        if authorities.is_empty() {
            return Err(DirectoryError::NoneValid { path: self.path.clone(), now });
        }
        let mut roots = Vec::new();
        for generation in self.generations(Role::Root)?.into_iter().rev() {
            let certificates = self.certificates(Role::Root, generation)?;
            roots.extend(certificates.iter().filter_map(|der| Certificate::decode(der).ok()));
        }
        roots.retain(|root| root.validity().contains(now));
        Ok(Generations { authorities, roots })
    }

    /// The generations of a role, in order.
    pub fn generations(&self, role: Role) -> Result<Vec<u32>, DirectoryError> {
        let failed = |error| DirectoryError::Io { path: self.path.clone(), error };
        let prefix = format!("{role}-");
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let name = name.to_str().unwrap_or_default();
            let number: Option<u32> =
                name.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(".pem")?.parse().ok());
            found.extend(number);
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Key and certificates of a generation.
    pub fn authority(
        &self,
        role: Role,
        generation: u32,
        surroundings: &Surroundings<'_>,
    ) -> Result<Authority, DirectoryError> {
        let key = KeySource::File(self.file(role, generation, "key"));
        let signer = key.open(surroundings).map_err(DirectoryError::Key)?;
        let path = self.file(role, generation, "pem");
        let chain = read_certificates(&path)?;
        Authority::new(signer, &chain).map_err(|error| DirectoryError::Authority { path, error })
    }

    /// The certificates of a generation, as DER.
    pub fn certificates(&self, role: Role, generation: u32) -> Result<Vec<Vec<u8>>, DirectoryError> {
        read_certificates(&self.file(role, generation, "pem"))
    }

    /// Writes the key of a generation, for its owner alone.
    pub fn write_key(&self, role: Role, generation: u32, text: &str) -> Result<PathBuf, DirectoryError> {
        self.write(self.file(role, generation, "key"), text, 0o600)
    }

    /// Writes the certificates of a generation.
    pub fn write_certificates(
        &self,
        role: Role,
        generation: u32,
        certificates: &[&[u8]],
    ) -> Result<PathBuf, DirectoryError> {
        self.write(self.file(role, generation, "pem"), &to_pem(certificates), 0o644)
    }

    /// Writes what the authority is.
    pub fn write_charter(&self, text: &str) -> Result<PathBuf, DirectoryError> {
        self.write(self.charter(), text, 0o644)
    }

    /// The file that says what the authority is.
    pub fn charter(&self) -> PathBuf {
        self.path.join("authority.toml")
    }

    /// Whether the folder has the key of a generation.
    pub fn has_key(&self, role: Role, generation: u32) -> bool {
        self.file(role, generation, "key").exists()
    }

    /// Makes the folder, if it is not there yet.
    pub fn create(&self) -> Result<(), DirectoryError> {
        fs::create_dir_all(&self.path).map_err(|error| DirectoryError::Io { path: self.path.clone(), error })
    }

    fn file(&self, role: Role, generation: u32, kind: &str) -> PathBuf {
        self.path.join(format!("{role}-{generation}.{kind}"))
    }

    /// Writes a file whole or not at all, and never over another: written aside, synced, and linked to its name.
    fn write(&self, path: PathBuf, text: &str, mode: u32) -> Result<PathBuf, DirectoryError> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => DirectoryError::Exists(path.clone()),
            _ => DirectoryError::Io { path: path.clone(), error },
        };
        let aside = path.with_extension("new");
        let written = new_file(&aside, mode).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::hard_link(&aside, &path)
        });
        let removed = fs::remove_file(&aside);
        written.map_err(failed)?;
        removed.and_then(|()| File::open(&self.path)?.sync_all()).map_err(failed)?;
        Ok(path)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "root",
            Self::Issuing => "issuing",
            Self::Cross => "cross",
        })
    }
}

/// Reads a file of certificates: PEM, or one as DER.
pub fn read_certificates(path: &Path) -> Result<Vec<Vec<u8>>, DirectoryError> {
    let bytes = fs::read(path).map_err(|error| DirectoryError::Io { path: path.into(), error })?;
    decode_certificates(&bytes).ok_or_else(|| DirectoryError::NotPem(path.into()))
}

/// The certificates of a PEM text, or the one that the bytes are; keys beside them are passed over.
pub fn decode_certificates(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    if bytes.first() == Some(&0x30) {
        return Some(vec![bytes.to_vec()]);
    }
    let blocks = attest::pem::decode(bytes).ok()?;
    let certificates = blocks.into_iter().filter(|block| block.label == "CERTIFICATE");
    Some(certificates.map(|block| block.bytes).collect::<Vec<_>>()).filter(|found| !found.is_empty())
}

/// Certificates as PEM, one after the other.
pub fn to_pem(certificates: &[&[u8]]) -> String {
    certificates.iter().map(|der| attest::pem::encode("CERTIFICATE", der)).collect()
}

#[cfg(unix)]
fn new_file(path: &Path, mode: u32) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

#[cfg(not(unix))]
fn new_file(path: &Path, _: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}
