//! Recognises endorsements in files: PEM, DER, what Intel's service answers, and the collateral objects of DCAP libraries.

use crate::{cache, kds};
use attest::base64;
use attest::cursor::Malformed;
use attest::endorsements::{DocumentKind, Endorsements};
use attest::pem;
use attest::time::Time;
use attest::x509::certificate::Certificate;
use attest::x509::crl::Crl;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::io;
use std::path::{Path, PathBuf};

/// The largest file.
pub const FILE_MOST: u64 = 4 << 20;
/// Most files of a directory.
const FILES_MOST: usize = 4096;

/// One item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endorsement {
    /// A certificate, as DER.
    Certificate(Vec<u8>),
    /// A revocation list, as DER, and where it was fetched if that is known.
    Crl(Vec<u8>, Option<String>),
    /// A signed document, as its vendor's service answers it.
    Document(DocumentKind, Vec<u8>),
}

/// A file or directory that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Not readable.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Over a limit.
    #[error("`{}` is over the limit of {limit}", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// The limit, in bytes or files.
        limit: u64,
    },
    /// Nothing that is known.
    #[error("`{}` holds no endorsement", path.display())]
    Unknown {
        /// Which.
        path: PathBuf,
        /// What is wrong with what it looks like.
        source: Unrecognised,
    },
}

/// Bytes that are no endorsement.
#[derive(Debug, thiserror::Error)]
pub enum Unrecognised {
    /// They look like something, and are not.
    #[error(transparent)]
    Malformed(Malformed),
    /// They look like nothing.
    #[error(
        "neither PEM, nor a certificate, a revocation list, a document of Intel or a list of Arm CCA keys"
    )]
    Unknown,
}

impl Endorsement {
    /// Every item of a file's content; each of them decodes.
    pub fn recognise(bytes: &[u8]) -> Result<Vec<Self>, Unrecognised> {
        if pem::is_pem(bytes) {
            let blocks = pem::decode(bytes).map_err(Unrecognised::Malformed)?;
            return blocks.into_iter().map(|block| Self::der(block.bytes)).collect();
        }
        match bytes.trim_ascii_start() {
            [b'{', ..] => json(bytes),
            [b'[', ..] => {
                attest::cca::keys::decode(bytes).map_err(Unrecognised::Malformed)?;
                Ok(vec![Self::Document(DocumentKind::CcaKeys, bytes.to_vec())])
            }
            // A PCCS answers lists in hexadecimal.
            text if text.len() > 2 && text.trim_ascii_end().iter().all(u8::is_ascii_hexdigit) => {
                hex(text.trim_ascii_end())
                    .ok_or(Unrecognised::Unknown)
                    .and_then(Self::der)
                    .map(|one| vec![one])
            }
            _ => Self::der(bytes.to_vec()).map(|one| vec![one]),
        }
    }

    /// Adds the item to a set.
    pub fn add_to(&self, endorsements: &mut Endorsements) -> Result<(), Malformed> {
        match self {
            Self::Certificate(der) => endorsements.add_certificate(der),
            Self::Crl(der, Some(source)) => endorsements.add_crl_from(source, der),
            Self::Crl(der, None) => endorsements.add_crl(der),
            Self::Document(kind, bytes) => endorsements.add_document(*kind, bytes),
        }
    }

    /// When its vendor will have replaced it; nothing for what stays as it is.
    pub fn next_update(&self) -> Option<Time> {
        match self {
            Self::Certificate(_) => None,
            Self::Crl(der, _) => Crl::decode(der).ok().map(|crl| crl.window().to),
            Self::Document(_, bytes) => next_update(bytes),
        }
    }

    fn der(bytes: Vec<u8>) -> Result<Self, Unrecognised> {
        match (Certificate::decode(&bytes), Crl::decode(&bytes)) {
            (Ok(_), _) => Ok(Self::Certificate(bytes)),
            (_, Ok(_)) => Ok(Self::Crl(bytes, None)),
            // A SEQUENCE was meant to be one of the two; a certificate is the more likely.
            (Err(error), _) if bytes.first() == Some(&0x30) => Err(Unrecognised::Malformed(error)),
            _ => Err(Unrecognised::Unknown),
        }
    }
}

/// Reads a file, or every file of a directory in the order of their names. Names that start with a dot are left out. Where a
/// revocation list came from is told by the index of a cache or, without one, by a name as a cache would give it:
/// `vlek-genoa-crl` is AMD's list of ASVKs.
pub fn read(path: &Path) -> Result<Vec<Endorsement>, FileError> {
    let origins = cache::origins(path);
    let mut found = Vec::new();
    for file in files(path)? {
        let bytes = read_bounded(&file)?;
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let origin = origins.get(name).cloned().or_else(|| kds::origin(name));
        let items =
            Endorsement::recognise(&bytes).map_err(|source| FileError::Unknown { path: file, source })?;
        found.extend(items.into_iter().map(|item| match item {
            Endorsement::Crl(der, None) => Endorsement::Crl(der, origin.clone()),
            other => other,
        }));
    }
    Ok(found)
}

