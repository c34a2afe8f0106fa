//! What is not public goes to keeps whose certificate names it, and to nobody else; all of it on record.

#[path = "harness/registry.rs"]
mod registry;

use attest::result::extension::ResultExtension;
use axum::body::Body;
use http::{Request, StatusCode};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, SanType, date_time_ymd,
};
use registry::{Answer, Registry, package, tree_of};
use rustls::pki_types::CertificateDer;
use serde_json::json;
use service::address::Peer;
use service::audit::{self, Log, Sync};

const RESULT: [u64; 9] = [1, 3, 6, 1, 4, 1, 58270, 2, 4];

/// A Steward.
struct Steward(CertifiedIssuer<'static, KeyPair>);

/// What it writes into a certificate, right in every part until a test says otherwise.
#[derive(Clone)]
struct Certificate {
    uris: Vec<String>,
    tee: &'static str,
    trust: &'static str,
    policy: [u8; 48],
    result: bool,
    until: i32,
    usage: ExtendedKeyUsagePurpose,
}

impl Certificate {
    fn of(digest: &str) -> Self {
        let digits = digest.strip_prefix("sha256:").expect("a digest");
        Self {
            uris: vec![format!("spiffe://example.org/workload/{digits}")],
            tee: "snp",
            trust: "affirming",
            policy: [7; 48],
            result: true,
            until: 2027,
            usage: ExtendedKeyUsagePurpose::ClientAuth,
        }
    }
}

impl Steward {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = date_time_ymd(2040, 1, 1);
        Self(
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate"),
        )
    }

    fn issue(&self, wanted: &Certificate) -> Vec<CertificateDer<'static>> {
        let mut params = CertificateParams::default();
        params.not_before = date_time_ymd(2025, 1, 1);
        params.not_after = date_time_ymd(wanted.until, 1, 1);
        let uris = wanted.uris.iter().map(|uri| SanType::URI(uri.as_str().try_into().expect("ASCII")));
        params.subject_alt_names = uris.collect();
        params.extended_key_usages = vec![wanted.usage.clone()];
        if wanted.result {
            let result = ResultExtension {
                tee: wanted.tee.into(),
                trust: wanted.trust.into(),
                tcb: None,
                policy_digest: wanted.policy,
                result_digest: [0; 48],
            };
            params.custom_extensions = vec![CustomExtension::from_oid_content(&RESULT, result.encode())];
        }
        let key = KeyPair::generate().expect("a key");
        vec![params.signed_by(&key, &self.0).expect("a certificate").der().clone()]
    }
}

/// A registry with a protected repository of one package, its Steward, and the package's digest.
async fn protected() -> (Registry, Steward, String, tempfile::TempDir) {
    logging_to(1 << 20).await
}

