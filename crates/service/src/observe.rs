//! Watches each request: gives it an id, logs it in one line, counts it, and tells its problem.

use crate::address::{Peer, Proxies};
use crate::metrics::Metrics;
use crate::problem::{Disclosure, Problem};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;
use tracing::field::display;
use tracing::{Instrument, Level};

/// The header with the request's id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id taken from a proxy, and longest path logged.
const ID_MOST: usize = 128;
const PATH_MOST: usize = 256;

/// The request's id, in its extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub Arc<str>);

/// What a handler wants in the line of its request; put it into the answer's extensions.
#[derive(Clone, Debug, Default)]
pub struct Notes(pub Vec<(&'static str, String)>);

pub(crate) struct Observer {
    pub(crate) proxies: Proxies,
    pub(crate) metrics: Metrics,
    pub(crate) disclosure: Disclosure,
    /// Tells this process's ids from those of others.
    pub(crate) prefix: u64,
    pub(crate) count: AtomicU64,
}

impl Observer {
    fn id(&self, request: &Request, proxied: bool) -> Arc<str> {
        let sent = request.headers().get(REQUEST_ID).filter(|_| proxied);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(&byte);
        let fit = |id: &&str| (1..=ID_MOST).contains(&id.len()) && id.bytes().all(plain);
        match sent.and_then(|id| id.to_str().ok()).filter(fit) {
            Some(id) => id.into(),
            None => format!("{:016x}-{:x}", self.prefix, self.count.fetch_add(1, Relaxed)).into(),
        }
    }
}

pub(crate) async fn observe(
    State(observer): State<Arc<Observer>>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let peer = request.extensions().get::<Peer>().cloned().unwrap_or_default();
    let caller = observer.proxies.caller(&peer, request.headers());
    let id = observer.id(&request, caller.proxied);
    request.extensions_mut().insert(caller);
    request.extensions_mut().insert(RequestId(id.clone()));
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let method = request.method().clone();
    let path: String = request.uri().path().chars().take(PATH_MOST).collect();
    let span = tracing::info_span!("request", id = %id);

    let response = next.run(request).instrument(span.clone()).await;
    let (response, problem) = tell(response, &id, observer.disclosure);

    let status = response.status().as_u16();
    let elapsed = started.elapsed();
    observer.metrics.answered(route, &method, status, elapsed.as_secs_f64());
    let _entered = span.entered();
    let line = Line {
        address: caller.address.map(|address| address.to_string()).unwrap_or_else(|| "local".to_owned()),
        request: format!("{method} {path}"),
        status,
        elapsed_ms: elapsed.as_secs_f64() * 1000.0,
        reason: problem.as_ref().map(reason),
        notes: response.extensions().get::<Notes>().map(notes),
    };
    line.write(route);
    response
}

/// Puts the id into the answer, and the problem, as far as it is disclosed, into the body. Answers of the framework, which
/// have no problem, get one.
fn tell(mut response: Response, id: &Arc<str>, disclosure: Disclosure) -> (Response, Option<Problem>) {
    let status = response.status();
    let mut problem = response.extensions_mut().remove::<Problem>();
    if problem.is_none() && is_bare(&response) {
        problem = Some(Problem::new(status, bare_code(status)));
    }
    if let Some(problem) = &problem {
        let mut told = problem.disclosed(disclosure);
        told.request_id = Some(id.to_string());
        let mut answer = told.into_response();
        for (name, value) in response.headers() {
            if name != header::CONTENT_LENGTH && !answer.headers().contains_key(name) {
                answer.headers_mut().append(name, value.clone());
            }
        }
        *answer.extensions_mut() = std::mem::take(response.extensions_mut());
        response = answer;
    }
    if let Ok(value) = HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    (response, problem)
}

fn is_bare(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    let plain = kind.is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    (response.status().is_client_error() || response.status().is_server_error()) && plain
}

fn bare_code(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "not-found",
        StatusCode::METHOD_NOT_ALLOWED => "method",
        StatusCode::PAYLOAD_TOO_LARGE => "body-size",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "media-type",
        status if status.is_server_error() => "fault",
        _ => "request",
    }
}

/// Everything there is to say of a problem, whoever may hear it: its code, then each failed check, or what happened.
fn reason(problem: &Problem) -> String {
    let checks = problem.checks.iter().map(|check| check.detail.as_deref().unwrap_or(&check.code).to_owned());
    let details: Vec<String> = match problem.checks.is_empty() {
        true => problem.detail.clone().into_iter().collect(),
        false => checks.collect(),
    };
    match details.is_empty() {
        true => problem.code.to_string(),
        false => format!("{}: {}", problem.code, details.join("; ")),
    }
}

fn notes(notes: &Notes) -> String {
    notes.0.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

/// The line of one request.
struct Line {
    address: String,
    request: String,
    status: u16,
    elapsed_ms: f64,
    reason: Option<String>,
    notes: Option<String>,
}

impl Line {
    /// Health checks come every second and say nothing; they are logged for those who look for them.
    fn write(&self, route: &str) {
        let Self { address, request, status, elapsed_ms, .. } = self;
        // What there is not is left out.
        let (reason, notes) = (self.reason.as_ref().map(display), self.notes.as_ref().map(display));
        macro_rules! line {
            ($level:expr) => {
                tracing::event!(
                    $level,
                    peer.address = %address, status, elapsed_ms, reason, notes, "{request}"
                )
            };
        }
        match (*status, route) {
            (_, "/livez" | "/readyz" | "/metrics") => line!(Level::DEBUG),
            (500, _) => line!(Level::ERROR),
            (501.., _) => line!(Level::WARN),
            _ => line!(Level::INFO),
        }
    }
}
