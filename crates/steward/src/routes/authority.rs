//! What relying parties need: roots, and the bundle of a SPIFFE trust domain.

use super::certificates::{JSON, PEM_CHAIN};
use super::{Asked, answer, hex, negotiate};
use crate::app::App;
use crate::issue::Grade;
use crate::profiles::Entry;
use attest::base64::{encode, encode_url};
use attest::crypto::Algorithm;
use attest::x509::certificate::Certificate;
use axum::Json;
use axum::extract::{Query, State};
use axum::response::Response;
use http::HeaderMap;
use serde::Serialize;
use service::problem::Problem;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How long answers may be kept, and how soon a SPIFFE bundle is asked for again: rotation overlaps by far longer.
const KEEP: &str = "max-age=300";
const REFRESH_SECONDS: u64 = 300;

#[derive(Serialize)]
struct Root {
    profile: String,
    grade: Grade,
    sha256: String,
    not_after: String,
    certificate: String,
}

/// The roots of every profile, or of one. A PEM file has no room to say what each is good for: without a profile it has
/// those of production only.
pub async fn roots(
    State(app): State<Arc<App>>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let media = negotiate(&headers, &[PEM_CHAIN, JSON])?;
    let entries: Vec<&Arc<Entry>> = match &asked.profile {
        Some(name) => vec![app.profile(Some(name))?],
        None => app.profiles.iter().collect(),
    };
    if media == JSON {
        let roots: Vec<Root> = entries.into_iter().flat_map(|entry| describe(entry)).collect();
        return Ok(answer(JSON, KEEP, Json(roots)));
    }
    let production =
        |entry: &&Arc<Entry>| asked.profile.is_some() || entry.profile.grade == Grade::Production;
    let issuers = entries.into_iter().filter(production).map(|entry| entry.issuers());
    // Profiles may share a root.
    let pems: BTreeSet<String> =
        issuers.flat_map(|issuers| issuers.roots.iter().map(pem).collect::<Vec<_>>()).collect();
    Ok(answer(PEM_CHAIN, KEEP, pems.into_iter().collect::<String>()))
}

/// The bundle of the trust domain (SPIFFE Trust Domain and Bundle section 4): a JWK set of X.509 authorities.
pub async fn spiffe_bundle(
    State(app): State<Arc<App>>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let domain = app.profile(asked.profile.as_deref())?.profile.template.trust_domain();
    let grade = app.profile(asked.profile.as_deref())?.profile.grade;
    let of_domain =
        |entry: &&Arc<Entry>| entry.profile.template.trust_domain() == domain && entry.profile.grade == grade;
    let issuers = app.profiles.iter().filter(of_domain).map(|entry| entry.issuers());
    let keys: Vec<_> =
        issuers.flat_map(|issuers| issuers.roots.iter().filter_map(jwk).collect::<Vec<_>>()).collect();
    let bundle = serde_json::json!({ "keys": keys, "spiffe_refresh_hint": REFRESH_SECONDS });
    Ok(answer(JSON, KEEP, Json(bundle)))
}

fn describe(entry: &Entry) -> Vec<Root> {
    let issuers = entry.issuers();
    let root = |root: &Certificate| Root {
        profile: entry.profile.name.clone(),
        grade: entry.profile.grade,
        sha256: hex(root.digest()),
        not_after: root.validity().to.to_string(),
        certificate: pem(root),
    };
    issuers.roots.iter().map(root).collect()
}

fn pem(certificate: &Certificate) -> String {
    attest::pem::encode("CERTIFICATE", certificate.der())
}

/// RFC 7517, RFC 7518 section 6.2.
fn jwk(certificate: &Certificate) -> Option<serde_json::Value> {
    let curve = match certificate.key().algorithm() {
        Algorithm::P256 => "P-256",
        Algorithm::P384 => "P-384",
        Algorithm::Rsa => return None,
    };
    // An uncompressed point: 4, then both coordinates.
    let (x, y) = certificate.key().bits().get(1..)?.split_at_checked(certificate.key().bits().len() / 2)?;
    Some(serde_json::json!({
        "use": "x509-svid", "kty": "EC", "crv": curve,
        "x": encode_url(x), "y": encode_url(y), "x5c": [encode(certificate.der())],
    }))
}
