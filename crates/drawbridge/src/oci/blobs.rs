//! Blobs, by digest.

use super::{Error, allowed, digest, readable, repository};
use crate::access::Action;
use crate::app::Shared;
use crate::error::Refusal;
use crate::transfer::{Outgoing, send};
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;

type Names = Path<(String, String, String)>;

/// `GET`, `HEAD`: the blob, or a part of it.
pub async fn show(
    State(app): State<Shared>,
    Path((user, name, blob)): Names,
    request: Request,
) -> Result<Response, Error> {
    let (name, digest) = (repository(&user, &name)?, digest(&blob)?);
    let (parts, _) = request.into_parts();
    readable(&app, &parts, &name, &digest).await?;
    let length = app.store.index.held(&name, &digest).await?.ok_or(Refusal::Missing("blob"))?;
    let blob = Outgoing { digest, length, media_type: "application/octet-stream", digests: digest.into() };
    Ok(send(&app.store, &parts.method, &parts.headers, blob).await?)
}

/// `DELETE`: the repository lets go of it, unless something needs it.
pub async fn delete(
    State(app): State<Shared>,
    Path((user, name, blob)): Names,
    request: Request,
) -> Result<Response, Error> {
    let (name, digest) = (repository(&user, &name)?, digest(&blob)?);
    let (parts, _) = request.into_parts();
    allowed(&app, &parts, &name, Action::Write).await?;
    app.store.index.held(&name, &digest).await?.ok_or(Refusal::Missing("blob"))?;
    match app.store.index.drop_blob(&name, &digest).await? {
        true => Ok(StatusCode::ACCEPTED.into_response()),
        false => Err(Refusal::Needed(digest.to_string()).into()),
    }
}
