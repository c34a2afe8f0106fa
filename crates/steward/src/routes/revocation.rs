//! `GET /v1/crl` and the OCSP responder at `/v1/ocsp`.

use super::{answer, hex, media_type};
use crate::app::App;
use crate::error::{self, mistake};
use crate::revocation::ocsp::{Failure, Question};
use crate::status::{self, StatusError};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use service::body::Content;
use service::problem::Problem;
use std::sync::Arc;
use std::time::Duration;

/// RFC 2585 section 4.2.
const CRL: &str = "application/pkix-crl";
/// RFC 6960 appendix C.
const OCSP_REQUEST: &str = "application/ocsp-request";
const OCSP_RESPONSE: &str = "application/ocsp-response";

/// Whose list is meant.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whose {
    profile: Option<String>,
    /// The identifier of an issuing key, in hexadecimal: after a rotation, lists of older keys are still asked for.
    issuer: Option<String>,
}

/// The revocation list.
pub async fn crl(State(app): State<Arc<App>>, Query(whose): Query<Whose>) -> Result<Response, Problem> {
    let issuers = app.profile(whose.profile.as_deref())?.issuers();
    let authority = match &whose.issuer {
        None => Some(issuers.newest.clone()),
        Some(id) => issuers.all.iter().find(|authority| hex(authority.key_id()) == *id).cloned(),
    };
    let authority =
        authority.ok_or_else(|| mistake(StatusCode::NOT_FOUND, "issuer", "there is no such issuing key"))?;
    match status::list(&app, authority).await {
        Ok(list) => Ok(answer(CRL, "max-age=300", list)),
        Err(StatusError::Refused(refusal)) => Err(error::problem(&refusal)),
        Err(StatusError::Offload(busy)) => Err(busy.into()),
        Err(StatusError::Inventory(error)) => {
            tracing::error!(%error, "the revocation list cannot be made");
            let detail = "the inventory does not answer";
            Err(mistake(StatusCode::SERVICE_UNAVAILABLE, "records", detail)
                .retry_after(Duration::from_secs(5)))
        }
    }
}

/// A question in the body.
pub async fn ocsp(State(app): State<Arc<App>>, headers: HeaderMap, Content(body): Content) -> Response {
    let question = match media_type(&headers).as_deref() {
        Some(OCSP_REQUEST) => Question::decode(&body),
        _ => Err(Failure::MalformedRequest),
    };
    ocsp_answer(&app, question).await
}

/// A question in the path; whoever stands between may keep the answer (RFC 5019 section 6).
pub async fn ocsp_path(State(app): State<Arc<App>>, Path(question): Path<String>) -> Response {
    ocsp_answer(&app, Question::decode_path(&question)).await
}

async fn ocsp_answer(app: &App, question: Result<Question, Failure>) -> Response {
    let cacheable = question.as_ref().is_ok_and(Question::is_cacheable);
    let cache = if cacheable { "max-age=300" } else { "no-store" };
    answer(OCSP_RESPONSE, cache, status::answer(app, question).await)
}
