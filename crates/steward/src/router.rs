//! The routes, as one table: what is not here does not exist.

use crate::acme;
use crate::app::App;
use crate::routes::acme::Desk;
use crate::routes::{authority, certificates, inventory, nonce, old, openapi, policy, renew, revocation};
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
        ("/v1/crl", get(revocation::crl)),
        ("/v1/ocsp", post(revocation::ocsp)),
        ("/v1/ocsp/{*question}", get(revocation::ocsp_path)),
        ("/v1/spiffe/bundle", get(authority::spiffe_bundle)),
        ("/v1/inventory", get(inventory::list)),
        ("/v1/inventory/{id}", get(inventory::find)),
        ("/v1/openapi.json", get(openapi::document)),
    ]
}

/// The router.
pub fn router(app: Arc<App>) -> Router {
    let routes = table().into_iter();
    let router = routes.fold(Router::new(), |router, (path, methods)| router.route(path, methods));
    let acme = app.acme.clone().map(|settings| {
        let clock = app.clone();
        acme::routes(settings, Arc::new(Desk(app.clone())), Arc::new(move || clock.now()))
    });
    router.with_state(app).merge(acme.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::openapi::DOCUMENT;
    use std::collections::BTreeSet;

    #[test]
    fn the_document_has_every_route_and_no_other() {
        let document: serde_json::Value = serde_json::from_str(DOCUMENT).expect("the document is JSON");
        let paths = document["paths"].as_object().expect("there are paths");
        let described: BTreeSet<String> = paths
            .iter()
            .flat_map(|(path, methods)| {
                let methods = methods.as_object().expect("methods").keys().filter(|key| *key != "parameters");
                methods.map(move |method| format!("{} {path}", method.to_uppercase()))
            })
            .collect();
        let served = table().into_iter().flat_map(|(path, methods)| {
            // A method router tells its methods only in the debug form of what it allows.
            let path = path.replace("{*", "{");
            let allowed = format!("{methods:?}");
            ["GET", "POST"]
                .into_iter()
                .filter(move |method| allows(&allowed, method))
                .map(move |method| format!("{method} {path}"))
        });
        assert_eq!(served.collect::<BTreeSet<String>>(), described);
    }

    fn allows(debug: &str, method: &str) -> bool {
        debug.rsplit_once("allow_header").is_some_and(|(_, header)| header.contains(method))
    }
}
