//! A real server on loopback, with the behaviour that every program of ours relies on.

use axum::Router;
use axum::routing::{get, post};
use http::StatusCode;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use service::address::Peer;
use service::body::Content;
use service::limits::{Limits, Rate};
use service::listen::Endpoint;
use service::problem::{Disclosure, Problem};
use service::server::{Bound, Service, Settings};
use service::tls::Tls;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

fn settings(limits: Limits) -> Settings {
    let loopback = || vec![Endpoint::Tcp("127.0.0.1:0".to_owned())];
    Settings { listen: loopback(), limits, ..Settings::default() }
}

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

fn start(bound: Bound, router: Router) -> Running {
    let (stop, stopped) = oneshot::channel();
    let address = bound.addresses()[0];
    let stopped = async move {
        let _ = stopped.await;
    };
    let ended = tokio::spawn(bound.run(router, || {}, stopped));
    Running { address, stop, ended }
}

fn plain(settings: Settings, router: Router) -> Running {
    let service = Service::new("example", settings).expect("no files to read");
    start(service.bind().expect("loopback is free"), router)
}

fn router() -> Router {
    Router::new()
        .route("/hello", get(async || "hello"))
        .route("/echo", post(async |Content(body): Content| body))
        .route("/panic", get(async || -> &'static str { panic!("on purpose") }))
        .route("/forever", get(async || std::future::pending::<&'static str>().await))
        .route("/secret", get(async || Problem::new(StatusCode::FORBIDDEN, "no").detail("because")))
}

/// Sends bytes, and reads until the server closes.
async fn talk(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn ask(address: SocketAddr, request: &str) -> String {
    talk(TcpStream::connect(address).await.expect("the server listens"), request).await
}

async fn get_path(address: SocketAddr, path: &str) -> String {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await
}

async fn post_body(address: SocketAddr, head: &str, body: &str) -> String {
    ask(address, &format!("POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}\r\n\r\n{body}"))
        .await
}

fn has(answer: &str, words: &[&str]) {
    for word in words {
        assert!(answer.contains(word), "no {word} in: {answer}");
    }
}

#[tokio::test]
async fn problems_have_ids_and_disclose_what_they_may() {
    let server = plain(settings(Limits::default()), router());
    let answer = get_path(server.address, "/secret").await;
    has(
        &answer,
        &["403", "application/problem+json", r#""detail":"because""#, r#""request_id":""#, "x-request-id: "],
    );
    has(&get_path(server.address, "/nowhere").await, &["404", r#""code":"not-found""#]);
    has(
        &ask(server.address, "DELETE /hello HTTP/1.0\r\n\r\n").await,
        &["405", "allow: GET", r#""code":"method""#],
    );

    let hidden = Settings { disclosure: Disclosure::Codes, ..settings(Limits::default()) };
    let answer = get_path(plain(hidden, router()).address, "/secret").await;
    has(&answer, &[r#""code":"no""#]);
    assert!(!answer.contains("because"), "{answer}");
}

#[tokio::test]
async fn a_panic_is_an_answer() {
    let server = plain(settings(Limits::default()), router());
    has(&get_path(server.address, "/panic").await, &["500", r#""code":"fault""#]);
    has(&get_path(server.address, "/hello").await, &["200", "hello"]);
}

#[tokio::test]
async fn bodies_are_bounded() {
    let limits = Limits { body_bytes: 10, ..Limits::default() };
    let server = plain(settings(limits), router());
    has(&post_body(server.address, "Content-Length: 10", "0123456789").await, &["200", "0123456789"]);
    has(&post_body(server.address, "Content-Length: 11", "0123456789x").await, &["413", "body-size"]);
    let chunked = "6\r\n012345\r\n6\r\n012345\r\n0\r\n\r\n";
    has(&post_body(server.address, "Transfer-Encoding: chunked", chunked).await, &["413", "body-size"]);
    has(&post_body(server.address, "Transfer-Encoding: chunked", "zz\r\n").await, &["400"]);
    let head = format!("GET /hello HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(64 << 10));
    has(&ask(server.address, &head).await, &["431"]);
}

#[tokio::test(start_paused = true)]
async fn what_comes_too_slowly_is_ended() {
    let server = plain(settings(Limits::default()), router());
    has(&post_body(server.address, "Content-Length: 100", "0123").await, &["408", "body-time"]);
    // Half a head: the connection is closed, with or without an answer.
    let answer = ask(server.address, "GET /hello HTTP/1.1\r\nHo").await;
    assert!(!answer.contains("200"), "{answer}");
    has(&get_path(server.address, "/forever").await, &["503", r#""code":"time""#, "retry-after"]);
    // A connection on which nothing goes on is closed.
    let answer = ask(server.address, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").await;
    has(&answer, &["200", "hello"]);
}

#[tokio::test]
async fn health_meets_no_limit() {
    let rate = Rate { per_second: 1, burst: 1 };
    let limits = Limits { rate_per_address: rate, ..Limits::default() };
    let server = plain(settings(limits), router());
    has(&get_path(server.address, "/hello").await, &["200"]);
    has(&get_path(server.address, "/hello").await, &["429", "retry-after: 1", r#""code":"rate""#]);
    has(&get_path(server.address, "/livez").await, &["200", "alive"]);
    has(&get_path(server.address, "/readyz").await, &["200", r#""ready":true"#]);
}

#[tokio::test]
async fn only_trusted_proxies_name_callers_and_ids() {
    let proxied = Settings {
        trusted_proxies: vec!["127.0.0.0/8".parse().expect("a network")],
        ..settings(Limits::default())
    };
    let request = "GET /hello HTTP/1.0\r\nX-Request-Id: from-the-proxy\r\n\r\n";
    has(&ask(plain(proxied, router()).address, request).await, &["x-request-id: from-the-proxy"]);
    let answer = ask(plain(settings(Limits::default()), router()).address, request).await;
    assert!(!answer.contains("from-the-proxy"), "{answer}");
}

#[tokio::test]
async fn requests_end_before_the_server_does() {
    let (release, held) = oneshot::channel::<()>();
    let held = Arc::new(tokio::sync::Mutex::new(Some(held)));
    let begun = Arc::new(tokio::sync::Notify::new());
    let started = begun.clone();
    let slow = get(async move || {
        started.notify_one();
        let held = held.lock().await.take();
        let _ = held.expect("asked once").await;
        "done"
    });
    let server = plain(settings(Limits::default()), Router::new().route("/slow", slow));
    let address = server.address;
    let answer = tokio::spawn(async move { get_path(address, "/slow").await });
    begun.notified().await;
    server.stop.send(()).expect("the server runs");
    // The listener is closed once a connection is refused; the request goes on.
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!server.ended.is_finished());
    release.send(()).expect("the request waits");
    has(&answer.await.expect("no panic"), &["200", "done"]);
    server.ended.await.expect("no panic");
}

/// What the server sees of the client's certificate.
async fn certificates(request: axum::extract::Request) -> String {
    request.extensions().get::<Peer>().map_or(0, |peer| peer.certificates.len()).to_string()
}

#[tokio::test]
async fn tls_speaks_both_versions_of_http_and_takes_client_certificates() {
    let (tls, certificate) = Tls::self_made(&["localhost".to_owned()]).expect("a certificate");
    let service = Service::with_tls("example", settings(Limits::default()), Some(tls));
    let server =
        start(service.bind().expect("loopback is free"), Router::new().route("/", get(certificates)));
    let name = || ServerName::try_from("localhost").expect("a name");
    let connect = async |config: ClientConfig| {
        let stream = TcpStream::connect(server.address).await.expect("the server listens");
        TlsConnector::from(Arc::new(config)).connect(name(), stream).await.expect("TLS")
    };
    let request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    has(&talk(connect(client(&certificate, false)).await, request).await, &["200", "\r\n\r\n0"]);
    has(&talk(connect(client(&certificate, true)).await, request).await, &["200", "\r\n\r\n1"]);
    let mut second = client(&certificate, false);
    second.alpn_protocols = vec![b"h2".to_vec()];
    let stream = connect(second).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    // Garbage instead of a handshake ends the connection and nothing else.
    assert!(!ask(server.address, "GET / HTTP/1.1\r\n\r\n").await.contains("200"));
    has(&talk(connect(client(&certificate, false)).await, request).await, &["200"]);
}

fn client(root: &CertificateDer<'static>, with_certificate: bool) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.expect("versions").with_root_certificates(roots);
    if !with_certificate {
        return builder.with_no_client_auth();
    }
    let made = rcgen::generate_simple_self_signed(["client".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    builder.with_client_auth_cert(vec![made.cert.der().clone()], key).expect("a pair")
}
