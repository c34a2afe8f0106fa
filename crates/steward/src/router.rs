//! The routes, as one table: what is not here does not exist.

use crate::app::App;
use crate::routes::{authority, certificates, nonce, old, openapi, policy, renew};
use axum::Router;
use axum::routing::{MethodRouter, get, post};
use std::sync::Arc;

/// Paths and what answers there.
fn table() -> Vec<(&'static str, MethodRouter<Arc<App>>)> {
    vec![
        ("/", get(old::health).post(old::certify)),
        ("/v1/certificates", post(certificates::certify)),
        ("/v1/renew", post(renew::renew)),
        ("/v1/nonce", get(nonce::nonce)),
        ("/v1/roots", get(authority::roots)),
        ("/v1/policy", get(policy::policy)),
        ("/v1/spiffe/bundle", get(authority::spiffe_bundle)),
        ("/v1/openapi.json", get(openapi::document)),
    ]
}

/// The router.
pub fn router(app: Arc<App>) -> Router {
    let routes = table().into_iter();
    routes.fold(Router::new(), |router, (path, methods)| router.route(path, methods)).with_state(app)
}
