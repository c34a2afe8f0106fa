//! Refusals in terms of HTTP; nothing below knows of it.

use crate::refusal::Refusal;
use attest::reason::Check as Failed;
use http::StatusCode;
use service::problem::{Check, Problem};
use std::time::Duration;

/// What the types of our problems start with: tag URIs (RFC 4151), which promise no page.
pub const KIND: &str = "tag:enarx.dev,2026:steward/problem/";

/// The answer to a refused request.
pub fn problem(refusal: &Refusal) -> Problem {
    let problem = Problem::new(status(refusal), refusal.code())
        .kind(format!("{KIND}{}", refusal.code()), title(refusal))
        .detail(refusal.to_string())
        .hint(refusal.hint());
    let problem = match refusal.checks() {
        Some(checks) => problem.checks(checks.failures().map(check)),
        None => problem,
    };
    match refusal.is_ours() {
        true => problem.retry_after(Duration::from_secs(5)),
        false => problem,
    }
}

/// The answer to a refused request at the old Steward's address: clients of old know these statuses.
pub fn old_problem(refusal: &Refusal) -> Problem {
    let mut problem = problem(refusal);
    problem.status = match refusal {
        Refusal::NoEvidence => StatusCode::UNAUTHORIZED,
        _ if problem.status.is_client_error() => StatusCode::BAD_REQUEST,
        _ => problem.status,
    };
    problem
}

/// A mistake in how something was asked for.
pub fn mistake(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Problem {
    let title = status.canonical_reason().unwrap_or("Refused");
    Problem::new(status, code).kind(format!("{KIND}{code}"), title).detail(detail)
}

fn status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Malformed(_)
        | Refusal::NotARequest { .. }
        | Refusal::TooMany { .. }
        | Refusal::Slug { .. } => StatusCode::BAD_REQUEST,
        Refusal::NoEvidence => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::Evidence(rejection) if rejection.class() == attest::reason::Class::Malformed => {
            StatusCode::BAD_REQUEST
        }
        Refusal::Evidence(_)
        | Refusal::LabOnly { .. }
        | Refusal::Revoked { .. }
        | Refusal::NoTimeLeft { .. } => StatusCode::FORBIDDEN,
        Refusal::ClockEarly { .. }
        | Refusal::ClockLate { .. }
        | Refusal::ClockAbsurd { .. }
        | Refusal::Signing(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn title(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Malformed(_) | Refusal::NotARequest { .. } | Refusal::TooMany { .. } => {
            "The request does not decode"
        }
        Refusal::NoEvidence => "The request carries no evidence",
        Refusal::Evidence(_) => "The evidence is refused",
        Refusal::Slug { .. } => "The name cannot stand in a certificate",
        Refusal::LabOnly { .. } => "The keep gets certificates of a lab only",
        Refusal::Revoked { .. } => "Revoked",
        Refusal::NoTimeLeft { .. } => "The evidence is about to expire",
        _ => "The authority cannot issue",
    }
}

fn check(failed: &Failed) -> Check {
    Check { code: failed.reason.id().into(), detail: Some(failed.to_string()) }
}
