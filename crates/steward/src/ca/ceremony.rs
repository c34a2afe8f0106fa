//! Certificates of authorities: roots, intermediates, and the cross-certificates of a rollover. Pure.

use attest::time::{Time, Window};
use attest::x509::certificate::Certificate;
use der::Encode;
use std::str::FromStr;
use std::sync::Arc;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages};
use x509_cert::name::Name;

use super::certificate::{Contents, authority_key_id, extension, identify, key_id, subject_key_id};
use super::key::MemoryKey;
use super::{Authority, Curve, Signer, SigningError, spki_bits};
use crate::issue::Grade;
use crate::issue::serial::Serial;

/// What every certificate of a ceremony says.
#[derive(Clone, Copy, Debug)]
pub struct Ceremony<'a> {
    /// Whose authority it is, for the subject's common name.
    pub name: &'a str,
    /// What its certificates are good for.
    pub grade: Grade,
    /// Which of its kind it is, from 1.
    pub generation: u32,
    /// When it is valid.
    pub validity: Window,
    /// Its number.
    pub serial: &'a Serial,
}

/// How long a root lives.
pub const ROOT_LIFETIME: u64 = 20 * YEAR;

/// How long an intermediate lives.
pub const INTERMEDIATE_LIFETIME: u64 = YEAR;

const YEAR: u64 = 365 * 24 * 60 * 60;

impl Ceremony<'_> {
    /// Signs a root for its own key.
    pub fn root(&self, signer: &dyn Signer) -> Result<Vec<u8>, SigningError> {
        let subject = self.subject("root")?;
        let id = identify(spki_bits(signer.spki())?);
        let extensions = vec![subject_key_id(&id)?, authority_usage()?, authority_constraints(None)?];
        self.contents(&subject, &subject, signer.spki(), extensions).sign(signer)
    }

    /// Signs an intermediate that issues certificates to keeps, and no further authority.
    pub fn intermediate(&self, spki: &[u8], root: &Authority) -> Result<Vec<u8>, SigningError> {
        let subject = self.subject("issuing")?;
        let extensions = vec![
            authority_key_id(root.key_id())?,
            subject_key_id(&identify(spki_bits(spki)?))?,
            authority_usage()?,
            authority_constraints(Some(0))?,
            self.grade.policy()?,
        ];
        self.contents(root.issuing().subject(), &subject, spki, extensions).sign(root.signer())
    }

    /// Signs a new root's key by the old root: who trusts the old one only trusts the new one through it.
    pub fn cross(&self, new: &Certificate, old: &Authority) -> Result<Vec<u8>, SigningError> {
        let extensions = vec![
            authority_key_id(old.key_id())?,
            subject_key_id(&key_id(new))?,
            authority_usage()?,
            authority_constraints(Some(1))?,
            self.grade.policy()?,
        ];
        self.contents(old.issuing().subject(), new.subject(), new.spki(), extensions).sign(old.signer())
    }

    fn contents<'a>(
        &'a self,
        issuer: &'a [u8],
        subject: &'a [u8],
        spki: &'a [u8],
        extensions: Vec<Extension>,
    ) -> Contents<'a> {
        Contents { serial: self.serial, issuer, validity: self.validity, subject, spki, extensions }
    }

    /// `CN=<name> root 1`; of a lab it says so in the name too, for people who look at nothing else.
    fn subject(&self, role: &str) -> der::Result<Vec<u8>> {
        let lab = match self.grade {
            Grade::Production => "",
            Grade::Lab => " (lab, not for production)",
        };
        common_name(&format!("{} {role} {}{lab}", self.name, self.generation))
    }
}

/// An authority for development: a self-signed P-256 certificate with a key that nobody keeps.
pub fn throwaway(name: &str, now: Time, serial: &Serial) -> Result<Authority, SigningError> {
    let signer: Arc<dyn Signer> =
        Arc::new(MemoryKey::generate(Curve::P256).map_err(|_| SigningError::Provider)?);
    let subject = common_name(name)?;
    let id = identify(spki_bits(signer.spki())?);
    let contents = Contents {
        serial,
        issuer: &subject,
        validity: Window { from: Time(now.0.saturating_sub(60)), to: Time(now.0.saturating_add(YEAR)) },
        subject: &subject,
        spki: signer.spki(),
        extensions: vec![
            subject_key_id(&id)?,
            authority_usage()?,
            authority_constraints(Some(0))?,
            Grade::Lab.policy()?,
        ],
    };
    let certificate = contents.sign(signer.as_ref())?;
    Authority::new(signer, &[certificate]).map_err(|_| SigningError::Provider)
}

/// A Name of one common name.
pub fn common_name(name: &str) -> der::Result<Vec<u8>> {
    // RFC 4514 section 2.4: these stand for something else, unless escaped.
    let escaped: String = name
        .chars()
        .flat_map(|letter| {
            let special = ",+\"\\<>;#=".contains(letter);
            special.then_some('\\').into_iter().chain([letter])
        })
        .collect();
    Name::from_str(&format!("CN={escaped}"))?.to_der()
}

/// Certificates, lists, and the answers of an OCSP responder that has no key of its own.
fn authority_usage() -> der::Result<Extension> {
    extension(true, &KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign | KeyUsages::DigitalSignature))
}

fn authority_constraints(path_len_constraint: Option<u8>) -> der::Result<Extension> {
    extension(true, &BasicConstraints { ca: true, path_len_constraint })
}