/// The same, with files of the log of this size.
async fn logging_to(rotate_bytes: u64) -> (Registry, Steward, String, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = audit::Settings { directory: folder.path().into(), rotate_bytes, sync: Sync::System };
    let (log, _) = Log::open(settings, "2026-11-21T00:00:00Z").expect("a log");
    let registry = Registry::with_audit(Some(log)).await;
    let steward = Steward::new();
    let settings = json!({ "public": false, "release": {
        "steward": "https://steward.example.org", "roots": [steward.0.pem()], "trust_domain": "example.org",
        "tee": ["snp", "tdx"], "minimum_trust": "tolerated", "policies": ["07".repeat(48)],
    }});
    let made =
        registry.put("/api/v0.4/alice/secret", "application/json", settings.to_string().as_bytes()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    registry.publish("alice/secret", "1.0.0", &package()).await;
    let digest = tree_of(&package()).package_digest().to_string();
    (registry, steward, digest, folder)
}

/// A request over a connection with this certificate.
async fn with(registry: &Registry, chain: &[CertificateDer<'static>], path: &str) -> Answer {
    let mut request = Request::builder().uri(path).body(Body::empty()).expect("a request");
    request.extensions_mut().insert(Peer { certificates: chain.into(), ..Peer::default() });
    registry.request(request).await
}

const TREE: &str = "/api/v0.4/alice/secret/_tag/1.0.0/tree";

#[tokio::test]
async fn the_keep_that_runs_it_gets_it() {
    let (registry, steward, digest, folder) = protected().await;
    // What it must know before it has a certificate.
    let told = registry.get("/api/v0.4/alice/secret/_tag/1.0.0/package").await.json();
    assert_eq!((&told["digest"], &told["steward"]), (&json!(digest), &json!("https://steward.example.org")));
    let chain = steward.issue(&Certificate::of(&digest));
    for (path, content) in &package() {
        let got = with(&registry, &chain, &format!("{TREE}/{path}")).await;
        assert_eq!((got.status, got.body.as_slice()), (StatusCode::OK, *content), "{}", got.text());
    }
    // By OCI too.
    let manifest = with(&registry, &chain, "/v2/alice/secret/manifests/1.0.0").await;
    assert_eq!(manifest.status, StatusCode::OK, "{}", manifest.text());
    let layer = manifest.json()["layers"][0]["digest"].as_str().expect("a digest").to_owned();
    assert_eq!(
        with(&registry, &chain, &format!("/v2/alice/secret/blobs/{layer}")).await.body,
        package()[1].1
    );
    let log = logged(&folder);
    assert_eq!(log.matches("package.released").count(), 4, "{log}");
    assert!(log.contains(r#""tee":"snp""#) && log.contains(&digest), "{log}");
}

#[tokio::test]
async fn no_other_keep_gets_a_byte() {
    let (registry, steward, digest, folder) = protected().await;
    let good = Certificate::of(&digest);
    let other = Certificate::of(&tree_of(&package()[..1]).package_digest().to_string());
    let elsewhere = good.uris[0].replace("example.org", "example.com");
    let cases = [
        ("keep-workload", other.clone()),
        ("keep-name", Certificate { uris: vec![], ..good.clone() }),
        ("keep-name", Certificate { uris: vec![elsewhere], ..good.clone() }),
        ("keep-name", Certificate { uris: [good.uris.clone(), other.uris].concat(), ..good.clone() }),
        ("keep-name", Certificate { uris: vec!["spiffe://example.org/workload/00".into()], ..good.clone() }),
        ("keep-name", Certificate { uris: vec![good.uris[0].replace("workload", "key")], ..good.clone() }),
        ("keep-result", Certificate { result: false, ..good.clone() }),
        ("keep-tee", Certificate { tee: "sgx", ..good.clone() }),
        ("keep-trust", Certificate { trust: "debug", ..good.clone() }),
        ("keep-trust", Certificate { trust: "splendid", ..good.clone() }),
        ("keep-policy", Certificate { policy: [8; 48], ..good.clone() }),
        ("keep-chain", Certificate { until: 2026, ..good.clone() }),
        ("keep-chain", Certificate { usage: ExtendedKeyUsagePurpose::ServerAuth, ..good.clone() }),
    ];
    for (code, certificate) in &cases {
        let chain = steward.issue(certificate);
        for path in [TREE.to_owned(), format!("{TREE}/main.wasm")] {
            let refused = with(&registry, &chain, &path).await;
            assert_eq!(
                (refused.status, refused.code()),
                (StatusCode::FORBIDDEN, code.to_string()),
                "{}",
                refused.text()
            );
        }
        for path in ["/v2/alice/secret/manifests/1.0.0", &format!("/v2/alice/secret/blobs/{}", wasm())] {
            let refused = with(&registry, &chain, path).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{code}: {}", refused.text());
        }
    }
    // Another Steward's word does not count, nor a chain cut into pieces.
    let stranger = Steward::new().issue(&good);
    assert_eq!(with(&registry, &stranger, TREE).await.code(), "keep-chain");
    assert_eq!(with(&registry, &[CertificateDer::from(vec![0x30, 0])], TREE).await.code(), "keep-chain");
    // Nor does any certificate where nothing was said of keeps.
    registry.repository("alice/private", false).await;
    registry.publish("alice/private", "1.0.0", &package()).await;
    let private = with(&registry, &steward.issue(&good), "/api/v0.4/alice/private/_tag/1.0.0/tree").await;
    assert_eq!(private.status, StatusCode::UNAUTHORIZED);
    let log = logged(&folder);
    assert_eq!(log.matches("package.released").count(), 0, "{log}");
    assert_eq!(log.matches("package.refused").count(), 4 * cases.len() + 3, "{log}");
    for (code, _) in &cases {
        assert!(log.contains(&format!(r#""reason":"{code}: "#)), "{code}: {log}");
    }
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_released() {
    // Every line wants a file of its own, and there is no folder for it any more.
    let (registry, steward, digest, folder) = logging_to(1).await;
    let chain = steward.issue(&Certificate::of(&digest));
    assert_eq!(with(&registry, &chain, TREE).await.status, StatusCode::OK);
    std::fs::remove_dir_all(folder.path()).expect("removed");
    let refused = with(&registry, &chain, TREE).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::SERVICE_UNAVAILABLE, "audit".into()));
}

#[tokio::test]
async fn a_public_repository_has_no_release_policy() {
    let registry = Registry::new().await;
    let both = json!({ "public": true, "release": { "steward": "", "roots": [], "trust_domain": "" } });
    let refused =
        registry.put("/api/v0.4/alice/hello", "application/json", both.to_string().as_bytes()).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
}

fn wasm() -> api::digest::Digest {
    api::digest::Digest::sha256(package()[1].1)
}

fn logged(folder: &tempfile::TempDir) -> String {
    let files =
        std::fs::read_dir(folder.path()).expect("a folder").filter_map(|entry| Some(entry.ok()?.path()));
    files.filter_map(|path| std::fs::read_to_string(path).ok()).collect()
}
