//! `GET /v1/openapi.json`: this interface, for programs.

use super::answer;
use axum::response::Response;

/// The document; a test walks it beside the routes.
pub const DOCUMENT: &str = include_str!("openapi.json");

/// Gives the document.
pub async fn document() -> Response {
    answer("application/json", "max-age=3600", DOCUMENT)
}
