//! The Steward's interface, in process: real routes, real files, a fixed clock, a vendor of our own.

#[expect(dead_code, reason = "other users need the rest")]
#[path = "../../attest/tests/dcap/hierarchy.rs"]
mod dcap;
#[expect(dead_code, reason = "other users need the rest")]
#[path = "issuing/keep.rs"]
mod keep;
#[expect(dead_code, reason = "other users need the rest")]
#[path = "../../attest/tests/snp/hierarchy.rs"]
mod snp;
#[expect(dead_code, reason = "other users need the rest")]
#[path = "issuing/tools.rs"]
mod tools;
#[path = "serving/vendor.rs"]
mod vendor;
#[path = "serving/yard.rs"]
mod yard;

use attest::roots::Grade;
use attest::x509::certificate::Certificate;
use axum::body::Body;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use keep::{Keep, WORKLOAD};
use rustls::pki_types::CertificateDer;
use serde_json::Value;
use service::address::Peer;
use tower::ServiceExt;
use yard::Yard;

const PKCS10: &str = "application/pkcs10";

struct Answer {
    status: StatusCode,
    headers: http::HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// The problem is of this status and code.
    fn is(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status.as_u16(), self.json()["code"].as_str()),
            (status, Some(code)),
            "{}",
            self.text()
        );
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn good(self) -> Self {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        self
    }
}

async fn ask(yard: &Yard, request: Request<Body>) -> Answer {
    let response = yard.router().await.oneshot(request).await.expect("routers do not fail");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("bodies in memory").to_bytes().to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}

async fn get(yard: &Yard, path: &str) -> Answer {
    ask(yard, Request::get(path).body(Body::empty()).expect("a request")).await
}

async fn post(yard: &Yard, path: &str, media: &str, accept: &str, body: impl Into<Body>) -> Answer {
    let request = Request::post(path).header(header::CONTENT_TYPE, media).header(header::ACCEPT, accept);
    ask(yard, request.body(body.into()).expect("a request")).await
}

#[tokio::test]
async fn a_keep_gets_its_certificate_as_it_likes() {
    let (keep, court) = Keep::snp(Grade::Development, |_, _| {});
    let yard = Yard::new(&court, "");
    let path = "/v1/certificates?profile=lab";
    let json = post(&yard, path, PKCS10, "application/json", keep.request()).await.good().json();
    let name = format!("spiffe://example.org/workload/{}", "b7".repeat(WORKLOAD.len()));
    assert_eq!(json["names"], serde_json::json!([name]));
    assert!(json["attestation_result"].is_object(), "{json}");

    let pem = attest::pem::encode("CERTIFICATE REQUEST", &keep.request());
    let pem = post(&yard, path, "application/x-pem-file", "*/*", pem).await.good();
    assert_eq!(pem.headers[header::CONTENT_TYPE], "application/pem-certificate-chain");
    let leaf = attest::pem::decode(&pem.body).expect("PEM").remove(0);
    assert_eq!(Certificate::decode(&leaf.bytes).expect("a certificate").spki(), {
        use steward::ca::Signer;
        keep.key.spki()
    });

    let path_der = post(&yard, path, PKCS10, "application/pkix-pkipath", keep.request()).await.good();
    assert_eq!(path_der.body[0], 0x30);
    post(&yard, path, PKCS10, "text/html", keep.request()).await.is(406, "media-type");
    post(&yard, path, "text/html", "*/*", keep.request()).await.is(415, "media-type");
}

