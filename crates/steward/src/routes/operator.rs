//! Who may ask for what the inventory knows.

use crate::app::App;
use crate::error::mistake;
use attest::crypto::sha256;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{StatusCode, header};
use serde::Deserialize;
use service::address::Peer;
use service::problem::Problem;
use std::sync::Arc;

/// The operators that settings name; without any, nobody is one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Operators {
    /// SHA-256 of bearer tokens, in hexadecimal: the settings then hold no secret.
    pub tokens: Vec<String>,
    /// SHA-256 of client certificates, as DER, in hexadecimal. Such a connection has proved to hold the key.
    pub certificates: Vec<String>,
}

/// A request by an operator.
#[derive(Clone, Copy, Debug)]
pub struct Operator;

impl FromRequestParts<Arc<App>> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        match app.operators.know(parts) {
            true => Ok(Self),
            false => Err(mistake(StatusCode::UNAUTHORIZED, "operator", "only operators may ask this")
                .hint("send `Authorization: Bearer …`, or a client certificate that the settings name")),
        }
    }
}

impl Operators {
    fn know(&self, parts: &Parts) -> bool {
        let authorization = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = authorization.and_then(|value| value.split_once(' '));
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token);
        let by_token = token.is_some_and(|token| among(&self.tokens, token.trim().as_bytes()));
        let peer = parts.extensions.get::<Peer>();
        let certificate = peer.and_then(|peer| peer.certificates.first());
        by_token || certificate.is_some_and(|certificate| among(&self.certificates, certificate))
    }
}

/// Whether the digest of this is among those that are known; what is compared is no secret, and takes the same time.
fn among(known: &[String], presented: &[u8]) -> bool {
    let digest = super::hex(&sha256(presented));
    known
        .iter()
        .any(|known| verify_slices_are_equal(known.to_lowercase().as_bytes(), digest.as_bytes()).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(authorization: &str) -> Parts {
        let request = http::Request::builder().header("authorization", authorization);
        request.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn operators_are_known_by_token_or_certificate() {
        let operators = Operators {
            tokens: vec![crate::routes::hex(&sha256(b"secret")).to_uppercase()],
            certificates: vec![crate::routes::hex(&sha256(b"certificate"))],
        };
        for (authorization, known) in [
            ("Bearer secret", true),
            ("bearer secret", true),
            ("Bearer other", false),
            ("Basic secret", false),
            ("", false),
        ] {
            assert_eq!(operators.know(&parts(authorization)), known, "{authorization}");
            assert!(!Operators::default().know(&parts(authorization)));
        }
        let mut parts = parts("");
        let certificates = vec![b"certificate".to_vec().into()].into();
        parts.extensions.insert(Peer { certificates, ..Peer::default() });
        assert!(operators.know(&parts));
    }
}
