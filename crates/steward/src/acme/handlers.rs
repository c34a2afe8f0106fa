//! The requests of ACME, in the order of RFC 8555 section 7.

mod account;
mod order;
mod revoke;

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use service::address::Caller;
use service::observe::RequestId;
use service::problem::Problem;

use super::error::{malformed, problem};
use super::jws::MAX_SIZE;
use super::signed::Signed;
use super::store::NotKept;
use super::{Acme, Origin, PATH};

const REPLAY_NONCE: HeaderName = HeaderName::from_static("replay-nonce");

/// What every handler answers.
type Answer = Result<Response, Problem>;

pub(super) fn routes(acme: Arc<Acme>) -> Router {
    let routes = Router::new()
        .route("/directory", get(directory))
        .route("/new-nonce", get(new_nonce))
        .route("/new-account", post(new_account))
        .route("/account/{id}", post(account))
        .route("/account/{id}/orders", post(orders))
        .route("/key-change", post(key_change))
        .route("/new-order", post(new_order))
        .route("/order/{id}", post(order))
        .route("/order/{id}/finalize", post(finalize))
        .route("/authz/{id}", post(authorization))
        .route("/challenge/{id}", post(challenge))
        .route("/certificate/{id}", post(certificate))
        .route("/revoke-cert", post(revoke_cert))
        .layer(DefaultBodyLimit::max(MAX_SIZE))
        .layer(from_fn_with_state(acme.clone(), answered))
        .with_state(acme);
    Router::new().nest(PATH, routes)
}

/// What all answers have: a fresh nonce, the way to the directory, and no place in any cache.
async fn answered(State(acme): State<Arc<Acme>>, request: Request, next: Next) -> Response {
    let nonce = *request.method() == Method::POST || request.uri().path().ends_with("/new-nonce");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if nonce && let Some(nonce) = acme.store.nonce().ok().and_then(|nonce| HeaderValue::from_str(&nonce).ok())
    {
        headers.insert(REPLAY_NONCE, nonce);
    }
    if let Ok(index) = HeaderValue::from_str(&format!("<{}>;rel=\"index\"", acme.url("directory"))) {
        headers.append(header::LINK, index);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn directory(State(acme): State<Arc<Acme>>) -> Json<Value> {
    let mut meta = json!({ "profiles": acme.certifier.profiles() });
    let settings = &acme.settings;
    if let Some(terms) = &settings.terms_of_service {
        meta["termsOfService"] = terms.as_str().into();
    }
    if let Some(website) = &settings.website {
        meta["website"] = website.as_str().into();
    }
    if !settings.external_accounts.is_empty() {
        meta["externalAccountRequired"] = true.into();
    }
    Json(json!({
        "newNonce": acme.url("new-nonce"),
        "newAccount": acme.url("new-account"),
        "newOrder": acme.url("new-order"),
        "revokeCert": acme.url("revoke-cert"),
        "keyChange": acme.url("key-change"),
        "meta": meta,
    }))
}

/// RFC 8555 section 7.2: 200 to HEAD, 204 to GET.
async fn new_nonce(method: Method) -> StatusCode {
    if method == Method::HEAD { StatusCode::OK } else { StatusCode::NO_CONTENT }
}

/// Where a request came from, as whoever watches requests has found.
struct Came(Origin);

impl<S: Send + Sync> FromRequestParts<S> for Came {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let id = parts.extensions.get::<RequestId>().map_or_else(|| "".into(), |id| id.0.clone());
        let address = parts.extensions.get::<Caller>().and_then(|caller| caller.address);
        Ok(Self(Origin { id, address }))
    }
}

/// Verifies a request, and hands it to its handler.
macro_rules! signed {
    ($name:ident, $path:literal, $handler:path) => {
        async fn $name(
            State(acme): State<Arc<Acme>>,
            Came(origin): Came,
            headers: HeaderMap,
            body: Bytes,
        ) -> Response {
            match acme.verify($path, &headers, &body, origin) {
                Ok(signed) => told($handler(&acme, &signed).await),
                Err(refused) => refused,
            }
        }
    };
    ($name:ident, $before:literal id $after:literal, $handler:path) => {
        async fn $name(
            State(acme): State<Arc<Acme>>,
            Path(id): Path<String>,
            Came(origin): Came,
            headers: HeaderMap,
            body: Bytes,
        ) -> Response {
            match acme.verify(&format!("{}{id}{}", $before, $after), &headers, &body, origin) {
                Ok(signed) => told($handler(&acme, &signed, &id).await),
                Err(refused) => refused,
            }
        }
    };
}

signed!(new_account, "new-account", account::open);
signed!(account, "account/" id "", account::update);
signed!(orders, "account/" id "/orders", order::list);
signed!(key_change, "key-change", account::change_key);
signed!(new_order, "new-order", order::begin);
signed!(order, "order/" id "", order::show);
signed!(finalize, "order/" id "/finalize", order::finalize);
signed!(authorization, "authz/" id "", order::authorization);
signed!(challenge, "challenge/" id "", order::challenge);
signed!(certificate, "certificate/" id "", order::certificate);
signed!(revoke_cert, "revoke-cert", revoke::revoke);

fn told(answer: Answer) -> Response {
    answer.unwrap_or_else(IntoResponse::into_response)
}

/// An object with the address where it is.
fn at(status: StatusCode, location: &str, body: Value) -> Answer {
    let location =
        HeaderValue::from_str(location).map_err(|_| malformed("an address that no header holds"))?;
    Ok((status, [(header::LOCATION, location)], Json(body)).into_response())
}

/// What is only read must have been asked for with POST-as-GET.
fn only_read(signed: &Signed) -> Result<(), Problem> {
    match signed.is_get() {
        true => Ok(()),
        false => Err(malformed("the payload must be empty: this can only be read")),
    }
}

/// Something that is not remembered, so that it must be asked for later.
fn not_kept(reason: NotKept) -> Problem {
    match reason {
        NotKept::Full => problem(StatusCode::TOO_MANY_REQUESTS, "rateLimited", "there are too many already")
            .retry_after(std::time::Duration::from_secs(60)),
        NotKept::Unrandom => {
            problem(StatusCode::INTERNAL_SERVER_ERROR, "serverInternal", "there is no randomness")
        }
    }
}
