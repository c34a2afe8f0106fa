//! `POST /v1/renew`: fresh evidence, same rules, by a keep that proves to be the one that has a certificate already.
//!
//! The proof is the client certificate of the connection: one of ours, alive and not revoked, for the same workload. A keep
//! without one, or whose certificate has expired, asks at `/v1/certificates`: evidence is all that counts there.

use super::certificates::{JSON, PEM_CHAIN, PKI_PATH, certificate, decode};
use super::{Asked, negotiate};
use crate::app::{App, Asking};
use crate::error::mistake;
use crate::issue::names;
use crate::issue::serial::Serial;
use crate::profiles::Entry;
use crate::request::Request;
use attest::x509::certificate::Certificate;
use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use der::Decode;
use der::oid::AssociatedOid;
use http::{HeaderMap, StatusCode};
use service::address::Peer;
use service::problem::Problem;
use std::sync::Arc;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// Renews.
pub async fn renew(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    asking: Asking,
) -> Result<Response, Problem> {
    let media = negotiate(&headers, &[PEM_CHAIN, PKI_PATH, JSON])?;
    let profile = app.profile(asked.profile.as_deref())?.clone();
    let Some(presented) = peer.certificates.first().cloned() else {
        return Err(mistake(
            StatusCode::UNAUTHORIZED,
            "renew.certificate",
            "no client certificate was presented",
        )
        .hint("present the certificate that is to be renewed, or ask at /v1/certificates"));
    };
    let request = decode(&app, &headers, asking.body.clone()).await?;
    let (shared, entry, wanted) = (app.clone(), profile.clone(), request.clone());
    let proof = move || match &wanted {
        Ok(wanted) => prove(&shared, &entry, wanted, presented.as_ref()),
        // Refused for what it is, below.
        Err(_) => Ok(()),
    };
    app.crypto(proof).await?.map_err(|detail| {
        mistake(StatusCode::FORBIDDEN, "renew.certificate", detail)
            .hint("ask at /v1/certificates, where evidence is all that counts")
    })?;
    let certified = app.certify(&asking, request, &profile).await.map_err(|denied| denied.problem(false))?;
    Ok(certificate(&certified, &profile.profile.name, media))
}

/// Whether the certificate is one of this profile's, alive, not revoked, and of the workload that asks.
fn prove(app: &App, entry: &Entry, request: &Request, presented: &[u8]) -> Result<(), &'static str> {
    let presented = Certificate::decode(presented).map_err(|_| "the client certificate does not decode")?;
    let issuers = entry.issuers();
    let mut issuing = issuers.all.iter().map(|authority| authority.issuing());
    let signed = |issuing: &Certificate| {
        presented.issuer() == issuing.subject() && presented.is_signed_by(issuing.key())
    };
    if !issuing.any(signed) {
        return Err("the client certificate was not issued by this profile");
    }
    if !presented.validity().contains(app.now()) {
        return Err("the client certificate is not valid now");
    }
    let serial =
        Serial::new(presented.serial()).map_err(|_| "the client certificate has no serial number")?;
    if app.revocations().of_certificate(&serial, request.workload(), None).is_some() {
        return Err("the client certificate is revoked");
    }
    let domain = entry.profile.template.trust_domain();
    let name = match request.workload() {
        Some(digest) => names::workload(domain, digest),
        None => names::key(domain, request.spki()),
    };
    match has_uri(&presented, &name) {
        true => Ok(()),
        false => Err("the client certificate is of another workload"),
    }
}

fn has_uri(certificate: &Certificate, wanted: &str) -> bool {
    let value = certificate.extension(SubjectAltName::OID.as_bytes());
    let names = value.and_then(|value| SubjectAltName::from_der(value).ok());
    names.is_some_and(|names| {
        names
            .0
            .iter()
            .any(|name| matches!(name, GeneralName::UniformResourceIdentifier(uri) if uri.as_str() == wanted))
    })
}
