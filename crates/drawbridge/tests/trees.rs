//! The tree interface, over the real router.

#[path = "harness/registry.rs"]
mod registry;

use api::digest::Digests;
use api::tree::{DIRECTORY_TYPE, Tree};
use http::{Method, StatusCode};
use registry::{Registry, package, tree_of};

const ENTRY_TYPE: &str = "application/vnd.drawbridge.entry.v1+json";

#[tokio::test]
async fn a_package_is_published_and_fetched() {
    let registry = Registry::new().await;
    registry.repository("alice/hello", true).await;
    let files = package();
    let tree = tree_of(&files);
    registry.publish("alice/hello", "1.0.0", &files).await;

    let tags = registry.get("/api/v0.1.0/alice/hello/_tag").await;
    assert_eq!(tags.text(), r#"["1.0.0"]"#);
    assert_eq!(tags.header("content-digest"), Digests::of(tags.body.as_ref()).to_header());
    let tag = registry.get("/api/v0.1.0/alice/hello/_tag/1.0.0").await;
    assert_eq!(tag.body, tree.root().encode());
    assert_eq!(tag.header("content-type"), ENTRY_TYPE);
    let root = registry.get("/api/v0.4.0/alice/hello/_tag/1.0.0/tree").await;
    assert_eq!(root.header("content-type"), DIRECTORY_TYPE);
    assert_eq!(root.header("content-digest"), tree.root().digest.to_header());
    let wasm = registry.get("/api/v0.4.0/alice/hello/_tag/1.0.0/tree/main.wasm").await;
    assert_eq!((wasm.status, wasm.body.as_slice()), (StatusCode::OK, files[1].1));
    let told = registry.get("/api/v0.4/alice/hello/_tag/1.0.0/package").await.json();
    assert_eq!(told["digest"], tree.package_digest().to_string());

    let head =
        registry.send(Method::HEAD, "/api/v0.4.0/alice/hello/_tag/1.0.0/tree/main.wasm", &[], b"").await;
    assert_eq!((head.status, head.header("content-length")), (StatusCode::OK, files[1].1.len().to_string()));
    let path = "/api/v0.4.0/alice/hello/_tag/1.0.0/tree/main.wasm";
    let part = registry.send(Method::GET, path, &[("range", "bytes=1-3")], b"").await;
    assert_eq!((part.status, part.body.as_slice()), (StatusCode::PARTIAL_CONTENT, &b"asm"[..]));
    let known = registry.send(Method::GET, path, &[("if-none-match", &wasm.header("etag"))], b"").await;
    assert_eq!((known.status, known.body.len()), (StatusCode::NOT_MODIFIED, 0));
    let none = registry.send(Method::GET, path, &[("range", "bytes=900-")], b"").await;
    assert_eq!(none.status, StatusCode::RANGE_NOT_SATISFIABLE);
}

#[tokio::test]
async fn a_workload_can_be_all_of_a_package() {
    let registry = Registry::new().await;
    registry.repository("alice/hello", true).await;
    let wasm = package()[1].1;
    let entry = api::tree::Entry::new(wasm, "application/wasm");
    let base = "/api/v0.4.0/alice/hello/_tag/1.0.0";
    assert_eq!(registry.put(base, ENTRY_TYPE, &entry.encode()).await.status, StatusCode::CREATED);
    let put = registry.put(&format!("{base}/tree"), "application/wasm", wasm).await;
    assert_eq!(put.status, StatusCode::CREATED, "{}", put.text());
    assert_eq!(registry.get(&format!("{base}/tree")).await.body, wasm);
    let told = registry.get(&format!("{base}/package")).await.json();
    assert_eq!(told["digest"], api::digest::Digest::sha256(wasm).to_string());
    let manifest = registry.get("/v2/alice/hello/manifests/1.0.0").await.json();
    assert_eq!(manifest["layers"][0]["digest"], told["digest"]);
}

#[tokio::test]
async fn what_is_not_whole_is_not_seen() {
    let registry = Registry::new().await;
    registry.repository("alice/hello", true).await;
    let files = package();
    let tree = tree_of(&files);
    let base = "/api/v0.4.0/alice/hello/_tag/1.0.0";
    let tag = tree.root().encode();
    assert_eq!(registry.put(base, ENTRY_TYPE, &tag).await.status, StatusCode::CREATED);
    for path in ["", "/tree", "/tree/main.wasm", "/package"] {
        assert_eq!(registry.get(&format!("{base}{path}")).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    // A file before its directory, a file that no directory lists, and another content.
    let refused = registry.put(&format!("{base}/tree/main.wasm"), "application/wasm", files[1].1).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "unlisted".into()));
    let root = tree.nodes().next().and_then(|(_, node)| node.directory.clone()).expect("a directory");
    assert_eq!(
        registry.put(&format!("{base}/tree"), DIRECTORY_TYPE, &root).await.status,
        StatusCode::CREATED
    );
    let refused = registry.put(&format!("{base}/tree/other"), "application/wasm", files[1].1).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "unlisted".into()));
    let refused =
        registry.put(&format!("{base}/tree/main.wasm"), "application/wasm", b"\0asm\x01\0\0\x01").await;
    assert_eq!((refused.status, refused.code()), (StatusCode::BAD_REQUEST, "digest-mismatch".into()));
    let refused = registry.put(&format!("{base}/tree/main.wasm"), "text/plain", files[1].1).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::BAD_REQUEST, "header".into()));
    // After all that, the right thing is right.
    for (path, content) in &files {
        let media_type = api::tree::media_type(path);
        let put = registry.put(&format!("{base}/tree/{path}"), media_type, content).await;
        assert_eq!(put.status, StatusCode::CREATED, "{path}");
    }
    assert_eq!(registry.get(base).await.body, tag);
}

