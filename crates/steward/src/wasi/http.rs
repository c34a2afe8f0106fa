//! The HTTP face of the WASI program: the old Steward's `POST /`, and of ours what needs nothing but the request.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use attest::carrier::csr::MAX_SIZE;
use attest::pem;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request as HttpRequest, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;

use super::Steward;
use crate::certify::{bundle_answer, pki_path};
use crate::refusal::Refusal;
use crate::request::{MAX_BUNDLE_SIZE, Request};

/// The most connections at once.
const CONNECTIONS: usize = 256;

/// How long a connection lives: a keep asks once.
const LIFETIME: Duration = Duration::from_secs(30);

/// How long its headers may take.
const HEADERS: Duration = Duration::from_secs(10);

type Answer = Response<Full<Bytes>>;

/// Serves until the listener fails.
pub fn serve(listener: TcpListener, steward: Arc<Steward>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return Ok(()) };
            let (stream, _) = listener.accept().await?;
            let steward = steward.clone();
            tokio::spawn(async move {
                let service = service_fn(|request| answer(&steward, request));
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEADERS)
                    .serve_connection(TokioIo::new(stream), service);
                // Who breaks off, or takes too long, gets no answer.
                let _ = tokio::time::timeout(LIFETIME, connection).await;
                drop(place);
            });
        }
    })
}

async fn answer(steward: &Steward, request: HttpRequest<Incoming>) -> Result<Answer, Infallible> {
    let (parts, body) = request.into_parts();
    let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (kind, accept) = (header(CONTENT_TYPE), header(ACCEPT));
    let answer = match (&parts.method, parts.uri.path()) {
        (&Method::GET | &Method::HEAD, "/") => plain(StatusCode::OK, "text/plain", Bytes::new()),
        (&Method::GET, "/v1/roots") => {
            let root = steward.authority.chain().last().map(|root| pem::encode("CERTIFICATE", root.der()));
            plain(StatusCode::OK, "application/pem-certificate-chain", root.unwrap_or_default())
        }
        (&Method::POST, "/" | "/v1/certificates") => match read(body, kind == BUNDLE).await {
            Some(body) if kind == BUNDLE => bundle(steward, &body),
            Some(body) => one(steward, &body, accept.contains("pem")),
            None => plain(StatusCode::PAYLOAD_TOO_LARGE, "text/plain", "over the limit of size\n"),
        },
        (_, "/" | "/v1/roots" | "/v1/certificates") => {
            plain(StatusCode::METHOD_NOT_ALLOWED, "text/plain", Bytes::new())
        }
        _ => plain(StatusCode::NOT_FOUND, "text/plain", Bytes::new()),
    };
    Ok(answer)
}

/// The bundle of the old Steward.
const BUNDLE: &str = "application/vnd.steward.pkcs10-bundle.v1";

async fn read(body: Incoming, bundle: bool) -> Option<Bytes> {
    let limit = if bundle { MAX_BUNDLE_SIZE } else { 2 * MAX_SIZE };
    Some(Limited::new(body, limit).collect().await.ok()?.to_bytes())
}

fn one(steward: &Steward, body: &[u8], wants_pem: bool) -> Answer {
    let issued = Request::decode(body).and_then(|request| steward.certify(&request));
    match issued {
        Ok(issued) if wants_pem => {
            let above = steward.authority.intermediates().iter().map(|certificate| certificate.der());
            let chain = [issued.certificate.as_slice()].into_iter().chain(above);
            let text: String = chain.map(|der| pem::encode("CERTIFICATE", der)).collect();
            plain(StatusCode::OK, "application/pem-certificate-chain", text)
        }
        Ok(issued) => plain(
            StatusCode::OK,
            "application/pkix-pkipath",
            pki_path(&steward.authority, &issued.certificate),
        ),
        Err(refusal) => problem(&refusal),
    }
}

fn bundle(steward: &Steward, body: &[u8]) -> Answer {
    let issued = Request::decode_bundle(body).and_then(|requests| {
        requests.iter().map(|request| steward.certify(request)).collect::<Result<Vec<_>, _>>()
    });
    match issued {
        Ok(issued) => {
            let certificates: Vec<&[u8]> =
                issued.iter().map(|issued| issued.certificate.as_slice()).collect();
            plain(
                StatusCode::OK,
                "application/octet-stream",
                bundle_answer(&steward.authority, &certificates),
            )
        }
        Err(refusal) => problem(&refusal),
    }
}

/// RFC 9457, with the reasons of the failed checks.
fn problem(refusal: &Refusal) -> Answer {
    let status = match refusal {
        Refusal::NoEvidence => StatusCode::UNAUTHORIZED,
        refusal if refusal.is_ours() => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    };
    let failed = refusal.checks().into_iter().flat_map(|checks| checks.failures());
    let body = serde_json::json!({
        "title": refusal.to_string(),
        "status": status.as_u16(),
        "code": refusal.code(),
        "hint": refusal.hint(),
        "reasons": failed.map(|check| check.reason.id()).collect::<Vec<_>>(),
    });
    plain(status, "application/problem+json", body.to_string())
}

fn plain(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    answer
}
