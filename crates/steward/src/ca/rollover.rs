//! What becomes of an authority's folder over the years: its first keys, new issuing keys, a new root with overlap.
//!
//! On rollover the old root signs the new one's key (`cross-2.pem`), and new chains lead through it: who trusts the old root
//! only goes on to be served, who trusts the new one needs nothing else, and either root may be taken away at its end.

use std::path::PathBuf;
use std::sync::Arc;

use attest::time::{Time, Window};
use attest::x509::certificate::Certificate;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::ceremony::{Ceremony, INTERMEDIATE_LIFETIME, ROOT_LIFETIME};
use super::directory::{Directory, DirectoryError, Role};
use super::key::MemoryKey;
use super::pkcs11::{Address, Token};
use super::source::{KeySource, SourceError, Surroundings, read};
use super::{Authority, AuthorityError, Curve, Signer, SigningError};
use crate::issue::names::hex;
use crate::issue::serial::Serial;
use crate::issue::{BACKDATE, Grade};

/// What an authority is called and good for; kept beside its keys as `authority.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Charter {
    /// Whose it is.
    pub name: String,
    /// What its certificates are good for.
    pub grade: Grade,
    /// The curve of its keys.
    pub curve: Curve,
}

/// What a step needs besides the folder.
#[derive(Clone, Copy)]
pub struct Circumstances<'a> {
    /// Where keys are looked for.
    pub surroundings: &'a Surroundings<'a>,
    /// Draws random bytes for serial numbers.
    pub random: &'a dyn Fn() -> Option<[u8; 16]>,
    /// The clock.
    pub now: Time,
    /// A token that new keys are made in, without the name of a key; otherwise they are made in files.
    pub token: Option<&'a str>,
    /// Where the present root's key is, if it is not in the folder.
    pub root_key: Option<&'a KeySource>,
}