#[tokio::test]
async fn versions_stand_for_one_thing_for_ever() {
    let registry = Registry::new().await;
    registry.repository("alice/hello", true).await;
    let files = package();
    registry.publish("alice/hello", "1.0.0", &files).await;
    let base = "/api/v0.4.0/alice/hello/_tag/1.0.0";
    let same = registry.put(base, ENTRY_TYPE, &tree_of(&files).root().encode()).await;
    assert_eq!(same.status, StatusCode::OK);
    let other = tree_of(&files[..1]).root().encode();
    let refused = registry.put(base, ENTRY_TYPE, &other).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "tag-taken".into()));
    let deleted = registry.send(Method::DELETE, base, &[registry.owner()], b"").await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    assert_eq!(registry.get(base).await.status, StatusCode::NOT_FOUND);
    let refused = registry.put(base, ENTRY_TYPE, &other).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "tag-yanked".into()));
    // The same can come back, and nothing has to be sent again but its directory.
    registry.publish("alice/hello", "1.0.0", &files).await;
    assert_eq!(registry.get(base).await.status, StatusCode::OK);
}

#[tokio::test]
async fn one_of_a_hundred_gets_the_version() {
    let registry = Registry::new().await;
    registry.repository("alice/hello", true).await;
    let clients = (0..100).map(|number| {
        let registry = registry.clone();
        tokio::spawn(async move {
            let content = format!("content {number}");
            let root = Tree::new(
                [(
                    "main.wasm".parse().expect("a path"),
                    api::tree::Entry::new(content.as_bytes(), "application/wasm"),
                )]
                .into(),
            );
            let entry = root.expect("a tree").root().encode();
            registry.put("/api/v0.4.0/alice/hello/_tag/1.0.0", ENTRY_TYPE, &entry).await
        })
    });
    let (mut won, mut told) = (0, 0);
    for client in clients.collect::<Vec<_>>() {
        let answer = client.await.expect("an answer");
        match (answer.status, answer.code().as_str()) {
            (StatusCode::CREATED, _) => won += 1,
            (StatusCode::CONFLICT, "tag-busy") => told += 1,
            (status, code) => panic!("{status} {code}"),
        }
    }
    assert_eq!((won, told), (1, 99));
}

