//! `/`, as the old Steward had it: health, and certificates as a PkiPath or for a bundle of requests.

use super::{certificates::PKCS10, media_type};
use crate::app::{App, Asking, Denied};
use crate::certify::{bundle_answer, pki_path};
use crate::error::{mistake, old_problem};
use crate::profiles::Entry;
use crate::request::Request;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use service::problem::Problem;
use std::sync::Arc;

/// Several requests at once.
const BUNDLE: &str = "application/vnd.steward.pkcs10-bundle.v1";

/// The old Steward's health check said nothing, and looked at nothing; `/readyz` looks.
pub async fn health() -> StatusCode {
    StatusCode::OK
}

/// Certifies by the default profile.
pub async fn certify(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    asking: Asking,
) -> Result<Response, Problem> {
    let profile = app.profile(None)?.clone();
    let body = asking.body.clone();
    let answer = match media_type(&headers).as_deref() {
        Some(PKCS10) => {
            let request = app.crypto(move || Request::decode(&body)).await?;
            let certified =
                app.certify(&asking, request, &profile).await.map_err(|denied| denied.problem(true))?;
            pki_path(&certified.authority, &certified.issued.certificate)
        }
        Some(BUNDLE) => {
            let requests = app.crypto(move || Request::decode_bundle(&body)).await?;
            let requests = requests.map_err(|refusal| old_problem(&refusal))?;
            bundle(&app, &asking, requests, &profile).await.map_err(|denied| denied.problem(true))?
        }
        _ => {
            return Err(mistake(
                StatusCode::BAD_REQUEST,
                "media-type",
                "the media type is neither of the two",
            )
            .hint(format!("send {PKCS10} or {BUNDLE}")));
        }
    };
    let media = HeaderValue::from_static("application/octet-stream");
    Ok(([(header::CONTENT_TYPE, media)], answer).into_response())
}

/// One refusal refuses all, as it did.
async fn bundle(
    app: &Arc<App>,
    asking: &Asking,
    requests: Vec<Request>,
    profile: &Arc<Entry>,
) -> Result<Vec<u8>, Denied> {
    let mut issued = Vec::with_capacity(requests.len());
    for request in requests {
        issued.push(app.certify(asking, Ok(request), profile).await?.issued.certificate);
    }
    let issued: Vec<&[u8]> = issued.iter().map(Vec::as_slice).collect();
    Ok(bundle_answer(&profile.issuers().newest, &issued))
}
