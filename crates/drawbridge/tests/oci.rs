//! OCI Distribution 1.1, over the real router: what its conformance suite asks, and what packages are on both sides.

#[path = "harness/registry.rs"]
mod registry;

use api::digest::Digest;
use http::{Method, StatusCode};
use registry::{Answer, Registry, package, tree_of};
use serde_json::json;

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
const WASM: &[u8] = b"\0asm\x01\0\0\0";

async fn as_owner(
    registry: &Registry,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let headers = [&[registry.owner()], headers].concat();
    registry.send(method, path, &headers, body).await
}

async fn push_blob(registry: &Registry, name: &str, content: &[u8]) -> Digest {
    let digest = Digest::sha256(content);
    let started = as_owner(registry, Method::POST, &format!("/v2/{name}/blobs/uploads/"), &[], b"").await;
    assert_eq!(started.status, StatusCode::ACCEPTED, "{}", started.text());
    let place = format!("{}?digest={digest}", started.header("location"));
    let put = as_owner(registry, Method::PUT, &place, &[], content).await;
    assert_eq!(put.status, StatusCode::CREATED, "{}", put.text());
    assert_eq!(put.header("location"), format!("/v2/{name}/blobs/{digest}"));
    digest
}

/// A Wasm artifact as CNCF has it, with `Enarx.toml` as an annotation.
async fn wasm_artifact(registry: &Registry, name: &str, toml: Option<&str>) -> Vec<u8> {
    let config =
        json!({ "architecture": "wasm", "os": "wasip1", "layerDigests": [Digest::sha256(WASM)] }).to_string();
    let (config_digest, layer) =
        (push_blob(registry, name, config.as_bytes()).await, push_blob(registry, name, WASM).await);
    let mut manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST_TYPE,
        "config": { "mediaType": "application/vnd.wasm.config.v0+json", "digest": config_digest, "size": config.len() },
        "layers": [{ "mediaType": "application/wasm", "digest": layer, "size": WASM.len() }],
    });
    if let Some(toml) = toml {
        manifest["annotations"] = json!({ "dev.enarx.manifest": toml });
    }
    manifest.to_string().into_bytes()
}

async fn put_manifest(
    registry: &Registry,
    name: &str,
    reference: &str,
    media_type: &str,
    text: &[u8],
) -> Answer {
    let path = format!("/v2/{name}/manifests/{reference}");
    as_owner(registry, Method::PUT, &path, &[("content-type", media_type)], text).await
}

#[tokio::test]
async fn clients_are_asked_who_they_are() {
    let registry = Registry::new().await;
    let anybody = registry.get("/v2/").await;
    assert_eq!((anybody.status, anybody.code()), (StatusCode::UNAUTHORIZED, "UNAUTHORIZED".into()));
    assert!(anybody.header("www-authenticate").starts_with("Basic "));
    let basic = [("authorization", "Basic YWxpY2U6YWxpY2U=")];
    assert_eq!(registry.send(Method::GET, "/v2/", &basic, b"").await.status, StatusCode::OK);
}