#[tokio::test]
async fn nonsense_is_refused_and_leaves_nothing() {
    let registry = Registry::new().await;
    registry.repository("alice/hello", true).await;
    let entry = tree_of(&package()).root().encode();
    let base = "/api/v0.4.0/alice/hello/_tag/1.0.0";
    for (path, media_type, body) in [
        ("/api/v0.4.0/alice/hello/_tag/latest", ENTRY_TYPE, entry.as_slice()),
        ("/api/v0.4.0/alice/hello/_tag/1.0", ENTRY_TYPE, &entry),
        ("/api/v0.4.0/alice/hello/_tag/%31.0.0", ENTRY_TYPE, &entry),
        ("/api/v0.4.0/al-ice/hello/_tag/1.0.0", ENTRY_TYPE, &entry),
        ("/api/nonsense/alice/hello/_tag/1.0.0", ENTRY_TYPE, &entry),
        (base, "application/json", &entry),
        (base, "application/jose+json", br#"{"payload":"e30","protected":"e30","signature":""}"#),
        (base, ENTRY_TYPE, b"{}"),
        (base, ENTRY_TYPE, b""),
        (base, ENTRY_TYPE, &entry[..entry.len() - 1]),
    ] {
        let refused = registry.put(path, media_type, body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path} {media_type}: {}", refused.text());
    }
    let too_new = registry.put("/api/v9.0.0/alice/hello/_tag/1.0.0", ENTRY_TYPE, &entry).await;
    assert_eq!(too_new.status, StatusCode::NOT_IMPLEMENTED);
    let large = vec![b' '; 1 << 20];
    assert_eq!(registry.put(base, ENTRY_TYPE, &large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let digest = ("content-digest", "sha-256=:AAAA:");
    let refused = registry
        .send(Method::PUT, base, &[registry.owner(), digest, ("content-type", ENTRY_TYPE)], &entry)
        .await;
    assert_eq!((refused.status, refused.code()), (StatusCode::BAD_REQUEST, "digest".into()));
    let none =
        registry.send(Method::PUT, base, &[registry.owner(), ("content-type", ENTRY_TYPE)], &entry).await;
    assert_eq!((none.status, none.code()), (StatusCode::BAD_REQUEST, "header".into()));
    for path in ["/tree/..", "/tree/a/../b", "/tree/a%2f..%2fb", "/tree/a%5Cb", "/tree/%00", "/tree/a/"] {
        let refused = registry.put(&format!("{base}{path}"), "application/wasm", b"x").await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path}: {}", refused.text());
    }
    assert_eq!(registry.get("/api/v0.4.0/alice/hello/_tag").await.text(), "[]");
    assert_eq!(registry.stored(), 0);
}

#[tokio::test]
async fn only_the_owner_writes_and_what_is_private_stays_so() {
    let registry = Registry::new().await;
    registry.repository("alice/secret", false).await;
    registry.publish("alice/secret", "1.0.0", &package()).await;
    let base = "/api/v0.4.0/alice/secret/_tag/1.0.0";
    for path in ["", "/tree", "/tree/main.wasm", "/package"] {
        let path = format!("{base}{path}");
        let anybody = registry.get(&path).await;
        assert_eq!(anybody.status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(!anybody.header("www-authenticate").is_empty());
        let bob = registry.send(Method::GET, &path, &[registry.other()], b"").await;
        assert_eq!(bob.status, StatusCode::NOT_FOUND, "{path}");
        let alice = registry.send(Method::GET, &path, &[registry.owner()], b"").await;
        assert_eq!(alice.status, StatusCode::OK, "{path}");
    }
    let unknown = registry.send(Method::GET, base, &[("authorization", "Bearer nonsense")], b"").await;
    assert_eq!(unknown.status, StatusCode::UNAUTHORIZED);
    // Whether there is such a repository is told to nobody else.
    let (there, not_there) =
        (registry.get(base).await, registry.get("/api/v0.4.0/alice/none/_tag/1.0.0").await);
    assert_eq!(there.json()["detail"], not_there.json()["detail"]);
    let written =
        registry.send(Method::PUT, base, &[registry.other(), ("content-type", ENTRY_TYPE)], b"{}").await;
    assert_eq!((written.status, written.code()), (StatusCode::FORBIDDEN, "not-the-owner".into()));
}

#[tokio::test]
async fn a_repository_can_want_signatures() {
    let registry = Registry::new().await;
    let key = rcgen::KeyPair::generate().expect("a key");
    let settings = |signers: &[String]| serde_json::json!({ "public": true, "signers": signers }).to_string();
    let made = registry
        .put("/api/v0.4/alice/hello", "application/json", settings(&[key.public_key_pem()]).as_bytes())
        .await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let tree = tree_of(&package());
    let base = "/api/v0.4/alice/hello/_tag/1.0.0";
    let unsigned = registry.put(base, ENTRY_TYPE, &tree.root().encode()).await;
    assert_eq!((unsigned.status, unsigned.code()), (StatusCode::FORBIDDEN, "unsigned".into()));
    let tag = signed(&key, &tree.root().encode());
    let stranger = signed(&rcgen::KeyPair::generate().expect("a key"), &tree.root().encode());
    let refused = registry.put(base, "application/jose+json", stranger.as_bytes()).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::FORBIDDEN, "unsigned".into()));
    assert_eq!(registry.put(base, "application/jose+json", tag.as_bytes()).await.status, StatusCode::CREATED);
    for (path, node) in tree.nodes() {
        let path = path.to_string();
        let file = package().iter().find(|(name, _)| *name == path).map(|(_, content)| content.to_vec());
        let content = node.directory.clone().or(file).expect("content");
        let place = format!("{base}/tree/{path}").trim_end_matches('/').to_owned();
        assert_eq!(
            registry.put(&place, &node.entry.media_type, &content).await.status,
            StatusCode::CREATED,
            "{path}"
        );
    }
    let got = registry.get(base).await;
    assert_eq!((got.text(), got.header("content-type")), (tag, "application/jose+json".into()));
    assert_eq!(registry.get(&format!("{base}/package")).await.json()["signed"], true);
    let content = format!("{base}/tree/main.wasm");
    assert_eq!(registry.get(&content).await.status, StatusCode::OK);
    let layer = format!("/v2/alice/hello/blobs/{}", api::digest::Digest::sha256(package()[1].1));
    assert_eq!(registry.get(&layer).await.status, StatusCode::OK);
    // A signer who is none any more.
    let other = rcgen::KeyPair::generate().expect("a key").public_key_pem();
    registry
        .send(Method::PATCH, "/api/v0.4/alice/hello", &[registry.owner()], settings(&[other]).as_bytes())
        .await;
    let refused = registry.get(&content).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::FORBIDDEN, "unsigned".into()));
    assert_eq!(registry.get(&layer).await.status, StatusCode::FORBIDDEN);
}

fn signed(key: &rcgen::KeyPair, payload: &[u8]) -> String {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
    let pair =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key.serialize_der()).expect("a key");
    let (protected, payload) = (BASE64.encode(r#"{"alg":"ES256"}"#), BASE64.encode(payload));
    let message = format!("{protected}.{payload}");
    let signature = pair.sign(&aws_lc_rs::rand::SystemRandom::new(), message.as_bytes()).expect("signed");
    serde_json::json!({ "payload": payload, "protected": protected, "signature": BASE64.encode(signature.as_ref()) }).to_string()
}
