//! `POST /v1/certificates`: a request with evidence in, a certificate out.

use super::{Asked, answer, hex, media_type, negotiate};
use crate::app::{App, Asking, Certified};
use crate::certify::pki_path;
use crate::error::mistake;
use crate::refusal::Refusal;
use crate::request::Request;
use axum::Json;
use axum::extract::{Query, State};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::value::RawValue;
use service::observe::Notes;
use service::problem::Problem;
use std::sync::Arc;

/// PKCS#10, DER (RFC 5967).
pub const PKCS10: &str = "application/pkcs10";
/// PKCS#10, PEM, as others say it.
const PEM_REQUEST: [&str; 3] =
    ["application/x-pem-file", "application/pem-certificate-request", "text/plain"];
/// PEM: the certificate first, then those above it (RFC 8555 section 9.1).
pub const PEM_CHAIN: &str = "application/pem-certificate-chain";
/// DER: `SEQUENCE OF Certificate`, the issuer first (RFC 6066 section 10.1).
pub const PKI_PATH: &str = "application/pkix-pkipath";
/// The certificate with what it was issued upon.
pub const JSON: &str = "application/json";

/// Certifies.
pub async fn certify(
    State(app): State<Arc<App>>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    asking: Asking,
) -> Result<Response, Problem> {
    let media = negotiate(&headers, &[PEM_CHAIN, PKI_PATH, JSON])?;
    let profile = app.profile(asked.profile.as_deref())?.clone();
    let request = decode(&app, &headers, asking.body.clone()).await?;
    let certified = app.certify(&asking, request, &profile).await.map_err(|denied| denied.problem(false))?;
    Ok(certificate(&certified, &profile.profile.name, media))
}

/// Reads the request in the body, on the threads that verify: its key signed it.
pub async fn decode(
    app: &App,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Result<Request, Refusal>, Problem> {
    let media = media_type(headers).unwrap_or_default();
    if media != PKCS10 && !PEM_REQUEST.contains(&media.as_str()) {
        let detail = format!("a body of type `{}` is not taken", media.escape_debug());
        return Err(mistake(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", detail)
            .hint("send a PKCS#10 request as application/pkcs10, in DER or PEM"));
    }
    Ok(app.crypto(move || Request::decode(&body)).await?)
}

/// The certificate, as the caller wants it.
pub fn certificate(certified: &Certified, profile: &str, media: &'static str) -> Response {
    let issued = &certified.issued;
    let body = match media {
        PKI_PATH => pki_path(&certified.authority, &issued.certificate),
        JSON => return noted(certified, profile, answer(JSON, "no-store", Json(report(certified, profile)))),
        _ => pem_chain(certified).into_bytes(),
    };
    noted(certified, profile, answer(media, "no-store", body))
}

fn pem_chain(certified: &Certified) -> String {
    let above = certified.authority.intermediates().iter().map(|certificate| certificate.der());
    let chain = std::iter::once(certified.issued.certificate.as_slice()).chain(above);
    chain.map(|der| attest::pem::encode("CERTIFICATE", der)).collect()
}

/// The JSON form.
#[derive(serde::Serialize)]
struct Report {
    profile: String,
    serial: String,
    not_before: String,
    not_after: String,
    names: Vec<String>,
    workload: Option<String>,
    policy_digest: String,
    /// PEM, the certificate first.
    certificates: String,
    /// The attestation result: the claims set of an EAR (draft-ietf-rats-ear), to the byte what the certificate digests.
    attestation_result: Option<Box<RawValue>>,
}

fn report(certified: &Certified, profile: &str) -> Report {
    let issued = &certified.issued;
    let ear = String::from_utf8_lossy(&issued.ear).into_owned();
    Report {
        profile: profile.to_owned(),
        serial: issued.serial.to_string(),
        not_before: issued.validity.from.to_string(),
        not_after: issued.validity.to.to_string(),
        names: issued.names.clone(),
        workload: issued.workload.as_deref().map(hex),
        policy_digest: hex(certified.result.policy_digest()),
        certificates: pem_chain(certified),
        attestation_result: RawValue::from_string(ear).ok(),
    }
}

/// Adds what the log says of it.
fn noted(certified: &Certified, profile: &str, mut response: Response) -> Response {
    let issued = &certified.issued;
    let mut notes = vec![
        ("profile", profile.to_owned()),
        ("serial", issued.serial.to_string()),
        ("tee", certified.result.tee().id().to_owned()),
        ("trust", certified.result.trust().as_str().to_owned()),
    ];
    if !certified.warnings.is_empty() {
        notes.push(("warnings", certified.warnings.join(",")));
    }
    notes.extend(issued.workload.as_deref().map(|digest| ("workload.digest", hex(digest))));
    response.extensions_mut().insert(Notes(notes));
    response
}