#[tokio::test]
async fn blobs_come_in_every_way() {
    let registry = Registry::new().await;
    registry.repository("alice/hello", true).await;
    let name = "/v2/alice/hello";
    // Whole, in one request.
    let digest = Digest::sha256(b"whole");
    let whole =
        as_owner(&registry, Method::POST, &format!("{name}/blobs/uploads/?digest={digest}"), &[], b"whole")
            .await;
    assert_eq!(whole.status, StatusCode::CREATED);
    assert_eq!(registry.get(&format!("{name}/blobs/{digest}")).await.body, b"whole");
    let head = registry.send(Method::HEAD, &format!("{name}/blobs/{digest}"), &[], b"").await;
    assert_eq!(
        (head.status, head.header("content-length"), head.header("docker-content-digest")),
        (StatusCode::OK, "5".into(), digest.to_string())
    );
    // In two.
    push_blob(&registry, "alice/hello", b"two requests").await;
    // In parts, one of them out of order.
    let started = as_owner(&registry, Method::POST, &format!("{name}/blobs/uploads/"), &[], b"").await;
    let place = started.header("location");
    let patched = as_owner(&registry, Method::PATCH, &place, &[("content-range", "0-2")], b"abc").await;
    assert_eq!((patched.status, patched.header("range")), (StatusCode::ACCEPTED, "0-2".into()));
    let gap = as_owner(&registry, Method::PATCH, &place, &[("content-range", "4-5")], b"ef").await;
    assert_eq!((gap.status, gap.header("range")), (StatusCode::RANGE_NOT_SATISFIABLE, "0-2".into()));
    let how_far = as_owner(&registry, Method::GET, &place, &[], b"").await;
    assert_eq!((how_far.status, how_far.header("range")), (StatusCode::NO_CONTENT, "0-2".into()));
    let digest = Digest::sha256(b"abcdef");
    let put = as_owner(
        &registry,
        Method::PUT,
        &format!("{place}?digest={digest}"),
        &[("content-range", "3-5")],
        b"def",
    )
    .await;
    assert_eq!(put.status, StatusCode::CREATED, "{}", put.text());
    assert_eq!(registry.get(&format!("{name}/blobs/{digest}")).await.body, b"abcdef");
    assert_eq!(as_owner(&registry, Method::GET, &place, &[], b"").await.status, StatusCode::NOT_FOUND);
    // From another repository.
    registry.repository("alice/other", false).await;
    let mount = format!("/v2/alice/other/blobs/uploads/?mount={digest}&from=alice/hello");
    let mounted = as_owner(&registry, Method::POST, &mount, &[], b"").await;
    assert_eq!(mounted.status, StatusCode::CREATED);
    // Not from one that the caller may not read.
    registry.send(Method::PUT, "/api/v0.4/bob/own", &[registry.other()], br#"{"public":true}"#).await;
    let mount = format!("/v2/bob/own/blobs/uploads/?mount={digest}&from=alice/other");
    let refused = registry.send(Method::POST, &mount, &[registry.other()], b"").await;
    assert_eq!(refused.status, StatusCode::ACCEPTED);
    assert_eq!(registry.get(&format!("/v2/bob/own/blobs/{digest}")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn uploads_survive_a_restart() {
    let registry = Registry::new().await;
    registry.repository("alice/hello", true).await;
    let started = as_owner(&registry, Method::POST, "/v2/alice/hello/blobs/uploads/", &[], b"").await;
    let place = started.header("location");
    as_owner(&registry, Method::PATCH, &place, &[], b"before ").await;
    // What a new process knows of it is in the index and on the disk.
    let id = place.rsplit('/').next().expect("a name");
    registry.app.uploads.put(id, None);
    let how_far = as_owner(&registry, Method::GET, &place, &[], b"").await;
    assert_eq!(how_far.header("range"), "0-6");
    let digest = Digest::sha256(b"before and after");
    let put = as_owner(&registry, Method::PUT, &format!("{place}?digest={digest}"), &[], b"and after").await;
    assert_eq!(put.status, StatusCode::CREATED, "{}", put.text());
}

#[tokio::test]
async fn wrong_uploads_leave_nothing() {
    let registry = Registry::new().await;
    registry.repository("alice/hello", true).await;
    let name = "/v2/alice/hello";
    let digest = Digest::sha256(b"right");
    let wrong =
        as_owner(&registry, Method::POST, &format!("{name}/blobs/uploads/?digest={digest}"), &[], b"wrong")
            .await;
    assert_eq!((wrong.status, wrong.code()), (StatusCode::BAD_REQUEST, "DIGEST_INVALID".into()));
    for digest in ["sha256:00", "md5:00", "sha512:00", "../../x", ""] {
        let wrong =
            as_owner(&registry, Method::POST, &format!("{name}/blobs/uploads/?digest={digest}"), &[], b"x")
                .await;
        assert_eq!(
            (wrong.status, wrong.code()),
            (StatusCode::BAD_REQUEST, "DIGEST_INVALID".into()),
            "{digest}"
        );
    }
    let large = vec![0; (8 << 20) + 1];
    let wrong =
        as_owner(&registry, Method::POST, &format!("{name}/blobs/uploads/?digest={digest}"), &[], &large)
            .await;
    assert_eq!((wrong.status, wrong.code()), (StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID".into()));
    let started = as_owner(&registry, Method::POST, &format!("{name}/blobs/uploads/"), &[], b"").await;
    let place = started.header("location");
    let other = registry.send(Method::PATCH, &place, &[registry.other()], b"x").await;
    assert_eq!((other.status, other.code()), (StatusCode::FORBIDDEN, "DENIED".into()));
    let elsewhere = place.replace("alice/hello", "alice/none");
    assert_eq!(as_owner(&registry, Method::PATCH, &elsewhere, &[], b"x").await.status, StatusCode::NOT_FOUND);
    assert_eq!(as_owner(&registry, Method::DELETE, &place, &[], b"").await.status, StatusCode::NO_CONTENT);
    assert_eq!(as_owner(&registry, Method::PATCH, &place, &[], b"x").await.status, StatusCode::NOT_FOUND);
    assert_eq!(registry.stored(), 0);
    let missing = registry.get(&format!("{name}/blobs/{digest}")).await;
    assert_eq!((missing.status, missing.code()), (StatusCode::NOT_FOUND, "BLOB_UNKNOWN".into()));
    for path in ["/v2/alice/none/tags/list", "/v2/al_ice/hello/tags/list"] {
        assert!(as_owner(&registry, Method::GET, path, &[], b"").await.status.is_client_error(), "{path}");
    }
}

#[tokio::test]
async fn manifests_need_what_they_name() {
    let registry = Registry::new().await;
    registry.repository("alice/hello", true).await;
    let manifest = wasm_artifact(&registry, "alice/hello", None).await;
    let digest = Digest::sha256(&manifest);
    let missing = String::from_utf8_lossy(&manifest)
        .replace(&Digest::sha256(WASM).to_string(), &Digest::sha256(b"none").to_string());
    let refused = put_manifest(&registry, "alice/hello", "latest", MANIFEST_TYPE, missing.as_bytes()).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::NOT_FOUND, "MANIFEST_BLOB_UNKNOWN".into()));
    for (reference, media_type, text) in [
        ("latest", MANIFEST_TYPE, b"{}".as_slice()),
        ("latest", MANIFEST_TYPE, b"not json"),
        ("latest", INDEX_TYPE, &manifest),
        ("-latest", MANIFEST_TYPE, &manifest),
        ("a%20b", MANIFEST_TYPE, &manifest),
        (&Digest::sha256(b"other").to_string(), MANIFEST_TYPE, &manifest),
    ] {
        let refused = put_manifest(&registry, "alice/hello", reference, media_type, text).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{reference} {media_type}: {}", refused.text());
    }
    for reference in ["latest", "1.0.0", &digest.to_string()] {
        let put = put_manifest(&registry, "alice/hello", reference, MANIFEST_TYPE, &manifest).await;
        assert_eq!(put.status, StatusCode::CREATED, "{}", put.text());
        assert_eq!(put.header("docker-content-digest"), digest.to_string());
        let got = registry.get(&format!("/v2/alice/hello/manifests/{reference}")).await;
        assert_eq!(
            (got.body.as_slice(), got.header("content-type")),
            (manifest.as_slice(), MANIFEST_TYPE.into())
        );
    }
    let list = json!({ "schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [
        { "mediaType": MANIFEST_TYPE, "digest": digest, "size": manifest.len() }] });
    let put = put_manifest(&registry, "alice/hello", "all", INDEX_TYPE, list.to_string().as_bytes()).await;
    assert_eq!(put.status, StatusCode::CREATED, "{}", put.text());
    // Needed by a manifest, so not to be deleted.
    let blob = format!("/v2/alice/hello/blobs/{}", Digest::sha256(WASM));
    assert_eq!(as_owner(&registry, Method::DELETE, &blob, &[], b"").await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn tags_are_listed_in_pages_and_do_not_move() {
    let registry = Registry::new().await;
    registry.repository("alice/hello", true).await;
    let (first, second) = (
        wasm_artifact(&registry, "alice/hello", None).await,
        wasm_artifact(&registry, "alice/hello", Some("args = []\n")).await,
    );
    for tag in ["1.0.0", "1.1.0_build.5", "latest", "v2"] {
        assert_eq!(
            put_manifest(&registry, "alice/hello", tag, MANIFEST_TYPE, &first).await.status,
            StatusCode::CREATED,
            "{tag}"
        );
    }
    let page = registry.get("/v2/alice/hello/tags/list?n=3").await;
    assert_eq!(page.json(), json!({ "name": "alice/hello", "tags": ["1.0.0", "1.1.0_build.5", "latest"] }));
    let next = page.header("link");
    let next = next.strip_prefix('<').and_then(|rest| rest.split_once('>')).expect("a link").0;
    assert_eq!(registry.get(next).await.json()["tags"], json!(["v2"]));
    // The tree interface has the versions, with their own plus.
    assert_eq!(registry.get("/api/v0.4/alice/hello/_tag").await.text(), r#"["1.0.0","1.1.0+build.5"]"#);
    for tag in ["1.0.0", "latest"] {
        let moved = put_manifest(&registry, "alice/hello", tag, MANIFEST_TYPE, &second).await;
        assert_eq!((moved.status, moved.code()), (StatusCode::CONFLICT, "DENIED".into()));
    }
    let settings = [registry.owner()];
    let changed = registry
        .send(Method::PATCH, "/api/v0.4/alice/hello", &settings, br#"{"public":true,"movable_tags":true}"#)
        .await;
    assert_eq!(changed.status, StatusCode::OK);
    assert_eq!(
        put_manifest(&registry, "alice/hello", "latest", MANIFEST_TYPE, &second).await.status,
        StatusCode::CREATED
    );
    assert_eq!(registry.get("/v2/alice/hello/manifests/latest").await.body, second);
    assert_eq!(
        put_manifest(&registry, "alice/hello", "1.0.0", MANIFEST_TYPE, &second).await.status,
        StatusCode::CONFLICT
    );
}

#[tokio::test]
async fn referrers_are_found() {
    let registry = Registry::new().await;
    registry.repository("alice/hello", true).await;
    let manifest = wasm_artifact(&registry, "alice/hello", None).await;
    let subject = Digest::sha256(&manifest);
    let empty = push_blob(&registry, "alice/hello", b"{}").await;
    let config = json!({ "mediaType": "application/vnd.oci.empty.v1+json", "digest": empty, "size": 2 });
    for kind in ["application/vnd.in-toto+json", "application/spdx+json"] {
        // The subject need not exist.
        let said = json!({ "schemaVersion": 2, "mediaType": MANIFEST_TYPE, "artifactType": kind, "config": config, "layers": [config],
            "subject": { "mediaType": MANIFEST_TYPE, "digest": subject, "size": manifest.len() }, "annotations": { "a": "b" } });
        let text = said.to_string();
        let put = put_manifest(
            &registry,
            "alice/hello",
            &Digest::sha256(text.as_bytes()).to_string(),
            MANIFEST_TYPE,
            text.as_bytes(),
        )
        .await;
        assert_eq!((put.status, put.header("oci-subject")), (StatusCode::CREATED, subject.to_string()));
    }
    let path = format!("/v2/alice/hello/referrers/{subject}");
    let all = registry.get(&path).await;
    assert_eq!(all.header("content-type"), INDEX_TYPE);
    assert_eq!(all.json()["manifests"].as_array().map(Vec::len), Some(2));
    let some = registry.get(&format!("{path}?artifactType=application/spdx%2Bjson")).await;
    assert_eq!(some.header("oci-filters-applied"), "artifactType");
    assert_eq!(some.json()["manifests"][0]["artifactType"], "application/spdx+json");
    assert_eq!(some.json()["manifests"][0]["annotations"], json!({ "a": "b" }));
    assert_eq!(some.json()["manifests"].as_array().map(Vec::len), Some(1));
    let none = registry.get(&format!("/v2/alice/hello/referrers/{}", Digest::sha256(b"none"))).await;
    assert_eq!((none.status, none.json()["manifests"].clone()), (StatusCode::OK, json!([])));
}

#[tokio::test]
async fn what_is_deleted_is_gone() {
    let registry = Registry::new().await;
    registry.repository("alice/hello", true).await;
    let manifest = wasm_artifact(&registry, "alice/hello", None).await;
    for tag in ["1.0.0", "latest"] {
        put_manifest(&registry, "alice/hello", tag, MANIFEST_TYPE, &manifest).await;
    }
    let path = |reference: &str| format!("/v2/alice/hello/manifests/{reference}");
    assert_eq!(
        as_owner(&registry, Method::DELETE, &path("latest"), &[], b"").await.status,
        StatusCode::ACCEPTED
    );
    assert_eq!(registry.get(&path("latest")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(registry.get(&path("1.0.0")).await.status, StatusCode::OK);
    let digest = Digest::sha256(&manifest).to_string();
    assert_eq!(
        as_owner(&registry, Method::DELETE, &path(&digest), &[], b"").await.status,
        StatusCode::ACCEPTED
    );
    for reference in ["1.0.0", &digest] {
        assert_eq!(registry.get(&path(reference)).await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(
        as_owner(&registry, Method::DELETE, &path(&digest), &[], b"").await.status,
        StatusCode::NOT_FOUND
    );
    let blob = format!("/v2/alice/hello/blobs/{}", Digest::sha256(WASM));
    assert_eq!(as_owner(&registry, Method::DELETE, &blob, &[], b"").await.status, StatusCode::ACCEPTED);
    assert_eq!(registry.get(&blob).await.status, StatusCode::NOT_FOUND);
    registry.app.store.collect(registry::NOW + 1).await.expect("collected");
    assert_eq!(registry.stored(), 0);
}

#[tokio::test]
async fn a_package_is_the_same_whoever_published_it() {
    let registry = Registry::new().await;
    for name in ["alice/tree", "alice/oci"] {
        registry.repository(name, true).await;
    }
    let files = package();
    registry.publish("alice/tree", "1.0.0", &files).await;
    let manifest =
        wasm_artifact(&registry, "alice/oci", Some(std::str::from_utf8(files[0].1).expect("text"))).await;
    let put = put_manifest(&registry, "alice/oci", "1.0.0", MANIFEST_TYPE, &manifest).await;
    assert_eq!(put.status, StatusCode::CREATED, "{}", put.text());

    let expected = tree_of(&files).package_digest().to_string();
    let mut manifests = Vec::new();
    for name in ["alice/tree", "alice/oci"] {
        let told = registry.get(&format!("/api/v0.4/{name}/_tag/1.0.0/package")).await.json();
        assert_eq!(told["digest"], expected, "{name}");
        for (path, content) in &files {
            assert_eq!(
                registry.get(&format!("/api/v0.4/{name}/_tag/1.0.0/tree/{path}")).await.body,
                *content,
                "{name} {path}"
            );
        }
        let got = registry.get(&format!("/v2/{name}/manifests/1.0.0")).await.json();
        assert_eq!(got["annotations"]["dev.enarx.manifest"], std::str::from_utf8(files[0].1).expect("text"));
        let layer = got["layers"][0]["digest"].as_str().expect("a digest");
        assert_eq!(registry.get(&format!("/v2/{name}/blobs/{layer}")).await.body, WASM);
        let config = got["config"]["digest"].as_str().expect("a digest");
        assert_eq!(registry.get(&format!("/v2/{name}/blobs/{config}")).await.json()["os"], "wasip1");
        manifests.push(got);
    }
    assert_eq!(manifests[0]["layers"], manifests[1]["layers"]);
}

#[tokio::test]
async fn any_files_are_a_package() {
    let registry = Registry::new().await;
    for name in ["alice/tree", "alice/oci"] {
        registry.repository(name, true).await;
    }
    let files: [(&str, &[u8]); 3] = [("data/a/one", b"1"), ("data/two", b"2"), ("main.wasm", WASM)];
    registry.publish("alice/tree", "1.0.0", &files).await;
    let manifest = registry.get("/v2/alice/tree/manifests/1.0.0").await;
    let layers = manifest.json()["layers"].clone();
    let titles: Vec<_> = layers
        .as_array()
        .expect("layers")
        .iter()
        .map(|layer| layer["annotations"]["org.opencontainers.image.title"].clone())
        .collect();
    assert_eq!(titles, ["data/a/one", "data/two", "main.wasm"]);
    // Pushed again by OCI, it is the same package.
    for content in [b"1".as_slice(), b"2", WASM, b"{}"] {
        push_blob(&registry, "alice/oci", content).await;
    }
    let put = put_manifest(&registry, "alice/oci", "1.0.0", MANIFEST_TYPE, &manifest.body).await;
    assert_eq!(put.status, StatusCode::CREATED, "{}", put.text());
    let told = registry.get("/api/v0.4/alice/oci/_tag/1.0.0/package").await.json();
    assert_eq!(told["digest"], tree_of(&files).package_digest().to_string());
    assert_eq!(registry.get("/api/v0.4/alice/oci/_tag/1.0.0/tree/data/a/one").await.body, b"1");
}

#[tokio::test]
async fn a_damaged_blob_is_refused_and_others_are_served() {
    let registry = Registry::new().await;
    registry.repository("alice/hello", true).await;
    let (damaged, good) = (
        push_blob(&registry, "alice/hello", b"damaged").await,
        push_blob(&registry, "alice/hello", b"good").await,
    );
    std::fs::write(registry.file(&damaged), b"damagEd").expect("written");
    let refused = registry.get(&format!("/v2/alice/hello/blobs/{damaged}")).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::INTERNAL_SERVER_ERROR, "BLOB_UNKNOWN".into()));
    assert_eq!(registry.get(&format!("/v2/alice/hello/blobs/{good}")).await.body, b"good");
    // One of many pieces breaks off before its end.
    let large: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    let digest = push_blob(&registry, "alice/hello", &large).await;
    let mut altered = large.clone();
    altered[12345] ^= 1;
    std::fs::write(registry.file(&digest), altered).expect("written");
    let broken = registry.get(&format!("/v2/alice/hello/blobs/{digest}")).await;
    assert_eq!(broken.body, b"", "the harness has no body that did not come whole");
}
