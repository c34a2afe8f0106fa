//! Certificate revocation lists (RFC 5280 section 5).

use attest::time::Window;
use der::Encode;
use der::asn1::AnyRef;
use der::{Decode, Enumerated, Sequence};
use x509_cert::Version;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::CrlNumber;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::AlgorithmIdentifier;
use x509_cert::time::Time;

use super::{Cause, Revocation};
use crate::ca::certificate::{algorithm, authority_key_id, number, raw_extension, signed, time};
use crate::ca::{Authority, SigningError};
use crate::issue::serial::Serial;

/// How long a list is valid, unless settings say otherwise.
pub const LIFETIME: u64 = 24 * 60 * 60;

/// TBSCertList (RFC 5280 section 5.1.2); the issuer's name is kept as the bytes that it is.
#[derive(Sequence)]
struct Tbs<'a> {
    version: Version,
    algorithm: AlgorithmIdentifier<AnyRef<'a>>,
    issuer: AnyRef<'a>,
    this_update: Time,
    next_update: Time,
    #[asn1(optional = "true")]
    revoked: Option<Vec<Entry>>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

/// One revoked certificate.
#[derive(Sequence)]
struct Entry {
    serial: SerialNumber,
    date: Time,
    #[asn1(optional = "true")]
    extensions: Option<Vec<Extension>>,
}

/// CRLReason (RFC 5280 section 5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumerated)]
#[repr(u8)]
pub(super) enum Reason {
    KeyCompromise = 1,
    Superseded = 4,
    CessationOfOperation = 5,
    PrivilegeWithdrawn = 9,
}

/// Signs the list of an authority. Each list has a greater number than the one before; who keeps no count takes the time.
/// Entries may come in any order; a certificate that has expired need not be listed any more.
pub fn sign<'a>(
    authority: &Authority,
    entries: impl IntoIterator<Item = (&'a Serial, &'a Revocation)>,
    list_number: u64,
    validity: Window,
) -> Result<Vec<u8>, SigningError> {
    let entries = entries.into_iter().map(entry).collect::<der::Result<Vec<_>>>()?;
    let number = raw_extension(
        <CrlNumber as der::oid::AssociatedOid>::OID,
        false,
        attest::der::unsigned(list_number),
    )?;
    let tbs = Tbs {
        version: Version::V2,
        algorithm: algorithm(authority.signer().curve()),
        issuer: AnyRef::from_der(authority.issuing().subject())?,
        this_update: time(validity.from)?,
        next_update: time(validity.to)?,
        // An empty list is left out (section 5.1.2.6).
        revoked: Some(entries).filter(|entries| !entries.is_empty()),
        extensions: vec![authority_key_id(authority.key_id())?, number],
    };
    signed(&tbs.to_der()?, authority.signer())
}

fn entry((serial, revocation): (&Serial, &Revocation)) -> der::Result<Entry> {
    let reason =
        |reason: Reason| raw_extension(der::oid::db::rfc5280::ID_CE_CRL_REASONS, false, reason.to_der()?);
    let extensions = revocation.cause.reason().map(reason).transpose()?.map(|extension| vec![extension]);
    Ok(Entry { serial: number(serial)?, date: time(revocation.at)?, extensions })
}

impl Cause {
    /// Its reason; nothing where none is said, which is how section 5.3.1 wants it.
    pub(super) fn reason(self) -> Option<Reason> {
        match self {
            Self::Unspecified => None,
            Self::KeyCompromise => Some(Reason::KeyCompromise),
            Self::Superseded => Some(Reason::Superseded),
            Self::CessationOfOperation => Some(Reason::CessationOfOperation),
            Self::PrivilegeWithdrawn => Some(Reason::PrivilegeWithdrawn),
        }
    }
}
