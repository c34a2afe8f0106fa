//! Uploads: in one request, in several, or from another repository. One that broke off goes on where it was.

use super::{Error, allowed, digest, repository};
use crate::access::Action;
use crate::app::{App, Shared, Upload};
use crate::error::Refusal;
use crate::routes::admitted;
use crate::store::{Expected, Staging, blocking};
use crate::transfer::receive;
use api::digest::Digest;
use api::name::Repository;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};

type Names = Path<(String, String)>;
type Part = Path<(String, String, String)>;

/// What is asked of a new upload, or of one that ends.
#[derive(serde::Deserialize)]
pub struct Wanted {
    digest: Option<String>,
    mount: Option<String>,
    from: Option<String>,
}

/// `POST`: starts an upload, or is all of it.
pub async fn start(
    State(app): State<Shared>,
    Path((user, name)): Names,
    Query(wanted): Query<Wanted>,
    request: Request,
) -> Result<Response, Error> {
    let name = repository(&user, &name)?;
    let (parts, body) = request.into_parts();
    let (_, caller) = allowed(&app, &parts, &name, Action::Write).await?;
    if let (Some(mount), Some(from)) = (&wanted.mount, &wanted.from) {
        let (mount, from) = (digest(mount)?, from.parse::<Repository>()?);
        // Whoever may not read it there gets an upload instead, and learns nothing.
        let readable = admitted(&app, &caller, &from, Action::Read(None)).await.is_ok();
        if readable && app.store.mount(&from, &name, mount, app.now()).await? {
            return Ok(created(&name, &mount));
        }
    }
    if let Some(announced) = &wanted.digest {
        let staging = app.store.blobs.stage([])?;
        let (staging, outcome) = receive(staging, body, app.blob_limit).await?;
        outcome?;
        let digest = keep(&app, &name, staging, digest(announced)?).await?;
        return Ok(created(&name, &digest));
    }
    let id = app.random_name();
    app.uploads.start(id.clone(), name.clone());
    Ok((StatusCode::ACCEPTED, progress(&name, &id, 0)).into_response())
}

/// `GET`: how far it is.
pub async fn show(
    State(app): State<Shared>,
    Path((user, name, id)): Part,
    request: Request,
) -> Result<Response, Error> {
    let (name, _, _) = writable(&app, (&user, &name, &id), request).await?;
    if app.uploads.is_fresh(&id, &name) {
        return Ok((StatusCode::NO_CONTENT, progress(&name, &id, 0)).into_response());
    }
    let staging = take(&app, &id).await?;
    let length = staging.length();
    app.uploads.put(&id, Some(staging));
    Ok((StatusCode::NO_CONTENT, progress(&name, &id, length)).into_response())
}