/// Why a step was not taken. What was written before stays; nothing was overwritten.
#[derive(Debug, thiserror::Error)]
pub enum RolloverError {
    /// The folder cannot be read or written.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A key cannot be opened.
    #[error(transparent)]
    Key(#[from] SourceError),
    /// A key did not sign.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// Key and certificate of the root do not fit.
    #[error("the root: {0}")]
    Root(#[from] AuthorityError),
    /// The folder has no charter.
    #[error("{} does not say what the authority is: {reason}", path.display())]
    Charter {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The folder has an authority already.
    #[error("{} has an authority already", .0.display())]
    Begun(PathBuf),
    /// The folder has no root.
    #[error("{} has no root", .0.display())]
    NoRoot(PathBuf),
    /// The root is not valid now.
    #[error("the root is valid from {} to {}, and the clock says {now}", window.from, window.to)]
    RootInvalid {
        /// When the root is valid.
        window: Window,
        /// The clock.
        now: Time,
    },
    /// No random bytes.
    #[error("the system gave no random bytes")]
    Random,
}

impl RolloverError {
    /// The way out.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Directory(error) => error.hint(),
            Self::Key(SourceError::Read { .. }) => {
                "bring the root's key back for this step, or name it with --root-key"
            }
            Self::Key(error) => error.hint(),
            Self::Signing(_) => "look at the token with `pkcs11-tool -O --login`",
            Self::Root(error) => error.hint(),
            Self::Charter { .. } | Self::NoRoot(_) => "`steward ca init` makes a folder",
            Self::Begun(_) => {
                "use `steward ca intermediate` for another issuing key, `steward ca rotate` for another root"
            }
            Self::RootInvalid { .. } => {
                "check the clock; an expired root is followed by `steward ca init` in another folder"
            }
            Self::Random => "try again",
        }
    }
}

/// Makes the first root and issuing key.
pub fn init(
    directory: &Directory,
    charter: &Charter,
    circumstances: &Circumstances<'_>,
) -> Result<Vec<PathBuf>, RolloverError> {
    directory.create()?;
    if !directory.generations(Role::Root)?.is_empty() {
        return Err(RolloverError::Begun(directory.path().into()));
    }
    let text = toml::to_string(charter)
        .map_err(|error| RolloverError::Charter { path: directory.charter(), reason: error.to_string() })?;
    let mut written = vec![directory.write_charter(&text)?];
    let root = new_root(directory, charter, 1, circumstances, &mut written)?;
    new_issuing(directory, charter, &root, &[], circumstances, &mut written)?;
    Ok(written)
}

/// Makes another issuing key below the newest root; it issues from the next reload on.
pub fn intermediate(
    directory: &Directory,
    circumstances: &Circumstances<'_>,
) -> Result<Vec<PathBuf>, RolloverError> {
    let charter = read_charter(directory)?;
    let (generation, root) = newest_root(directory, circumstances)?;
    let above = above(directory, generation, &root, circumstances.now)?;
    let mut written = Vec::new();
    new_issuing(directory, &charter, &root, &above, circumstances, &mut written)?;
    Ok(written)
}

/// Makes another root, has the present one certify it, and makes an issuing key below it.
pub fn rotate(
    directory: &Directory,
    circumstances: &Circumstances<'_>,
) -> Result<Vec<PathBuf>, RolloverError> {
    let charter = read_charter(directory)?;
    let (generation, old) = newest_root(directory, circumstances)?;
    let mut written = Vec::new();
    let new = new_root(directory, &charter, generation + 1, circumstances, &mut written)?;
    let serial = serial(circumstances)?;
    let validity = from_now(circumstances.now, ROOT_LIFETIME);
    let ceremony = ceremony(&charter, generation + 1, validity.intersect(old.validity()), &serial);
    let cross = ceremony.cross(new.issuing(), &old)?;
    let through = [cross.as_slice(), old.issuing().der()];
    written.push(directory.write_certificates(Role::Cross, generation + 1, &through)?);
    let above = through.map(<[u8]>::to_vec);
    new_issuing(directory, &charter, &new, &above, circumstances, &mut written)?;
    Ok(written)
}

fn new_root(
    directory: &Directory,
    charter: &Charter,
    generation: u32,
    circumstances: &Circumstances<'_>,
    written: &mut Vec<PathBuf>,
) -> Result<Authority, RolloverError> {
    let signer = new_key(directory, charter.curve, Role::Root, generation, circumstances, written)?;
    let serial = serial(circumstances)?;
    let now = circumstances.now;
    let validity = from_now(now, ROOT_LIFETIME);
    let certificate = ceremony(charter, generation, validity, &serial).root(signer.as_ref())?;
    written.push(directory.write_certificates(Role::Root, generation, &[&certificate])?);
    Ok(Authority::new(signer, &[certificate])?)
}

/// Makes an issuing key. Its chain ends in the root, or leads through what is `above` to an older one.
fn new_issuing(
    directory: &Directory,
    charter: &Charter,
    root: &Authority,
    above: &[Vec<u8>],
    circumstances: &Circumstances<'_>,
    written: &mut Vec<PathBuf>,
) -> Result<(), RolloverError> {
    let generation = directory.generations(Role::Issuing)?.last().map_or(1, |last| last + 1);
    let signer = new_key(directory, charter.curve, Role::Issuing, generation, circumstances, written)?;
    let serial = serial(circumstances)?;
    let now = circumstances.now;
    let validity = from_now(now, INTERMEDIATE_LIFETIME);
    let ceremony = ceremony(charter, generation, validity.intersect(root.validity()), &serial);
    let certificate = ceremony.intermediate(signer.spki(), root)?;
    let mut chain = vec![certificate.as_slice()];
    match above {
        [] => chain.push(root.issuing().der()),
        above => chain.extend(above.iter().map(Vec::as_slice)),
    }
    written.push(directory.write_certificates(Role::Issuing, generation, &chain)?);
    Ok(())
}

fn new_key(
    directory: &Directory,
    curve: Curve,
    role: Role,
    generation: u32,
    circumstances: &Circumstances<'_>,
    written: &mut Vec<PathBuf>,
) -> Result<Arc<dyn Signer>, RolloverError> {
    let Some(token) = circumstances.token else {
        let key = MemoryKey::generate(curve).map_err(|_| SigningError::Provider)?;
        let pem = key.to_pem().map_err(|_| SigningError::Provider)?;
        written.push(directory.write_key(role, generation, &pem)?);
        return Ok(Arc::new(key));
    };
    let text = Zeroizing::new(Address::of_object(token, &format!("{role}-{generation}")));
    let address: Address = text.parse().map_err(SourceError::Address)?;
    let pin = address.pin(circumstances.surroundings.environment, &read)?;
    let key = Token::generate(circumstances.surroundings.libraries, address, pin, curve)?;
    written.push(directory.write_key(role, generation, &text)?);
    Ok(Arc::new(key))
}

fn newest_root(
    directory: &Directory,
    circumstances: &Circumstances<'_>,
) -> Result<(u32, Authority), RolloverError> {
    let generations = directory.generations(Role::Root)?;
    let generation = *generations.last().ok_or_else(|| RolloverError::NoRoot(directory.path().into()))?;
    let root = match circumstances.root_key {
        Some(source) => {
            let signer = source.open(circumstances.surroundings)?;
            Authority::new(signer, &directory.certificates(Role::Root, generation)?)?
        }
        None => directory.authority(Role::Root, generation, circumstances.surroundings).map_err(|error| {
            match error {
                DirectoryError::Key(error) => RolloverError::Key(error),
                other => RolloverError::Directory(other),
            }
        })?,
    };
    match root.is_valid(circumstances.now) {
        true => Ok((generation, root)),
        false => Err(RolloverError::RootInvalid { window: root.validity(), now: circumstances.now }),
    }
}

/// What leads from a root to the one before, as long as that is valid.
fn above(
    directory: &Directory,
    generation: u32,
    root: &Authority,
    now: Time,
) -> Result<Vec<Vec<u8>>, RolloverError> {
    if !directory.generations(Role::Cross)?.contains(&generation) {
        return Ok(Vec::new());
    }
    let cross = directory.certificates(Role::Cross, generation)?;
    let valid = |der: &Vec<u8>| Certificate::decode(der).is_ok_and(|found| found.validity().contains(now));
    let leads = cross.iter().all(valid)
        && cross.first().is_some_and(|der| {
            Certificate::decode(der).is_ok_and(|certificate| certificate.spki() == root.issuing().spki())
        });
    Ok(if leads { cross } else { Vec::new() })
}

fn ceremony<'a>(charter: &'a Charter, generation: u32, validity: Window, serial: &'a Serial) -> Ceremony<'a> {
    Ceremony { name: &charter.name, grade: charter.grade, generation, validity, serial }
}

/// Backdated as certificates of keeps are, for peers whose clocks are behind.
fn from_now(now: Time, lifetime: u64) -> Window {
    Window { from: Time(now.0.saturating_sub(BACKDATE)), to: Time(now.0.saturating_add(lifetime)) }
}

fn serial(circumstances: &Circumstances<'_>) -> Result<Serial, RolloverError> {
    (circumstances.random)().map(Serial::random).ok_or(RolloverError::Random)
}

fn read_charter(directory: &Directory) -> Result<Charter, RolloverError> {
    let path = directory.charter();
    let text = std::fs::read_to_string(&path).map_err(|error| error.to_string());
    let charter = text.and_then(|text| toml::from_str(&text).map_err(|error| error.message().to_owned()));
    charter.map_err(|reason| RolloverError::Charter { path, reason })
}

/// One certificate of a folder, for people and programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// `root`, `issuing` or `cross`.
    pub role: Role,
    /// Which of its kind.
    pub generation: u32,
    /// The subject's common name.
    pub name: String,
    /// The issuer's common name.
    pub issuer: String,
    /// Its number.
    pub serial: String,
    /// The identifier of its key.
    pub key_id: String,
    /// The first second of its validity.
    pub from: Time,
    /// The last one.
    pub to: Time,
    /// How it stands now.
    pub state: State,
    /// Whether its key's file is in the folder.
    pub key: bool,
}

