//! The record of releases: what that is not public went to whom, or did not, and why.

use crate::access::Grant;
use crate::app::App;
use crate::caller::Caller;
use crate::error::Refusal;
use api::digest::Digest;
use api::name::Repository;
use attest::time::Time;
use axum::http::request::Parts;
use http::StatusCode;
use serde::Serialize;
use service::address::Peer;
use service::problem::Problem;

/// What was asked for.
pub struct Asked<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// The path or digest.
    pub what: &'a str,
    /// The package, where it is known.
    pub package: Option<&'a Digest>,
}

#[derive(Serialize)]
struct Line<'a> {
    repository: &'a Repository,
    what: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<&'a Digest>,
    caller: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Writes a decision down. What cannot be written down is not released.
pub async fn release(
    app: &App,
    parts: &Parts,
    asked: &Asked<'_>,
    decided: &Result<Grant, Refusal>,
) -> Result<(), Refusal> {
    let Some(log) = &app.audit else { return Ok(()) };
    let (kind, caller, keep, reason) = match decided {
        Ok(Grant::Public) => return Ok(()),
        Ok(Grant::Person(name)) => ("package.released", name.clone(), None, None),
        Ok(Grant::Keep(keep)) => {
            let keep = serde_json::json!({
                "certificate": keep.serial, "tee": keep.tee, "trust": keep.trust, "policy": keep.policy,
            });
            ("package.released", "a keep".to_owned(), Some(keep), None)
        }
        Err(refusal @ (Refusal::Denied { .. } | Refusal::Unauthenticated(_) | Refusal::Unsigned(_))) => {
            let caller =
                Caller::of(app, &parts.headers, parts.extensions.get::<Peer>()).await.unwrap_or_default();
            let reason = format!("{}: {refusal}", refusal.codes().1);
            ("package.refused", caller.name().to_owned(), None, Some(reason))
        }
        Err(_) => return Ok(()),
    };
    let line =
        Line { repository: asked.repository, what: asked.what, package: asked.package, caller, keep, reason };
    let now = Time(u64::try_from(app.now()).unwrap_or(0));
    log.record(now, kind, &line).await.map(drop).map_err(|error| {
        tracing::error!(reason = %error, "a release cannot be recorded, and is refused");
        Refusal::Broken(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "audit"))
    })
}
