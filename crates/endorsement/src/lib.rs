//! Endorsements: what vendors say about platforms, fetched and kept by the host.
//!
//! The host is a mere courier. Nothing here judges anything: items are signed by their vendors, and the verifier proves
//! them when it uses them. What is kept here only has to decode, so that a vendor's error page never takes the place of
//! a list that was good yesterday.
//!
//! * [`kds`] – what to ask AMD for.
//! * [`pcs`] – what to ask Intel, or a cache of Intel's service, for.
//! * [`fetch`] – asks, with patience and limits.
//! * [`cache`] – keeps answers on disk, each with its lifetime, and carries on with old ones while a vendor is away.
//! * [`mod@file`] – recognises items in files, whoever wrote them.

pub mod cache;
pub mod fetch;
pub mod file;
pub mod kds;
pub mod pcs;

/// One answer that is wanted from a vendor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name in the cache: letters, digits, `.`, `-` and `_`.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Where its vendor has it, whichever mirror is asked: AMD's lists are told apart by nothing else.
    pub origin: String,
    /// What it must be.
    pub kind: Kind,
    /// The header that has the chain of whoever signed it, as percent-encoded PEM.
    pub chain_header: Option<&'static str>,
}

/// What an answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The certificate of one chip at one security version: it never changes.
    Certificate,
    /// Certificates of a vendor's authorities.
    Chain,
    /// A revocation list.
    Crl,
    /// Intel's TCB info.
    TcbInfo,
    /// The identity of Intel's quoting enclave.
    QeIdentity,
}
