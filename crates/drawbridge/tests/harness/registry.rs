//! A registry over a store of its own, for tests: the real router, without a network.

#![allow(dead_code, reason = "each test uses a part")]

use api::digest::{Digest, Digests};
use api::name::User;
use api::tree::{Entry, Tree, media_type};
use axum::Router;
use axum::body::Body;
use drawbridge::app::{App, Uploads};
use drawbridge::store::index::Token;
use drawbridge::store::{Failpoints, Store};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use service::audit::Log;
use std::path::PathBuf;
use std::sync::Arc;
use tower::ServiceExt;

/// The time of these tests: 2026-11-21.
pub const NOW: i64 = 1_795_219_200;

/// A registry with two users, alice and bob.
#[derive(Clone)]
pub struct Registry {
    pub router: Router,
    pub app: Arc<App>,
    folder: Arc<tempfile::TempDir>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The code of a problem, or of OCI's first error.
    pub fn code(&self) -> String {
        let Ok(json) = serde_json::from_slice::<serde_json::Value>(&self.body) else { return String::new() };
        json["code"].as_str().or(json["errors"][0]["code"].as_str()).unwrap_or_default().to_owned()
    }

    pub fn header(&self, name: &str) -> String {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    }
}

impl Registry {
    pub async fn new() -> Self {
        Self::with_audit(None).await
    }

    pub async fn with_audit(audit: Option<Log>) -> Self {
        Self::over(None, audit).await
    }

    /// With its index in this database.
    pub async fn over(database: Option<&str>, audit: Option<Log>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), database, Failpoints::default()).await.expect("a store");
        for name in ["alice", "bob"] {
            let user: User = name.parse().expect("a name");
            assert!(store.index.add_user(&user, name, 1 << 30, NOW).await.expect("the index works"));
            let token = Token { holder: name.into(), repository: String::new(), writes: true };
            store
                .index
                .add_token(&Digest::sha256(name.as_bytes()), &token, NOW + 1)
                .await
                .expect("the index works");
        }
        let random = |bytes: &mut [u8]| aws_lc_rs::rand::fill(bytes).expect("randomness");
        let uploads = Uploads::default();
        let app = Arc::new(App { store, clock: || NOW, random, blob_limit: 8 << 20, audit, uploads });
        Self { router: drawbridge::router::router(app.clone()), app, folder: Arc::new(folder) }
    }

    pub fn owner(&self) -> (&'static str, &'static str) {
        ("authorization", "Bearer alice")
    }

    pub fn other(&self) -> (&'static str, &'static str) {
        ("authorization", "Bearer bob")
    }

    pub async fn request(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.request(request.body(Body::from(body.to_vec())).expect("a request")).await
    }

    /// As anybody.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], b"").await
    }

    /// As the owner, with what clients of trees send.
    pub async fn put(&self, path: &str, media_type: &str, body: &[u8]) -> Answer {
        let (digest, length) = (Digests::of(body).to_header(), body.len().to_string());
        let headers = [
            self.owner(),
            ("content-type", media_type),
            ("content-digest", &digest),
            ("content-length", &length),
        ];
        self.send(Method::PUT, path, &headers, body).await
    }

    pub async fn repository(&self, name: &str, public: bool) {
        let made = self
            .put(
                &format!("/api/v0.1.0/{name}"),
                "application/json",
                format!(r#"{{"public":{public}}}"#).as_bytes(),
            )
            .await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    }

    /// Publishes as clients before 0.8 do: the tag, then every node, directories before what they list.
    pub async fn publish(&self, repository: &str, tag: &str, files: &[(&str, &[u8])]) {
        let tree = tree_of(files);
        let base = format!("/api/v0.1.0/{repository}/_tag/{tag}");
        let made = self.put(&base, "application/vnd.drawbridge.entry.v1+json", &tree.root().encode()).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
        for (path, node) in tree.nodes() {
            let path = path.to_string();
            let file = files.iter().find(|(name, _)| *name == path).map(|(_, content)| content.to_vec());
            let content = node.directory.clone().or(file).expect("content");
            let place = if path.is_empty() { format!("{base}/tree") } else { format!("{base}/tree/{path}") };
            let put = self.put(&place, &node.entry.media_type, &content).await;
            assert_eq!(put.status, StatusCode::CREATED, "{path}: {}", put.text());
        }
    }

    /// How many blobs there are.
    pub fn stored(&self) -> usize {
        let folders = std::fs::read_dir(self.folder.path().join("blobs")).expect("a folder");
        folders
            .map(|folder| std::fs::read_dir(folder.expect("a folder").path()).expect("a folder").count())
            .sum()
    }

    /// Where a blob is on the disk.
    pub fn file(&self, digest: &Digest) -> PathBuf {
        let name = digest.hex();
        self.folder.path().join("blobs").join(&name[..2]).join(name)
    }
}

/// A small package.
pub fn package() -> [(&'static str, &'static [u8]); 2] {
    [("Enarx.toml", b"args = [\"a\"]\n"), ("main.wasm", b"\0asm\x01\0\0\0")]
}

pub fn tree_of(files: &[(&str, &[u8])]) -> Tree {
    let entries = files
        .iter()
        .map(|(path, content)| (path.parse().expect("a path"), Entry::new(content, media_type(path))));
    Tree::new(entries.collect()).expect("a tree")
}
