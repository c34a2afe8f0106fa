//! The index in a real PostgreSQL: the same questions as to SQLite, the same answers.

#[path = "../../steward/tests/inventory/postgres.rs"]
mod postgres;
#[path = "harness/registry.rs"]
mod registry;

use api::digest::Digest;
use http::{Method, StatusCode};
use postgres::Postgres;
use registry::{NOW, Registry, package, tree_of};

/// What publishing, listing, deleting and collecting come to.
async fn exercise(database: Option<&str>) -> Vec<String> {
    let registry = Registry::over(database, None).await;
    registry.repository("alice/hello", true).await;
    let mut told = Vec::new();
    for version in ["1.0.0", "1.0.0-rc.1", "1.0.0+build", "10.0.0", "2.0.0"] {
        registry.publish("alice/hello", version, &package()).await;
    }
    for path in [
        "/api/v0.4/alice/hello/_tag",
        "/api/v0.4/alice/hello/_tag?n=2",
        "/api/v0.4/alice/hello/_tag?n=2&last=1.0.0-rc.1",
        "/api/v0.4/alice/hello/_tag/1.0.0/package",
        "/api/v0.4/alice/hello/_tag/1.0.0/tree/main.wasm",
        "/v2/alice/hello/manifests/2.0.0",
        "/v2/alice/hello/tags/list?n=3",
        &format!("/v2/alice/hello/referrers/{}", Digest::sha256(b"none")),
        "/api/v0.4/alice/hello/_tag/3.0.0",
    ] {
        let answer = registry.get(path).await;
        told.push(format!("{path}: {} {} {}", answer.status, answer.header("link"), answer.text()));
    }
    let other = tree_of(&package()[..1]).root().encode();
    let entry = "application/vnd.drawbridge.entry.v1+json";
    for version in ["1.0.0", "3.0.0"] {
        let path = format!("/api/v0.4/alice/hello/_tag/{version}");
        told.push(registry.put(&path, entry, &other).await.status.to_string());
        let deleted = registry.send(Method::DELETE, &path, &[registry.owner()], b"").await;
        assert_eq!(deleted.status, StatusCode::NO_CONTENT);
        told.push(registry.put(&path, entry, &other).await.code());
    }
    for version in ["1.0.0-rc.1", "1.0.0+build", "10.0.0", "2.0.0", "3.0.0"] {
        let path = format!("/api/v0.4/alice/hello/_tag/{version}");
        registry.send(Method::DELETE, &path, &[registry.owner()], b"").await;
    }
    told.push(format!("{:?}", registry.app.store.collect(NOW + 1).await.expect("collected")));
    let user = registry.app.store.index.user("alice").await.expect("asked").expect("alice");
    told.push(format!("{user:?}, {} blobs", registry.stored()));
    told
}

#[tokio::test]
async fn both_databases_answer_alike() {
    let Some(server) = Postgres::start() else { return };
    let url = server.url();
    let (postgres, sqlite) = (exercise(Some(&url)).await, exercise(None).await);
    assert_eq!(postgres, sqlite);
    assert!(
        sqlite.last().is_some_and(|last| last.contains("used: 0,") && last.ends_with(", 0 blobs")),
        "{sqlite:#?}"
    );
}
