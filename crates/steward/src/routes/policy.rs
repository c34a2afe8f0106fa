//! `GET /v1/policy`: by which rules a profile judges.

use super::{Asked, answer, hex};
use crate::app::App;
use axum::Json;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Serialize;
use service::problem::Problem;
use std::sync::Arc;

#[derive(Serialize)]
struct Policy {
    profile: String,
    /// SHA-384 of the rules, as certificates and results name it.
    digest: String,
    /// The policy as it was written, if the operator lets it be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// Says what the policy is.
pub async fn policy(State(app): State<Arc<App>>, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let entry = app.profile(asked.profile.as_deref())?;
    let in_force = entry.policy.in_force();
    let policy = Policy {
        profile: entry.profile.name.clone(),
        digest: hex(&in_force.policy.policy.digest()),
        text: app.disclose_policy.then(|| in_force.policy.text.clone()),
    };
    Ok(answer("application/json", "max-age=60", Json(policy)))
}
