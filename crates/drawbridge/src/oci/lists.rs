//! Lists: tags, and manifests that say something about another.

use super::{Error, allowed, digest, repository};
use crate::access::Action;
use crate::app::Shared;
use axum::Json;
use axum::extract::{Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};

/// Most entries of one answer.
const PAGE_LIMIT: i64 = 1000;
/// The media type of an index (OCI image-spec 1.1).
pub const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";

/// Which part of a list is wanted, and of what kind.
#[derive(serde::Deserialize)]
pub struct Page {
    n: Option<i64>,
    #[serde(default)]
    last: String,
    #[serde(rename = "artifactType")]
    artifact_type: Option<String>,
}

/// `GET /tags/list`.
pub async fn tags(
    State(app): State<Shared>,
    Path((user, name)): Path<(String, String)>,
    Query(page): Query<Page>,
    request: Request,
) -> Result<Response, Error> {
    let name = repository(&user, &name)?;
    let (parts, _) = request.into_parts();
    allowed(&app, &parts, &name, Action::Look).await?;
    let count = page.n.unwrap_or(PAGE_LIMIT).clamp(0, PAGE_LIMIT);
    let tags = app.store.index.tags(&name, &page.last.replace('_', "+"), count).await?;
    let full = count > 0 && tags.len() as i64 == count;
    let names: Vec<_> = tags.iter().map(|tag| super::manifests::written(&tag.name)).collect();
    let next =
        names.last().filter(|_| full).map(|last| format!("/v2/{name}/tags/list?n={count}&last={last}"));
    let body = Json(serde_json::json!({ "name": name, "tags": names }));
    Ok(linked(body.into_response(), next))
}

/// `GET /referrers/<digest>`: an index of them; empty where nothing is known of the digest.
pub async fn referrers(
    State(app): State<Shared>,
    Path((user, name, subject)): Path<(String, String, String)>,
    Query(page): Query<Page>,
    request: Request,
) -> Result<Response, Error> {
    let (name, subject) = (repository(&user, &name)?, digest(&subject)?);
    let (parts, _) = request.into_parts();
    allowed(&app, &parts, &name, Action::Look).await?;
    let found = app.store.index.referrers(&name, &subject, &page.last, PAGE_LIMIT).await?;
    let full = found.len() as i64 == PAGE_LIMIT;
    let next = found
        .last()
        .filter(|_| full)
        .map(|last| format!("/v2/{name}/referrers/{subject}?last={}", last.digest));
    let wanted = |kind: &str| page.artifact_type.as_deref().is_none_or(|wanted| wanted == kind);
    let manifests: Vec<_> = found.into_iter().filter(|manifest| wanted(&manifest.artifact_type)).collect();
    let body = serde_json::json!({ "schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": manifests });
    let mut response = ([(header::CONTENT_TYPE, INDEX_TYPE)], body.to_string()).into_response();
    if page.artifact_type.is_some() {
        response.headers_mut().insert("oci-filters-applied", HeaderValue::from_static("artifactType"));
    }
    Ok(linked(response, next))
}

fn linked(mut response: Response, next: Option<String>) -> Response {
    let next = next.and_then(|next| HeaderValue::from_str(&format!("<{next}>; rel=\"next\"")).ok());
    if let Some(next) = next {
        response.headers_mut().insert(header::LINK, next);
    }
    response
}
