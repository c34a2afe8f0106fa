//! Problems of ACME (RFC 8555 section 6.7), as the problem bodies of the Steward.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use service::problem::{Check, MEDIA_TYPE, Problem};

use super::jws::{ALGORITHMS, JwsError};
use crate::refusal::Refusal;

/// What the types of ACME's problems start with.
const KIND: &str = "urn:ietf:params:acme:error:";

/// A problem of one of the types that are registered.
pub fn problem(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Problem {
    let title = status.canonical_reason().unwrap_or("Refused");
    Problem::new(status, format!("acme.{kind}")).kind(format!("{KIND}{kind}"), title).detail(detail)
}

/// A request that is not understood.
pub fn malformed(detail: impl Into<String>) -> Problem {
    problem(StatusCode::BAD_REQUEST, "malformed", detail)
}

/// Something that is not there, or not there for this account: which of both is not told.
pub fn missing(what: &str) -> Problem {
    problem(StatusCode::NOT_FOUND, "malformed", format!("there is no such {what}"))
}

/// Somebody who may not.
pub fn unauthorized(detail: impl Into<String>) -> Problem {
    problem(StatusCode::FORBIDDEN, "unauthorized", detail)
}

/// A request that must be sent anew with another nonce.
pub fn bad_nonce() -> Problem {
    problem(StatusCode::BAD_REQUEST, "badNonce", "the nonce is unknown, spent or too old")
        .hint("send the request again with the nonce of this answer")
}

/// Evidence that is refused, or a fault of the Steward's on the way: the code of the refusal stays.
pub fn refused(refusal: Problem) -> Problem {
    let kind = match refusal.status.is_server_error() {
        true => "serverInternal",
        // Registered by draft-ietf-acme-device-attest, for attestation that is not acceptable.
        false => "badAttestationStatement",
    };
    let title = refusal.title.clone();
    refusal.kind(format!("{KIND}{kind}"), title)
}

/// What is told of a refusal that ACME itself finds.
pub fn told(refusal: &Refusal) -> Problem {
    let checks = refusal.checks().into_iter().flat_map(|checks| checks.failures());
    let checks =
        checks.map(|check| Check { code: check.reason.id().into(), detail: Some(check.to_string()) });
    Problem::new(StatusCode::FORBIDDEN, refusal.code())
        .detail(refusal.to_string())
        .hint(refusal.hint())
        .checks(checks)
}

/// The answer to a request whose signature does not do.
pub fn unsigned(error: &JwsError) -> Response {
    let detail = error.to_string();
    match error {
        JwsError::Form(_) => malformed(detail).into_response(),
        JwsError::Key(_) => problem(StatusCode::BAD_REQUEST, "badPublicKey", detail).into_response(),
        JwsError::Signature => malformed(detail).into_response(),
        JwsError::Algorithm(_) => {
            // The one problem with a member of its own (RFC 8555 section 6.2).
            let told = problem(StatusCode::BAD_REQUEST, "badSignatureAlgorithm", detail);
            let mut body = serde_json::to_value(&told).unwrap_or_default();
            body["algorithms"] = ALGORITHMS.into();
            let mut response = (told.status, Json(body)).into_response();
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
            response
        }
    }
}
