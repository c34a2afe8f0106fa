//! The tree interface, as Drawbridge has had it since its first release, and what was added to it.
//!
//! ```text
//! /api/v0.4/<user>                                        GET PUT
//! /api/v0.4/<user>/<repository>                           GET PUT PATCH
//! /api/v0.4/<user>/<repository>/_tag                      GET
//! /api/v0.4/<user>/<repository>/_tag/<tag>                GET PUT DELETE
//! /api/v0.4/<user>/<repository>/_tag/<tag>/package        GET
//! /api/v0.4/<user>/<repository>/_tag/<tag>/tree[/<path>]  GET PUT
//! ```

pub mod repositories;
pub mod tags;
pub mod trees;
pub mod users;

use crate::access::{self, Action, Grant};
use crate::app::{App, Shared};
use crate::caller::Caller;
use crate::error::Refusal;
use crate::settings::Settings;
use api::digest::Digests;
use api::name::Repository;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, header};
use service::address::Peer;
use std::str::FromStr;

/// The newest version of the interface: clients that ask for a newer one expect what we do not have.
const VERSION: (u64, u64) = (0, 4);
/// The longest description of a user or a repository.
const JSON_LIMIT: usize = 256 << 10;

/// Every route of the tree interface.
pub fn router() -> Router<Shared> {
    let repository = "/api/{version}/{user}/{repository}";
    Router::new()
        .route("/api/{version}/{user}", get(users::show).put(users::create))
        .route(repository, get(repositories::show).put(repositories::create).patch(repositories::change))
        .route(&format!("{repository}/_tag"), get(tags::list))
        .route(&format!("{repository}/_tag/{{tag}}"), get(tags::show).put(tags::claim).delete(tags::delete))
        .route(&format!("{repository}/_tag/{{tag}}/package"), get(tags::package))
        .route(&format!("{repository}/_tag/{{tag}}/tree"), get(trees::show).put(trees::put))
        .route(&format!("{repository}/_tag/{{tag}}/tree/{{*path}}"), get(trees::show).put(trees::put))
        .route_layer(axum::middleware::from_fn(check))
}

/// Refuses versions that are not spoken here, and names that could be written in two ways.
async fn check(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let version = path.split('/').nth(2).unwrap_or_default();
    let parsed = version.strip_prefix('v').map(|text| (text, text.split('.').map(u64::from_str)));
    let mut numbers = parsed.into_iter().flat_map(|(_, numbers)| numbers);
    let refusal = match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) > VERSION => {
            Refusal::Version(version.to_owned())
        }
        (Some(Ok(_)), Some(Ok(_))) if unambiguous(path) => return next.run(request).await,
        (Some(Ok(_)), Some(Ok(_))) => {
            Refusal::Body("a name in the path is percent-encoded without need".to_owned())
        }
        _ => Refusal::Body(format!("expected a version such as v0.4, found {version:?}")),
    };
    refusal.into_response()
}

/// Only what clients do encode, though they need not: '+' and ':'.
fn unambiguous(path: &str) -> bool {
    path.match_indices('%').all(|(at, _)| {
        let digits = path.get(at + 1..at + 3).unwrap_or_default();
        digits.eq_ignore_ascii_case("2b") || digits.eq_ignore_ascii_case("3a")
    })
}

/// Finds out who calls, and whether they may.
async fn allowed(
    app: &App,
    parts: &Parts,
    name: &Repository,
    action: Action<'_>,
) -> Result<(Settings, Grant), Refusal> {
    let caller = Caller::of(app, &parts.headers, parts.extensions.get::<Peer>()).await?;
    admitted(app, &caller, name, action).await
}

/// Whether a caller may. One who may not know that a repository is there learns the same whether it is or not.
pub async fn admitted(
    app: &App,
    caller: &Caller,
    name: &Repository,
    action: Action<'_>,
) -> Result<(Settings, Grant), Refusal> {
    let found = app.store.index.repository(name).await?;
    let settings = found.as_ref().map(|row| row.settings.clone()).unwrap_or_default();
    let grant = access::decide(name, &settings, caller, action, app.now())?;
    found.ok_or(Refusal::Missing("repository")).map(|_| (settings, grant))
}

/// A name out of a path.
fn named<T: FromStr>(text: &str) -> Result<T, Refusal>
where
    Refusal: From<T::Err>,
{
    Ok(text.parse()?)
}

fn repository(user: &str, name: &str) -> Result<Repository, Refusal> {
    named(&format!("{user}/{name}"))
}

/// What the sender says of a body.
struct Announced {
    digests: Option<Digests>,
    length: Option<u64>,
    media_type: String,
}

fn announced(headers: &HeaderMap) -> Result<Announced, Refusal> {
    let text = |name: &'static str| {
        let malformed = |_| Refusal::Header { name, problem: "is not text".into() };
        headers.get(name).map(|value| value.to_str().map_err(malformed)).transpose()
    };
    let length = text("content-length")?.map(str::parse).transpose();
    let length =
        length.map_err(|_| Refusal::Header { name: "content-length", problem: "is no number".into() })?;
    let digests = text("content-digest")?.map(Digests::from_header).transpose()?;
    let media_type = text("content-type")?.unwrap_or_default().to_owned();
    Ok(Announced { digests, length, media_type })
}

/// A short body whole, checked against the digests that came with it.
async fn short(headers: &HeaderMap, body: Body, limit: usize) -> Result<(Announced, Vec<u8>), Refusal> {
    let announced = announced(headers)?;
    let content = service::body::read(body, limit).await.map_err(Refusal::Broken)?;
    if let Some(digests) = &announced.digests {
        let found = Digests::of(&content);
        if let Some(expected) = digests.mismatch(&found) {
            let found = found.get(expected.algorithm()).map(ToString::to_string).unwrap_or_default();
            return Err(crate::store::StoreError::Mismatch { expected: *expected, found }.into());
        }
    }
    Ok((announced, content.to_vec()))
}

/// Answers with JSON and its digest, without which clients before 0.8 take no answer.
fn json(text: impl Into<String>) -> Response {
    text_of(text.into(), "application/json")
}

fn text_of(text: String, media_type: &str) -> Response {
    let digest = Digests::of(text.as_bytes()).to_header();
    (
        [
            (header::CONTENT_TYPE, media_type.to_owned()),
            (header::HeaderName::from_static("content-digest"), digest),
        ],
        text,
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_in_one_way() {
        for path in ["/api/v0.4/alice/hello/_tag/1.0.0+a", "/a%2Bb", "/a%3ab"] {
            assert!(unambiguous(path), "{path}");
        }
        for path in ["/a%2fb", "/%2e%2e", "/%61lice", "/a%", "/a%2", "/a%é"] {
            assert!(!unambiguous(path), "{path}");
        }
    }
}
