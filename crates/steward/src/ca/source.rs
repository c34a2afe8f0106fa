//! Where an authority's key comes from: a file, the environment, a credential of systemd, a token, or nowhere.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::key::{KeyError, MemoryKey};
use super::pkcs11::{Address, AddressError, Libraries, Token};
use super::{Curve, Signer, SigningError};

/// Where a key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A file: PEM, DER, or one line with the address of a token.
    File(PathBuf),
    /// A variable of the environment.
    Variable(String),
    /// A file in the credential directory of systemd.
    Credential(String),
    /// A token.
    Token(Address),
    /// Made on the spot and never kept: for development only.
    Throwaway,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file cannot be read.
    #[error("cannot read the key file {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file can be read by others.
    #[error("the key file {} is open to others (mode {mode:03o})", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file is too large for a key.
    #[error("the key file {} is over {MAX_SIZE} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The variable is not set.
    #[error("the variable {0} is not set")]
    Unset(String),
    /// The bytes are no key.
    #[error("{place} holds no key: {error}")]
    Key {
        /// Where they are from.
        place: Box<KeySource>,
        /// Why.
        error: KeyError,
    },
    /// The address of the token is none.
    #[error("not the address of a key in a token: {0}")]
    Address(AddressError),
    /// The token cannot be used.
    #[error("cannot open the key of the token: {0}")]
    Token(SigningError),
}

impl SourceError {
    /// The way out.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } => "check the path, and that the Steward's user may read it",
            Self::Open { .. } => "run `chmod 600` on it; and if others could read it, make a new key",
            Self::TooLarge { .. } => "give the key alone; certificates have a setting of their own",
            Self::Unset(_) => "set it, or use `credential:NAME` under systemd, which is safer",
            Self::Key { error, .. } => error.hint(),
            Self::Address(error) => error.hint(),
            Self::Token(_) => {
                "check module-path, token, object and pin-source; `pkcs11-tool --module M --login -O` lists keys"
            }
        }
    }
}

/// The largest key file: a P-384 key with certificates beside it.
const MAX_SIZE: u64 = 64 * 1024;

/// The variable in which systemd names the folder of credentials (systemd.exec(5)).
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// What keys are looked for in.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// Looks up a variable of the environment.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// The PKCS#11 libraries that are loaded.
    pub libraries: &'a Libraries,
}

impl KeySource {
    /// Opens the key.
    pub fn open(&self, surroundings: &Surroundings<'_>) -> Result<Arc<dyn Signer>, SourceError> {
        let environment = surroundings.environment;
        let bytes = match self {
            Self::File(path) => read(path, true)?,
            Self::Variable(name) => {
                let value = environment(name).ok_or_else(|| SourceError::Unset(name.clone()))?;
                Zeroizing::new(value.into_bytes())
            }
            Self::Credential(name) => {
                let folder =
                    environment(CREDENTIALS).ok_or_else(|| SourceError::Unset(CREDENTIALS.into()))?;
                // systemd alone can write there, and chooses the permissions.
                read(&Path::new(&folder).join(name), false)?
            }
            Self::Token(address) => return open_token(address.clone(), surroundings),
            Self::Throwaway => {
                let key = MemoryKey::generate(Curve::P384).map_err(|error| self.refused(error))?;
                return Ok(Arc::new(key));
            }
        };
        match std::str::from_utf8(&bytes).ok().filter(|text| text.starts_with(SCHEME_TOKEN)) {
            Some(text) => open_token(text.trim().parse().map_err(SourceError::Address)?, surroundings),
            None => Ok(Arc::new(MemoryKey::decode(&bytes).map_err(|error| self.refused(error))?)),
        }
    }

    fn refused(&self, error: KeyError) -> SourceError {
        SourceError::Key { place: Box::new(self.clone()), error }
    }
}

impl FromStr for KeySource {
    type Err = AddressError;

