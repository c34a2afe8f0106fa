//! OCI Distribution 1.1 over the same store.
//!
//! ```text
//! /v2/                                                    GET
//! /v2/<user>/<repository>/blobs/<digest>                  GET HEAD DELETE
//! /v2/<user>/<repository>/blobs/uploads/                  POST
//! /v2/<user>/<repository>/blobs/uploads/<id>              GET PATCH PUT DELETE
//! /v2/<user>/<repository>/manifests/<tag or digest>       GET HEAD PUT DELETE
//! /v2/<user>/<repository>/tags/list                       GET
//! /v2/<user>/<repository>/referrers/<digest>              GET
//! ```
//!
//! A repository's name has two parts here, as everywhere in Drawbridge. Digests are SHA-256.

pub mod blobs;
pub mod lists;
pub mod manifests;
pub mod uploads;

use crate::access::{Action, Grant};
use crate::app::{App, Shared};
use crate::caller::Caller;
use crate::error::Refusal;
use crate::record::{self, Asked};
use crate::routes::admitted;
use crate::routes::tags::signed;
use crate::settings::Settings;
use api::digest::{Algorithm, Digest};
use api::name::Repository;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{StatusCode, header};
use service::address::Peer;

/// Every route of OCI.
pub fn router() -> Router<Shared> {
    let repository = "/v2/{user}/{repository}";
    let uploads = post(uploads::start);
    Router::new()
        .route("/v2/", get(base))
        .route("/v2", get(base))
        .route(&format!("{repository}/blobs/{{digest}}"), get(blobs::show).delete(blobs::delete))
        .route(&format!("{repository}/blobs/uploads/"), uploads.clone())
        .route(&format!("{repository}/blobs/uploads"), uploads)
        .route(
            &format!("{repository}/blobs/uploads/{{id}}"),
            get(uploads::show).patch(uploads::append).put(uploads::finish).delete(uploads::give_up),
        )
        .route(
            &format!("{repository}/manifests/{{reference}}"),
            get(manifests::show).put(manifests::put).delete(manifests::delete),
        )
        .route(&format!("{repository}/tags/list"), get(lists::tags))
        .route(&format!("{repository}/referrers/{{digest}}"), get(lists::referrers))
        .layer(DefaultBodyLimit::disable())
}

/// A refusal as OCI's clients read it (distribution-spec 1.1, "Error Codes").
pub struct Error(Refusal);

impl<E: Into<Refusal>> From<E> for Error {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, reason, code) = self.0.codes();
        let message = self.0.to_string();
        // The same refusal as everywhere, for its headers; only the body is OCI's.
        let headers = self.0.into_response().headers().clone();
        tracing::debug!(reason, detail = %message, "refused");
        let message = if status.is_server_error() { reason.to_owned() } else { message };
        let body = serde_json::json!({ "errors": [{ "code": code, "message": message, "detail": { "code": reason } }] });
        let mut response = (status, Json(body)).into_response();
        for name in [header::WWW_AUTHENTICATE, header::RETRY_AFTER, header::CONTENT_RANGE] {
            if let Some(value) = headers.get(&name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
        response
    }
}

/// `GET /v2/`: whether this is spoken here. Clients send credentials only if they are asked for them here.
async fn base(State(app): State<Shared>, request: Request) -> Result<Response, Error> {
    let caller = Caller::of(&app, request.headers(), request.extensions().get::<Peer>()).await?;
    match caller.token.is_some() || !caller.certificates.is_empty() {
        true => Ok((StatusCode::OK, Json(serde_json::json!({}))).into_response()),
        false => Err(Refusal::Unauthenticated("nobody is known yet").into()),
    }
}

async fn allowed(
    app: &App,
    parts: &Parts,
    name: &Repository,
    action: Action<'_>,
) -> Result<(Settings, Caller), Refusal> {
    let caller = Caller::of(app, &parts.headers, parts.extensions.get::<Peer>()).await?;
    let (settings, _) = admitted(app, &caller, name, action).await?;
    Ok((settings, caller))
}

/// Whether content may be read, on record: by a keep, what is part of the package that its certificate names; of a
/// repository that wants signatures, what is part of a signed package.
async fn readable(app: &App, parts: &Parts, name: &Repository, digest: &Digest) -> Result<(), Refusal> {
    let caller = Caller::of(app, &parts.headers, parts.extensions.get::<Peer>()).await?;
    let found = app.store.index.repository(name).await?.map(|row| row.settings).unwrap_or_default();
    let keep = caller.token.is_none() && !caller.certificates.is_empty() && !found.public;
    let trees = match keep || !found.signers.is_empty() {
        true => app.store.index.trees_with(name, digest).await?,
        false => Vec::new(),
    };
    // Content that is part of nothing yet is tried as that, and as what it may be part of.
    let packages: Vec<Option<Digest>> =
        match trees.iter().filter_map(|tree| tree.package.parse().ok()).map(Some).collect() {
            packages if Vec::is_empty(&packages) => vec![None],
            packages => packages,
        };
    let (mut package, mut decided) = (None, Err(Refusal::Missing("blob")));
    for candidate in packages {
        let grant =
            admitted(app, &caller, name, Action::Read(candidate.as_ref())).await.map(|(_, grant)| grant);
        (package, decided) = (candidate, grant);
        if decided.is_ok() {
            break;
        }
    }
    let owner = matches!(&decided, Ok(Grant::Person(person)) if person == name.user());
    if decided.is_ok()
        && !owner
        && !found.signers.is_empty()
        && !trees.iter().any(|tree| signed(&found, tree).is_ok())
    {
        decided = Err(Refusal::Unsigned("no tag that has this is signed by one of the repository's signers"));
    }
    let what = digest.to_string();
    record::release(
        app,
        parts,
        &Asked { repository: name, what: &what, package: package.as_ref() },
        &decided,
    )
    .await?;
    decided.map(|_: Grant| ())
}

fn repository(user: &str, name: &str) -> Result<Repository, Refusal> {
    Ok(format!("{user}/{name}").parse()?)
}

/// A digest that can name something here.
fn digest(text: &str) -> Result<Digest, Refusal> {
    let digest: Digest = text.parse()?;
    match digest.algorithm() {
        Algorithm::Sha256 => Ok(digest),
        other => {
            Err(Refusal::Digest(api::digest::DigestError::Algorithm { found: other.oci_name().to_owned() }))
        }
    }
}
