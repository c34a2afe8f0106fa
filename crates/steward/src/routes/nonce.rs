//! `GET /v1/nonce`: something new for a keep to bind, so that its evidence cannot be old.

use super::answer;
use crate::app::{App, random};
use crate::error;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use service::problem::Problem;
use std::sync::Arc;

#[derive(Serialize)]
struct Nonce {
    /// Base64.
    nonce: String,
    expires: String,
}

/// Gives a nonce.
pub async fn nonce(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let random = random().map_err(|refusal| error::problem(&refusal))?;
    let (nonce, expires) = app.nonces.give(random, app.now());
    let nonce = Nonce { nonce: attest::base64::encode(&nonce), expires: expires.to_string() };
    Ok(answer("application/json", "no-store", Json(nonce)))
}