/// `PATCH`: the next part.
pub async fn append(
    State(app): State<Shared>,
    Path((user, name, id)): Part,
    request: Request,
) -> Result<Response, Error> {
    let (name, parts, body) = writable(&app, (&user, &name, &id), request).await?;
    let staging = match app.uploads.take_fresh(&id, &name) {
        true => begin(&app, &name, &id).await?,
        false => take(&app, &id).await?,
    };
    match part(&app, &id, staging, &parts.headers, body).await {
        Ok(staging) => {
            let length = staging.length();
            app.uploads.put(&id, Some(staging));
            Ok((StatusCode::ACCEPTED, progress(&name, &id, length)).into_response())
        }
        Err(refusal @ Refusal::Gap { has, .. }) => {
            let mut response = Error::from(refusal).into_response();
            response.headers_mut().extend(progress(&name, &id, has));
            Ok(response)
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// `PUT`: the last part, or nothing more, and the digest of the whole.
pub async fn finish(
    State(app): State<Shared>,
    Path((user, name, id)): Part,
    Query(wanted): Query<Wanted>,
    request: Request,
) -> Result<Response, Error> {
    let (name, parts, body) = writable(&app, (&user, &name, &id), request).await?;
    let announced =
        wanted.digest.ok_or_else(|| Refusal::Body("the digest of the upload is missing".into()))?;
    let announced = digest(&announced)?;
    if app.uploads.take_fresh(&id, &name) {
        // All of it comes now: nothing has to outlive this request.
        app.uploads.put(&id, None);
        let staging = app.store.blobs.stage([])?;
        let (staging, outcome) = receive(staging, body, app.blob_limit).await?;
        outcome?;
        return Ok(created(&name, &keep(&app, &name, staging, announced).await?));
    }
    let staging = take(&app, &id).await?;
    let staging = part(&app, &id, staging, &parts.headers, body).await?;
    let kept = keep(&app, &name, staging, announced).await;
    // Whatever was wrong with it does not become right.
    end(&app, &id).await?;
    Ok(created(&name, &kept?))
}

/// `DELETE`: gives it up.
pub async fn give_up(
    State(app): State<Shared>,
    Path((user, name, id)): Part,
    request: Request,
) -> Result<Response, Error> {
    let (name, _, _body) = writable(&app, (&user, &name, &id), request).await?;
    if !app.uploads.take_fresh(&id, &name) {
        drop(take(&app, &id).await?);
    }
    end(&app, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn end(app: &App, id: &str) -> Result<(), Refusal> {
    app.uploads.put(id, None);
    app.store.index.remove_upload(id).await?;
    Ok(app.store.blobs.abandon(id)?)
}

/// An upload of this repository, to somebody who may write there.
async fn writable(
    app: &App,
    (user, name, id): (&str, &str, &str),
    request: Request,
) -> Result<(Repository, Parts, Body), Refusal> {
    let name = repository(user, name)?;
    let (parts, body) = request.into_parts();
    allowed(app, &parts, &name, Action::Write).await?;
    match app.uploads.is_fresh(id, &name) || app.store.index.has_upload(id, &name).await? {
        true => Ok((name, parts, body)),
        false => Err(Refusal::Missing("upload")),
    }
}

/// Adds a part to an upload, and gives it back if that went wrong.
async fn part(
    app: &App,
    id: &str,
    staging: Staging,
    headers: &HeaderMap,
    body: Body,
) -> Result<Staging, Refusal> {
    let start = match headers.get(header::CONTENT_RANGE).map(first) {
        Some(None) => {
            app.uploads.put(id, Some(staging));
            return Err(Refusal::Header { name: "content-range", problem: "must be <first>-<last>".into() });
        }
        start => start.flatten(),
    };
    if let Some(start) = start.filter(|start| *start != staging.length()) {
        let has = staging.length();
        app.uploads.put(id, Some(staging));
        return Err(Refusal::Gap { has, start });
    }
    let received = receive(staging, body, app.blob_limit).await;
    match received {
        Ok((staging, Ok(()))) => Ok(staging),
        Ok((staging, Err(refusal))) => {
            app.uploads.put(id, Some(staging));
            Err(refusal)
        }
        // The disk failed: what is on it is read again next time.
        Err(refusal) => {
            app.uploads.put(id, None);
            Err(refusal)
        }
    }
}

/// Where a part starts, by its `Content-Range` in OCI's form.
fn first(range: &HeaderValue) -> Option<u64> {
    range.to_str().ok()?.split_once('-')?.0.parse().ok()
}

/// The first part comes: from now on the upload outlives this process.
async fn begin(app: &App, name: &Repository, id: &str) -> Result<Staging, Refusal> {
    app.uploads.put(id, None);
    app.store.index.add_upload(id, name, app.now()).await?;
    take(app, id).await
}

async fn take(app: &App, id: &str) -> Result<Staging, Refusal> {
    match app.uploads.take(id) {
        Some(Upload::Busy | Upload::Fresh(_)) => {
            Err(Refusal::Exists("another request for this upload".into()))
        }
        Some(Upload::Idle(staging)) => Ok(*staging),
        None => {
            let (blobs, name) = (app.store.blobs.clone(), id.to_owned());
            let resumed = blocking(move || blobs.resume(&name)).await;
            if resumed.is_err() {
                app.uploads.put(id, None);
            }
            Ok(resumed?)
        }
    }
}

async fn keep(app: &App, name: &Repository, staging: Staging, digest: Digest) -> Result<Digest, Refusal> {
    let expected = Expected { digests: Some(digest.into()), length: None };
    let staged = blocking(move || staging.finish(&expected)).await?;
    Ok(app.store.keep(name, staged, app.now()).await?)
}

fn created(name: &Repository, digest: &Digest) -> Response {
    let headers = [
        (header::LOCATION, format!("/v2/{name}/blobs/{digest}")),
        (header::HeaderName::from_static("docker-content-digest"), digest.to_string()),
    ];
    (StatusCode::CREATED, headers).into_response()
}

fn progress(name: &Repository, id: &str, length: u64) -> HeaderMap {
    let values = [
        (header::LOCATION, format!("/v2/{name}/blobs/uploads/{id}")),
        (header::RANGE, format!("0-{}", length.saturating_sub(1))),
        (header::HeaderName::from_static("docker-upload-uuid"), id.to_owned()),
    ];
    values.into_iter().filter_map(|(name, value)| Some((name, value.parse().ok()?))).collect()
}
