//! AWS Nitro enclaves: attestation documents, signed by a key that lives for three hours.

mod appraise;
mod authenticate;
pub mod document;

use crate::cose::Sign1;
use crate::cursor::{self, Malformed};
use crate::x509::certificate::Certificate;

pub(crate) use self::appraise::appraise;
pub(crate) use self::authenticate::authenticate;
use self::document::Document;

/// The largest document ("Attestation process" of aws-nitro-enclaves-nsm-api, section 3.1: at most 16 KiB).
const MAX_SIZE: usize = 16 * 1024;

/// A signed document.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// What is signed.
    pub document: Document,
    /// The certificate of the key that signed it.
    pub certificate: Certificate,
    /// The chain of the certificate, the root first.
    pub bundle: alloc::vec::Vec<Certificate>,
    signed: Sign1,
}

/// What only a Nitro document says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The document.
    pub document: Document,
}

/// Decodes a document.
pub fn decode(bytes: &[u8]) -> Result<Evidence, Malformed> {
    cursor::limit("nitro", bytes, MAX_SIZE)?;
    let signed = Sign1::decode(bytes)?;
    let (document, certificate, bundle) = document::decode(&signed.payload)?;
    Ok(Evidence { document, certificate, bundle, signed })
}