/// Reads a file of a bounded size.
pub fn read_bounded(path: &Path) -> Result<Vec<u8>, FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > FILE_MOST {
        return Err(FileError::TooLarge { path: path.to_owned(), limit: FILE_MOST });
    }
    std::fs::read(path).map_err(failed)
}

fn files(path: &Path) -> Result<Vec<PathBuf>, FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    if !std::fs::metadata(path).map_err(failed)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let hidden = name.as_encoded_bytes().starts_with(b".") || name == cache::INDEX;
        if !hidden && entry.file_type().map_err(failed)?.is_file() {
            files.push(entry.path());
        }
        if files.len() > FILES_MOST {
            return Err(FileError::TooLarge { path: path.to_owned(), limit: FILES_MOST as u64 });
        }
    }
    files.sort();
    Ok(files)
}

/// What Intel's service answers (PCS API v4).
#[derive(Deserialize)]
struct Signed<'a> {
    #[serde(borrow, rename = "tcbInfo")]
    tcb_info: Option<&'a RawValue>,
    #[serde(borrow, rename = "enclaveIdentity")]
    enclave_identity: Option<&'a RawValue>,
}

/// The collateral of one quote, as DCAP libraries hand it on (quote3/sgx_ql_lib_common.h, `sgx_ql_qve_collateral_t`).
#[derive(Deserialize)]
struct Collateral {
    pck_crl_issuer_chain: String,
    root_ca_crl: String,
    pck_crl: String,
    tcb_info_issuer_chain: String,
    tcb_info: String,
    tcb_info_signature: String,
    qe_identity_issuer_chain: String,
    qe_identity: String,
    qe_identity_signature: String,
}

fn json(bytes: &[u8]) -> Result<Vec<Endorsement>, Unrecognised> {
    let signed: Signed<'_> = serde_json::from_slice(bytes).map_err(|_| Unrecognised::Unknown)?;
    let document = |kind| {
        let decoded = Endorsements::new(Vec::new()).add_document(kind, bytes);
        decoded.map_err(Unrecognised::Malformed)?;
        Ok(vec![Endorsement::Document(kind, bytes.to_vec())])
    };
    match (signed.tcb_info, signed.enclave_identity) {
        (Some(_), None) => return document(DocumentKind::TcbInfo),
        (None, Some(_)) => return document(DocumentKind::QeIdentity),
        _ => {}
    }
    let collateral: Collateral = serde_json::from_slice(bytes).map_err(|_| Unrecognised::Unknown)?;
    let Collateral { tcb_info, tcb_info_signature, qe_identity, qe_identity_signature, .. } = &collateral;
    let info = format!(r#"{{"tcbInfo":{tcb_info},"signature":"{tcb_info_signature}"}}"#);
    let identity = format!(r#"{{"enclaveIdentity":{qe_identity},"signature":"{qe_identity_signature}"}}"#);
    let parts = [
        collateral.pck_crl_issuer_chain.as_bytes(),
        collateral.tcb_info_issuer_chain.as_bytes(),
        collateral.qe_identity_issuer_chain.as_bytes(),
    ];
    let mut found = Vec::new();
    for part in parts {
        found.extend(Endorsement::recognise(part)?);
    }
    for list in [&collateral.root_ca_crl, &collateral.pck_crl] {
        let der = hex(list.as_bytes()).or_else(|| base64::decode("crl", list.as_bytes()).ok());
        found.push(Endorsement::der(der.ok_or(Unrecognised::Unknown)?)?);
    }
    found.push(Endorsement::Document(DocumentKind::TcbInfo, info.into_bytes()));
    found.push(Endorsement::Document(DocumentKind::QeIdentity, identity.into_bytes()));
    Ok(found)
}

fn next_update(document: &[u8]) -> Option<Time> {
    #[derive(Deserialize)]
    struct Dated {
        #[serde(rename = "nextUpdate")]
        next_update: String,
    }
    let signed: Signed<'_> = serde_json::from_slice(document).ok()?;
    let inside = signed.tcb_info.or(signed.enclave_identity)?;
    let dated: Dated = serde_json::from_str(inside.get()).ok()?;
    Time::from_rfc3339(&dated.next_update)
}

fn hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pairs = text.chunks(2).map(|pair| match *pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    });
    pairs.collect()
}