/// How a certificate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is the one that issues.
    Issues,
    /// It is valid.
    Valid,
    /// It is not valid yet.
    Future,
    /// It has expired.
    Expired,
}

/// Looks at every certificate of a folder; opens no key.
pub fn inspect(directory: &Directory, now: Time) -> Result<Vec<Entry>, RolloverError> {
    let mut entries = Vec::new();
    for role in [Role::Root, Role::Cross, Role::Issuing] {
        for generation in directory.generations(role)? {
            let certificates = directory.certificates(role, generation)?;
            let first = certificates.first().map(|der| Certificate::decode(der));
            let Some(Ok(certificate)) = first else {
                return Err(DirectoryError::NotPem(directory.path().into()).into());
            };
            let Window { from, to } = certificate.validity();
            let state = match now {
                now if now < from => State::Future,
                now if now > to => State::Expired,
                _ => State::Valid,
            };
            entries.push(Entry {
                role,
                generation,
                name: certificate.common_name().into(),
                issuer: certificate.issuer_common_name().into(),
                serial: hex(certificate.serial()),
                key_id: hex(&super::certificate::key_id(&certificate)),
                from,
                to,
                state,
                // A cross-certificate is of the new root's key.
                key: directory.has_key(if role == Role::Cross { Role::Root } else { role }, generation),
            });
        }
    }
    let issues = entries.iter_mut().rfind(|entry| entry.role == Role::Issuing && entry.state == State::Valid);
    if let Some(entry) = issues {
        entry.state = State::Issues;
    }
    Ok(entries)
}
