//! Tags: what versions stand for.

use super::{Announced, allowed, json, named, repository, short, text_of, trees};
use crate::access::Action;
use crate::app::Shared;
use crate::error::Refusal;
use crate::package::digest_of;
use crate::settings::Settings;
use crate::signature::{SIGNED_TYPE, SignedTag};
use crate::store::CLAIM_SECONDS;
use crate::store::index::{Claimed, Tag, TreeTag};
use api::name::{Repository, Version};
use api::tree::{ENTRY_LIMIT, Entry};
use axum::extract::{Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

/// The media type of a tag that is not signed.
pub const ENTRY_TYPE: &str = "application/vnd.drawbridge.entry.v1+json";
/// Most tags of one answer, and as many as there are in one that did not ask.
const PAGE_LIMIT: i64 = 10_000;

type Names = Path<(String, String, String, String)>;

/// Which part of a list is wanted.
#[derive(serde::Deserialize)]
pub struct Page {
    n: Option<i64>,
    #[serde(default)]
    last: String,
}

/// `GET /_tag`: versions, in the order of bytes; with `n` and `last`, a part of them.
pub async fn list(
    State(app): State<Shared>,
    Path((_, user, name)): Path<(String, String, String)>,
    Query(page): Query<Page>,
    request: Request,
) -> Result<Response, Refusal> {
    let name = repository(&user, &name)?;
    let path = request.uri().path().to_owned();
    let (parts, _) = request.into_parts();
    allowed(&app, &parts, &name, Action::Look).await?;
    let count = page.n.unwrap_or(PAGE_LIMIT).clamp(0, PAGE_LIMIT);
    let tags = app.store.index.tags(&name, &page.last, count).await?;
    let full = count > 0 && tags.len() as i64 == count;
    let next = tags
        .last()
        .filter(|_| full)
        .map(|tag| format!("<{path}?n={count}&last={}>; rel=\"next\"", tag.name.replace('+', "%2B")));
    let names: Vec<_> = tags.into_iter().filter(|tag| tag.tree.is_some()).map(|tag| tag.name).collect();
    let mut response = json(serde_json::to_string(&names).unwrap_or_default());
    if let Some(next) = next.and_then(|next| HeaderValue::from_str(&next).ok()) {
        response.headers_mut().insert(header::LINK, next);
    }
    Ok(response)
}

/// `GET`: what the version stands for, as it was published.
pub async fn show(
    State(app): State<Shared>,
    Path((_, user, name, tag)): Names,
    request: Request,
) -> Result<Response, Refusal> {
    let (name, tag): (_, Version) = (repository(&user, &name)?, named(&tag)?);
    let (parts, _) = request.into_parts();
    allowed(&app, &parts, &name, Action::Look).await?;
    let (_, tree) = visible(&app, &name, &tag).await?;
    Ok(text_of(tree.entry, &tree.media_type))
}

/// `GET /package`: what a keep must know before it has a certificate.
pub async fn package(
    State(app): State<Shared>,
    Path((_, user, name, tag)): Names,
    request: Request,
) -> Result<Response, Refusal> {
    let (name, tag): (_, Version) = (repository(&user, &name)?, named(&tag)?);
    let (parts, _) = request.into_parts();
    let (settings, _) = allowed(&app, &parts, &name, Action::Look).await?;
    let (found, tree) = visible(&app, &name, &tag).await?;
    let text = serde_json::json!({
        "version": tag,
        "digest": tree.package,
        "manifest": found.manifest,
        "steward": settings.release.as_ref().map(|release| &release.steward),
        "protected": !settings.public,
        "signed": tree.media_type == SIGNED_TYPE && signed(&settings, &tree).is_ok(),
    });
    Ok(json(text.to_string()))
}

/// `PUT`: claims the version for a tree, whose nodes follow.
pub async fn claim(
    State(app): State<Shared>,
    Path((_, user, name, tag)): Names,
    request: Request,
) -> Result<Response, Refusal> {
    let (name, tag): (_, Version) = (repository(&user, &name)?, named(&tag)?);
    let (parts, body) = request.into_parts();
    let (settings, _) = allowed(&app, &parts, &name, Action::Write).await?;
    let (announced, text) = short(&parts.headers, body, ENTRY_LIMIT).await?;
    let (entry, tree) = read(&announced, text)?;
    signed(&settings, &tree)?;
    let now = app.now();
    let claimed = app.store.index.claim_tag((&name, &tag), &tree, &entry, now - CLAIM_SECONDS, now).await?;
    let status = status(claimed, tag.as_str())?;
    // All of it may be there already.
    trees::settle(&app, &name, &tag).await?;
    Ok(status.into_response())
}

/// `DELETE`: the version stands for nothing any more, and never for anything else.
pub async fn delete(
    State(app): State<Shared>,
    Path((_, user, name, tag)): Names,
    request: Request,
) -> Result<Response, Refusal> {
    let (name, tag): (_, Version) = (repository(&user, &name)?, named(&tag)?);
    let (parts, _) = request.into_parts();
    allowed(&app, &parts, &name, Action::Write).await?;
    let found = app.store.index.tag(&name, tag.as_str()).await?.ok_or(Refusal::Missing("tag"))?;
    app.store.index.delete_tag(&name, tag.as_str()).await?;
    if let Some(manifest) = found.manifest {
        // Nobody who publishes trees knows of it.
        app.store.index.drop_manifest(&name, &manifest).await?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The status of a claim.
pub fn status(claimed: Claimed, tag: &str) -> Result<StatusCode, Refusal> {
    let tag = tag.to_owned();
    match claimed {
        Claimed::New => Ok(StatusCode::CREATED),
        Claimed::Same => Ok(StatusCode::OK),
        Claimed::Taken(package) => Err(Refusal::Taken { tag, package }),
        Claimed::Busy(package) => Err(Refusal::Busy { tag, package }),
        Claimed::Yanked(package) => Err(Refusal::Yanked { tag, package }),
    }
}

/// A version whose tree has come whole.
async fn visible(app: &Shared, name: &Repository, tag: &Version) -> Result<(Tag, TreeTag), Refusal> {
    let found = app.store.index.tag(name, tag.as_str()).await?;
    let found = found.filter(|tag| tag.manifest.is_some()).ok_or(Refusal::Missing("tag"))?;
    let tree = found.tree.clone().ok_or(Refusal::Missing("tag"))?;
    Ok((found, tree))
}

fn read(announced: &Announced, text: Vec<u8>) -> Result<(Entry, TreeTag), Refusal> {
    if announced.digests.is_none() {
        return Err(Refusal::Header { name: "content-digest", problem: "is missing".into() });
    }
    let entry = match announced.media_type.as_str() {
        ENTRY_TYPE => Entry::decode(&text)?,
        SIGNED_TYPE => SignedTag::decode(&text)?.entry,
        other => {
            let problem = format!("must be {ENTRY_TYPE} or {SIGNED_TYPE}, found {other:?}");
            return Err(Refusal::Header { name: "content-type", problem });
        }
    };
    let package =
        digest_of(&entry).ok_or_else(|| Refusal::Body("a tag needs the sha-256 of its root".into()))?;
    let text = String::from_utf8(text).map_err(|_| Refusal::Body("a tag must be UTF-8".into()))?;
    let tree =
        TreeTag { entry: text, media_type: announced.media_type.clone(), package: package.to_string() };
    Ok((entry, tree))
}

/// Whether a tag is signed as the repository wants it, at this moment: signers come and go.
pub fn signed(settings: &Settings, tree: &TreeTag) -> Result<(), Refusal> {
    match (settings.signers.as_slice(), tree.media_type == SIGNED_TYPE) {
        ([], false) => Ok(()),
        ([], true) => Err(Refusal::Unsigned(
            "the tag is signed, and the repository names no signers to hold it against",
        )),
        (_, false) => Err(Refusal::Unsigned("the tag is not signed, as the repository wants it")),
        (signers, true) => match SignedTag::decode(tree.entry.as_bytes())?.is_signed_by(signers) {
            true => Ok(()),
            false => Err(Refusal::Unsigned("the tag is signed by none of the repository's signers")),
        },
    }
}
