//! ACME (RFC 8555) for keeps: an order is authorised by evidence, under draft-ietf-acme-rats.
//!
//! ```text
//! newOrder ─▶ authorization with one challenge, remote-attest-01: token, freshness_nonce
//!   answer: a CMW with KeepClaims and evidence ─▶ judged ─▶ order ready
//! finalize: a CSR by the key that the claims name ─▶ judged again, as it is then ─▶ certificate
//! ```
//!
//! Freshness and binding: `freshness_nonce` is the SHA-256 of the key authorization (RFC 8555 section 8.1), that is of the
//! challenge's random token and the account key's thumbprint, in base64url. Its 32 octets are the nonce of KeepClaims, which
//! the environment signs. Evidence therefore answers one challenge of one account, and vouches for one key: that of the CSR.
//!
//! An order has one identifier. `remote-attestation` with an empty value asks for whatever the evidence proves;
//! `permanent-identifier` (draft-ietf-acme-device-attest) with a workload's digest asks for that workload. Names of the web
//! are refused: what a certificate says comes from the evidence, never from the order.
//!
//! Accounts and orders live in memory, bounded, and expire. A client whose account was forgotten is told
//! `accountDoesNotExist`, and registers anew.

pub mod answer;
pub mod error;
mod handlers;
pub mod jws;
mod signed;
pub mod store;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use attest::carrier::Submission;
use attest::time::Time;
use attest::x509::certificate::Certificate;
use axum::Router;
use serde::Deserialize;
use service::problem::Problem;

use self::store::Store;
use crate::request::Request;
use crate::revocation::Cause;

/// The path below which everything of ACME is.
pub const PATH: &str = "/acme";

/// What an operator sets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The address that clients use, as `https://steward.example`: requests are signed over it.
    pub url: String,
    /// Terms that clients must agree to.
    #[serde(default)]
    pub terms_of_service: Option<String>,
    /// A page for people.
    #[serde(default)]
    pub website: Option<String>,
    /// Keys of external accounts by their ids, in base64url; with any, every new account must be bound to one (RFC 8555
    /// section 7.3.4).
    #[serde(default)]
    pub external_accounts: BTreeMap<String, String>,
    /// The most accounts.
    #[serde(default = "accounts")]
    pub accounts: usize,
    /// The most orders of all accounts, and of one.
    #[serde(default = "orders")]
    pub orders: usize,
    /// The most orders of one account.
    #[serde(default = "orders_each")]
    pub orders_each: usize,
    /// How long an order lives.
    #[serde(default = "order_seconds")]
    pub order_seconds: u64,
}

/// What answers when it is there.
pub type Promise<'a, T> = Pin<Box<dyn Future<Output = Result<T, Problem>> + Send + 'a>>;

/// Where a request came from, for the records.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Its id, as in the log.
    pub id: Arc<str>,
    /// The address, if it was not a process of this machine.
    pub address: Option<IpAddr>,
}

/// Who judges and issues: the Steward itself, with its policy, its records and its threads.
pub trait Certifier: Send + Sync {
    /// The profiles that may be asked for, each with a few words.
    fn profiles(&self) -> BTreeMap<String, String>;

    /// Judges what a challenge was answered with, a submission whose nonce is known to be fresh.
    fn judge<'a>(&'a self, profile: Option<&'a str>, submission: Submission) -> Promise<'a, ()>;

    /// Judges again, issues and records. Answers the certificate and those above it, as DER.
    fn certify<'a>(
        &'a self,
        profile: Option<&'a str>,
        request: Request,
        body: Vec<u8>,
        origin: Origin,
    ) -> Promise<'a, Vec<Vec<u8>>>;

    /// Revokes a certificate that was issued here; refuses any other.
    fn revoke<'a>(&'a self, certificate: &'a Certificate, cause: Cause) -> Promise<'a, ()>;
}

/// Everything that the handlers share.
pub(crate) struct Acme {
    settings: Settings,
    certifier: Arc<dyn Certifier>,
    clock: Arc<dyn Fn() -> Time + Send + Sync>,
    store: Store,
}

/// The routes, to be merged with the Steward's own.
pub fn routes(
    settings: Settings,
    certifier: Arc<dyn Certifier>,
    clock: Arc<dyn Fn() -> Time + Send + Sync>,
) -> Router {
    let store = Store::new(settings.accounts, settings.orders, settings.orders_each, settings.order_seconds);
    handlers::routes(Arc::new(Acme { settings, certifier, clock, store }))
}

impl Acme {
    /// An absolute address.
    fn url(&self, path: &str) -> String {
        format!("{}{PATH}/{path}", self.settings.url.trim_end_matches('/'))
    }

    fn now(&self) -> Time {
        (self.clock)()
    }
}

fn accounts() -> usize {
    10_000
}

fn orders() -> usize {
    10_000
}

fn orders_each() -> usize {
    64
}

fn order_seconds() -> u64 {
    3600
}
