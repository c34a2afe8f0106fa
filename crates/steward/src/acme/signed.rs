//! Who sent a request: every POST of ACME is signed, by an account or by a key (RFC 8555 sections 6.2 to 6.5).

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use service::problem::Problem;

use super::error::{bad_nonce, malformed, problem, unauthorized, unsigned};
use super::jws::{Jwk, Jws};
use super::store::Account;
use super::{Acme, Origin};

/// A request whose signature holds.
pub(super) struct Signed {
    /// Who signed.
    pub(super) by: By,
    /// What was signed; empty in POST-as-GET.
    pub(super) payload: Vec<u8>,
    /// Where it came from.
    pub(super) origin: Origin,
}

/// Who signed a request.
pub(super) enum By {
    /// An account that is open.
    Account(Box<Account>),
    /// A key, given with the request.
    Key(Jwk),
}

impl Acme {
    /// Verifies a request to this path below [`PATH`](super::PATH).
    pub(super) fn verify(
        &self,
        path: &str,
        headers: &HeaderMap,
        body: &[u8],
        origin: Origin,
    ) -> Result<Signed, Response> {
        let refuse = |problem: Problem| Err(problem.into_response());
        if headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind != "application/jose+json") {
            let detail = "requests have the content type application/jose+json";
            return refuse(problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "malformed", detail));
        }
        let jws = Jws::decode(body).map_err(|error| unsigned(&error))?;
        let expected = self.url(path);
        if jws.header.url != expected {
            return refuse(unauthorized(format!(
                "the request is signed for `{}`, not `{expected}`",
                jws.header.url
            )));
        }
        let (by, key) = match (&jws.header.jwk, &jws.header.kid) {
            (Some(key), None) => {
                key.check().map_err(|error| unsigned(&error))?;
                (By::Key(key.clone()), key.clone())
            }
            (None, Some(kid)) => {
                let account = self.account(kid).map_err(IntoResponse::into_response)?;
                let key = account.key.clone();
                (By::Account(Box::new(account)), key)
            }
            _ => return refuse(malformed("the protected header has either `jwk` or `kid`")),
        };
        jws.verify(&key).map_err(|error| unsigned(&error))?;
        // Spent last: whoever cannot sign spends nobody's nonce.
        match jws.header.nonce.as_deref().is_some_and(|nonce| self.store.spend(nonce)) {
            true => Ok(Signed { by, payload: jws.payload, origin }),
            false => refuse(bad_nonce()),
        }
    }

    fn account(&self, kid: &str) -> Result<Account, Problem> {
        let id = kid.strip_prefix(&self.url("account/"));
        let account = id.and_then(|id| self.store.account(id, self.now()));
        match account {
            None => Err(problem(
                StatusCode::BAD_REQUEST,
                "accountDoesNotExist",
                format!("there is no account `{kid}`"),
            )
            .hint(
                "register again: accounts are forgotten after long silence, and when the Steward restarts",
            )),
            Some(account) if account.deactivated => Err(unauthorized("the account was deactivated")),
            Some(account) => Ok(account),
        }
    }
}

impl Signed {
    /// The account; a key alone will not do.
    pub(super) fn account(&self) -> Result<&Account, Problem> {
        match &self.by {
            By::Account(account) => Ok(account),
            By::Key(_) => Err(malformed("this request is signed by an account: `kid`, not `jwk`")),
        }
    }

    /// The key; an account will not do.
    pub(super) fn key(&self) -> Result<&Jwk, Problem> {
        match &self.by {
            By::Key(key) => Ok(key),
            By::Account(_) => Err(malformed("this request is signed by a key: `jwk`, not `kid`")),
        }
    }

    /// The payload, of an object that may have members nobody knows (RFC 8555 section 7.1).
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_slice(&self.payload).map_err(|error| malformed(format!("payload: {error}")))
    }

    /// Whether this is POST-as-GET.
    pub(super) fn is_get(&self) -> bool {
        self.payload.is_empty()
    }
}
