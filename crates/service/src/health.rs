//! Whether the program lives, and whether it is ready, with reasons.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

type Check = Box<dyn Fn() -> Result<(), String> + Send>;

/// What must be well before requests are welcome. Checks answer at once, from what is known: they wait for nothing.
#[derive(Clone, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, Check>>>);

/// Answer of `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Whether requests are welcome.
    pub ready: bool,
    /// What is not well, and why.
    pub reasons: BTreeMap<String, String>,
}

impl Readiness {
    /// Adds a check, or puts another in its place.
    pub fn check(&self, name: &'static str, check: impl Fn() -> Result<(), String> + Send + 'static) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name, Box::new(check));
    }

    /// How things are.
    pub fn report(&self) -> Report {
        let checks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = checks.iter().filter_map(|(name, check)| Some(((*name).to_owned(), check().err()?)));
        let reasons: BTreeMap<_, _> = failed.collect();
        Report { ready: reasons.is_empty(), reasons }
    }

    /// `/livez` and `/readyz`.
    pub fn routes(&self) -> Router {
        let ready = get(async |State(readiness): State<Self>| readiness.report());
        Router::new()
            .route("/livez", get(async || "alive\n"))
            .route("/readyz", ready)
            .with_state(self.clone())
    }
}

impl IntoResponse for Report {
    fn into_response(self) -> Response {
        let status = if self.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let mut response = (status, Json(self)).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_named_and_go_away() {
        let readiness = Readiness::default();
        assert!(readiness.report().ready);
        readiness.check("clock", || Err("it is before 2020".to_owned()));
        let report = readiness.report();
        assert_eq!((report.ready, report.reasons["clock"].as_str()), (false, "it is before 2020"));
        readiness.check("clock", || Ok(()));
        assert!(readiness.report().ready);
    }
}
