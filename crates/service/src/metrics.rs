//! Metrics in OpenMetrics text, for Prometheus, on the listener of administrators.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, Method, header};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::sync::{Arc, Mutex, PoisonError};

/// Bounds of latencies in seconds: from what memory answers to what patience ends.
const SECONDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
const MEDIA_TYPE: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// All metrics of a program.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    requests: Family<Request, Counter>,
    seconds: Family<Route, Histogram>,
    pub(crate) connections: Gauge,
    pub(crate) refused: Family<Reason, Counter>,
    pub(crate) handshakes: Family<Reason, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    route: String,
    method: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

/// Why something happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Reason {
    /// Stable code.
    pub reason: &'static str,
}

impl Metrics {
    /// Metrics whose names start with the program's.
    pub fn new(program: &'static str) -> Self {
        let metrics = Self {
            registry: Arc::new(Mutex::new(Registry::with_prefix(program))),
            requests: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            connections: Gauge::default(),
            refused: Family::default(),
            handshakes: Family::default(),
        };
        metrics.register(|registry| {
            registry.register("http_requests", "Requests answered", metrics.requests.clone());
            registry.register("http_seconds", "Time until the head of an answer", metrics.seconds.clone());
            registry.register("connections", "Open connections", metrics.connections.clone());
            registry.register("connections_refused", "Connections closed at once", metrics.refused.clone());
            registry.register("tls_handshakes", "TLS handshakes", metrics.handshakes.clone());
        });
        metrics
    }

    /// Adds metrics of the program's own.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// All metrics as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = text::encode(&mut text, &self.registry.lock().unwrap_or_else(PoisonError::into_inner));
        text
    }

    /// `/metrics`.
    pub fn routes(&self) -> Router {
        let metrics = get(async |State(metrics): State<Self>| metrics.into_response());
        Router::new().route("/metrics", metrics).with_state(self.clone())
    }

    pub(crate) fn answered(&self, route: &str, method: &Method, status: u16, seconds: f64) {
        // Methods are the caller's words: those that nobody knows are one.
        let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        let method = known.iter().find(|known| *known == method).map_or("other", |method| method.as_str());
        let request = Request { route: route.to_owned(), method: method.to_owned(), status };
        self.requests.get_or_create(&request).inc();
        self.seconds.get_or_create(&Route { route: route.to_owned() }).observe(seconds);
    }
}

impl IntoResponse for Metrics {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, MEDIA_TYPE)], self.text()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strange_methods_are_one() {
        let metrics = Metrics::new("example");
        for method in ["BREW", "WHEN"] {
            metrics.answered("/", &Method::from_bytes(method.as_bytes()).expect("a method"), 405, 0.001);
        }
        let text = metrics.text();
        let line = r#"example_http_requests_total{route="/",method="other",status="405"} 2"#;
        assert!(text.contains(line), "{text}");
        assert!(text.contains("example_http_seconds_bucket{le=\"0.001\",route=\"/\"} 2"), "{text}");
    }
}