#[tokio::test]
async fn refusals_say_why() {
    let (keep, court) = Keep::snp(Grade::Development, |_, _| {});
    let yard = Yard::new(&court, "");
    post(&yard, "/v1/certificates", PKCS10, "*/*", keep.request()).await.is(403, "profile.lab-only");
    post(&yard, "/v1/certificates?profile=none", PKCS10, "*/*", keep.request()).await.is(404, "profile");
    post(&yard, "/v1/certificates?profil=lab", PKCS10, "*/*", keep.request()).await.is(400, "request");
    post(&yard, "/v1/certificates", PKCS10, "*/*", "garbage").await.is(400, "evidence.refused");
    let other = keep::Keep::snp(Grade::Development, |_, _| {}).0;
    let answer =
        post(&yard, "/v1/certificates?profile=lab", PKCS10, "*/*", keep.request_for(&other.claims)).await;
    answer.is(403, "evidence.refused");
    let problem = answer.json();
    let checks: Vec<&str> = problem["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .filter_map(|check| check["code"].as_str())
        .collect();
    assert!(checks.contains(&"carrier.key") || checks.contains(&"binding.mismatch"), "{problem}");
    assert!(problem["hint"].is_string() && problem["request_id"].is_string(), "{problem}");

    let quiet = Yard::new(&court, "server.disclosure = \"codes\"\n");
    let answer =
        post(&quiet, "/v1/certificates?profile=lab", PKCS10, "*/*", keep.request_for(&other.claims)).await;
    assert!(answer.json()["checks"][0]["detail"].is_null(), "{}", answer.text());
}

#[tokio::test]
async fn a_nonce_is_good_for_one_request() {
    let (_, court) = Keep::snp(Grade::Development, |_, _| {});
    let yard = Yard::new(&court, "");
    let nonce = get(&yard, "/v1/nonce").await.good().json()["nonce"].as_str().expect("text").to_owned();
    let nonce = attest::base64::decode("nonce", nonce.as_bytes()).expect("base64");
    let strict = "freshness.nonce_required = true\n";
    let (keep, court) = Keep::snp(Grade::Development, |scene, claims| {
        scene.policy = strict.to_owned();
        claims.nonce = Some(nonce.clone());
    });
    let yard = yard.judged_by(&court);
    let path = "/v1/certificates?profile=lab";
    post(&yard, path, PKCS10, "*/*", keep.request()).await.good();
    let again = post(&yard, path, PKCS10, "*/*", keep.request()).await;
    again.is(403, "evidence.refused");
    assert!(again.text().contains("nonce.missing"), "{}", again.text());
}

#[tokio::test]
async fn clients_of_the_old_steward_are_served() {
    let keep = Keep::unattested();
    let court = keep::Court::new(attest::endorsements::Endorsements::new(Vec::new()), snp::NOW);
    let yard = Yard::new(&court, "default_profile = \"lab\"\n").with_policy("lab");
    assert!(get(&yard, "/").await.good().body.is_empty());
    let one = post(&yard, "/", PKCS10, "*/*", keep.request()).await.good();
    assert_eq!(one.headers[header::CONTENT_TYPE], "application/octet-stream");
    let bundle = attest::der::sequence(&[&keep.request(), &keep.request()]);
    let media = "application/vnd.steward.pkcs10-bundle.v1";
    post(&yard, "/", media, "*/*", bundle).await.good();
    post(&yard, "/", media, "*/*", attest::der::sequence(&[])).await.good();
    post(&yard, "/", "text/plain", "*/*", keep.request()).await.is(400, "media-type");
    let bare = keep::sign_request(&keep.key, &bare_info(&keep));
    post(&yard, "/", PKCS10, "*/*", bare.clone()).await.is(401, "request.no-evidence");
    post(&yard, "/v1/certificates", PKCS10, "*/*", bare).await.is(422, "request.no-evidence");
    assert_eq!(ask(&yard, Request::delete("/").body(Body::empty()).expect("a request")).await.status, 405);
}

/// CertificationRequestInfo (RFC 2986 section 4.1) with an empty name and no attributes.
fn bare_info(keep: &Keep) -> Vec<u8> {
    use attest::der::{element, sequence, tag, unsigned};
    use steward::ca::Signer;
    sequence(&[&unsigned(0), &sequence(&[]), keep.key.spki(), &element(tag::context(0), &[])])
}

#[tokio::test]
async fn renewal_takes_the_certificate_that_is_renewed() {
    let (keep, court) = Keep::snp(Grade::Development, |_, _| {});
    let yard = Yard::new(&court, "");
    let renew = async |certificate: Option<Vec<u8>>, body: Vec<u8>| {
        let certificates = certificate.into_iter().map(CertificateDer::from).collect();
        let peer = Peer { certificates, ..Peer::default() };
        let request =
            Request::post("/v1/renew?profile=lab").header(header::CONTENT_TYPE, PKCS10).extension(peer);
        ask(&yard, request.body(Body::from(body)).expect("a request")).await
    };
    let first = post(&yard, "/v1/certificates?profile=lab", PKCS10, "*/*", keep.request()).await.good();
    let first = attest::pem::decode(&first.body).expect("PEM").remove(0).bytes;
    renew(Some(first.clone()), keep.request()).await.good();
    renew(None, keep.request()).await.is(401, "renew.certificate");
    renew(Some(b"garbage".to_vec()), keep.request()).await.is(403, "renew.certificate");
    let (other, _) = Keep::snp(Grade::Development, |_, claims| claims.workload = vec![0xC8; 48]);
    renew(Some(first), other.request()).await.is(403, "renew.certificate");
}

#[tokio::test]
async fn relying_parties_find_what_they_need() {
    let (keep, court) = Keep::snp(Grade::Development, |_, _| {});
    let yard = Yard::new(&court, "disclose_policy = true\n");
    let roots = get(&yard, "/v1/roots").await.good();
    assert_eq!(attest::pem::decode(&roots.body).expect("PEM").len(), 1, "the lab's root stays out");
    let bundle = get(&yard, "/v1/spiffe/bundle?profile=lab").await.good().json();
    assert_eq!(bundle["keys"][0]["use"], "x509-svid");
    let policy = get(&yard, "/v1/policy?profile=lab").await.good().json();
    assert_eq!(policy["digest"].as_str().map(str::len), Some(96));
    assert!(policy["text"].is_string());
    let crl = get(&yard, "/v1/crl?profile=lab").await.good();
    attest::x509::crl::Crl::decode(&crl.body).expect("a list");
    get(&yard, "/v1/crl?issuer=00").await.is(404, "issuer");
    let answer = post(&yard, "/v1/ocsp", "application/ocsp-request", "*/*", "garbage").await.good();
    assert_eq!(answer.body, [0x30, 3, 0x0A, 1, 1], "malformedRequest");
    get(&yard, "/v1/openapi.json").await.good().json();
    get(&yard, "/v2").await.is(404, "not-found");
    let _ = keep;
}

#[tokio::test(flavor = "multi_thread")]
async fn vendors_are_asked_once_and_then_not_missed() {
    let (keep, court) = Keep::snp(Grade::Development, |scene, _| {
        // Lists are told apart by where the vendor itself has them.
        let list = Some("https://kdsintf.amd.com/vcek/v1/Genoa/crl");
        (scene.ark.list, scene.ask.list, scene.lists[0].source) = (list, list, list);
    });
    let vendor = vendor::Vendor::start(&court);
    let settings = format!("endorsements.fetch = true\nendorsements.kds = \"{}\"\n", vendor.address);
    let yard = Yard::new(&court, &settings).without_endorsements();
    let path = "/v1/certificates?profile=lab";
    let ask_all = async || {
        let one = || post(&yard, path, PKCS10, "*/*", keep.request());
        let (first, second, third) = tokio::join!(one(), one(), one());
        [first, second, third].map(Answer::good).map(|answer| answer.status)
    };
    assert_eq!(ask_all().await, [StatusCode::OK; 3]);
    let asked = vendor.asked();
    assert!(asked.iter().any(|(path, _)| path.contains("/Genoa/crl")), "{asked:?}");
    assert!(asked.values().all(|count| *count == 1), "{asked:?}");
    vendor.fail();
    assert_eq!(ask_all().await, [StatusCode::OK; 3]);
    assert_eq!(vendor.asked(), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_is_away_refuses_and_is_left_alone() {
    let (keep, court) = Keep::snp(Grade::Development, |_, _| {});
    let vendor = vendor::Vendor::start(&court);
    vendor.fail();
    let settings = format!("endorsements.fetch = true\nendorsements.kds = \"{}\"\n", vendor.address);
    let yard = Yard::new(&court, &settings).without_endorsements();
    let path = "/v1/certificates?profile=lab";
    let refused = post(&yard, path, PKCS10, "*/*", keep.request()).await;
    refused.is(403, "evidence.refused");
    assert!(refused.text().contains("snp.vek.missing"), "{}", refused.text());
    let asked = vendor.asked();
    post(&yard, path, PKCS10, "*/*", keep.request()).await.is(403, "evidence.refused");
    assert_eq!(vendor.asked(), asked);
}