    /// Reads `env:NAME`, `credential:NAME`, `pkcs11:…` (RFC 7512), `throwaway:`, and everything else as a path.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Ok(match text.split_once(':') {
            Some(("env", name)) => Self::Variable(name.into()),
            Some(("credential", name)) => Self::Credential(name.into()),
            Some(("throwaway", "")) => Self::Throwaway,
            Some(("file", path)) => Self::File(path.into()),
            _ if text.starts_with(SCHEME_TOKEN) => Self::Token(text.parse()?),
            _ => Self::File(text.into()),
        })
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "the variable {name}"),
            Self::Credential(name) => write!(f, "the credential {name}"),
            Self::Token(address) => write!(f, "{address}"),
            Self::Throwaway => f.write_str("a throw-away key"),
        }
    }
}

fn open_token(address: Address, surroundings: &Surroundings<'_>) -> Result<Arc<dyn Signer>, SourceError> {
    let pin = address.pin(surroundings.environment, &read)?;
    Ok(Arc::new(Token::open(surroundings.libraries, address, pin).map_err(SourceError::Token)?))
}

/// Reads a file that only its owner, and at most its group, may read; the descriptor that is checked is the one that is read.
pub fn read(path: &Path, guarded: bool) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    let failed = |error| SourceError::Read { path: path.into(), error };
    let mut file = File::open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    check_mode(path, &found, guarded)?;
    if found.len() > MAX_SIZE {
        return Err(SourceError::TooLarge { path: path.into() });
    }
    // Room for all of it from the start: a buffer that grows would leave copies of the key behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SIZE as usize + 1));
    (&mut file).take(MAX_SIZE + 1).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() as u64 > MAX_SIZE {
        true => Err(SourceError::TooLarge { path: path.into() }),
        false => Ok(bytes),
    }
}

#[cfg(unix)]
fn check_mode(path: &Path, found: &std::fs::Metadata, guarded: bool) -> Result<(), SourceError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = found.permissions().mode() & 0o777;
    match guarded && found.is_file() && mode & 0o037 != 0 {
        true => Err(SourceError::Open { path: path.into(), mode }),
        false => Ok(()),
    }
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &std::fs::Metadata, _: bool) -> Result<(), SourceError> {
    Ok(())
}

/// The scheme of RFC 7512.
const SCHEME_TOKEN: &str = "pkcs11:";

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn sources_are_told_apart() {
        fn check(text: &str, expected: KeySource) {
            assert_eq!(text.parse(), Ok(expected));
        }
        check("ca.key", KeySource::File("ca.key".into()));
        check("file:env:x", KeySource::File("env:x".into()));
        check("env:STEWARD_KEY", KeySource::Variable("STEWARD_KEY".into()));
        check("credential:ca", KeySource::Credential("ca".into()));
        check("throwaway:", KeySource::Throwaway);
        assert!("pkcs11:token=a".parse::<KeySource>().is_err());
    }

    #[test]
    #[cfg(unix)]
    fn a_key_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("ca.key");
        let pem = MemoryKey::generate(Curve::P256).and_then(|key| key.to_pem()).expect("key");
        std::fs::write(&path, pem.as_bytes()).expect("written");
        let source = KeySource::File(path.clone());
        let open = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("mode is set");
            source.open(&Surroundings { environment: &nothing, libraries: &Libraries::default() })
        };
        for mode in [0o600, 0o400, 0o640] {
            assert!(open(mode).is_ok(), "{mode:o}");
        }
        for mode in [0o644, 0o604, 0o660, 0o666, 0o601] {
            assert!(matches!(open(mode), Err(SourceError::Open { .. })), "{mode:o}");
        }
    }

    #[test]
    fn environment_and_credentials_are_looked_up() {
        let folder = tempfile::tempdir().expect("folder");
        let key = MemoryKey::generate(Curve::P384).expect("key");
        let pem = key.to_pem().expect("encodes").to_string();
        std::fs::write(folder.path().join("ca"), &pem).expect("written");
        let environment = |name: &str| match name {
            "KEY" => Some(pem.clone()),
            CREDENTIALS => Some(folder.path().display().to_string()),
            _ => None,
        };
        for text in ["env:KEY", "credential:ca"] {
            let source: KeySource = text.parse().expect("a source");
            let libraries = Libraries::default();
            let opened = source.open(&Surroundings { environment: &environment, libraries: &libraries });
            assert_eq!(opened.expect("opens").spki(), key.spki());
            let lost = source.open(&Surroundings { environment: &nothing, libraries: &libraries });
            assert!(matches!(lost, Err(SourceError::Unset(_))));
        }
    }
}
