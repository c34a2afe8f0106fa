//! Problem bodies (RFC 9457): what, why, and what to do next, for programs and for people.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::time::Duration;

/// Media type of a problem (RFC 9457 section 3).
pub const MEDIA_TYPE: &str = "application/problem+json";

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Identifies the kind of problem.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// The kind in words.
    pub title: Cow<'static, str>,
    /// The status of the answer.
    #[serde(with = "status")]
    pub status: StatusCode,
    /// Stable code of the reason.
    pub code: Cow<'static, str>,
    /// What happened this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Each check that failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<Cow<'static, str>>,
    /// The request, as the log has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// When to try again.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
}

/// A check that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Stable code of the reason.
    pub code: Cow<'static, str>,
    /// Expected and found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// How much of a problem callers are told. The log always has all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disclosure {
    /// Everything.
    #[default]
    Full,
    /// Codes of reasons and hints, without what was expected and found.
    Codes,
    /// Status, title and request id.
    None,
}

impl Problem {
    /// A problem whose kind is its status (RFC 9457 section 4.2.1) until [`kind`](Self::kind) says otherwise.
    pub fn new(status: StatusCode, code: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind: Cow::Borrowed("about:blank"),
            title: Cow::Borrowed(status.canonical_reason().unwrap_or("Unknown")),
            status,
            code: code.into(),
            detail: None,
            checks: Vec::new(),
            hint: None,
            request_id: None,
            retry_after: None,
        }
    }

    /// A problem of a kind of its own.
    pub fn kind(mut self, kind: impl Into<Cow<'static, str>>, title: impl Into<Cow<'static, str>>) -> Self {
        (self.kind, self.title) = (kind.into(), title.into());
        self
    }

    /// Adds what happened.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds what to do about it.
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the checks that failed.
    pub fn checks(mut self, checks: impl IntoIterator<Item = Check>) -> Self {
        self.checks.extend(checks);
        self
    }

    /// Says when to try again.
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// What is told of it.
    pub fn disclosed(&self, disclosure: Disclosure) -> Self {
        let mut told = self.clone();
        if disclosure != Disclosure::Full {
            told.detail = None;
            told.checks.iter_mut().for_each(|check| check.detail = None);
        }
        if disclosure == Disclosure::None {
            (told.checks, told.hint) = (Vec::new(), None);
            told.code = Cow::Borrowed("undisclosed");
        }
        told
    }
}

impl IntoResponse for Problem {
    /// The problem also travels beside the body: whoever watches requests tells and logs it (see [`observe`](crate::observe)).
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(&self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.retry_after {
            // Rounded up: whoever comes back on time must not be too early.
            headers.insert(
                header::RETRY_AFTER,
                HeaderValue::from(wait.as_millis().div_ceil(1000).max(1) as u64),
            );
        }
        response.extensions_mut().insert(self);
        response
    }
}

mod status {
    use http::StatusCode;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(status.as_u16())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StatusCode, D::Error> {
        StatusCode::from_u16(u16::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Problem {
        let check = Check { code: "report-signature".into(), detail: Some("expected 1, found 2".to_owned()) };
        let problem = Problem::new(StatusCode::FORBIDDEN, "evidence-refused");
        problem.kind("tag:x:refused", "Refused").detail("one check failed").hint("mend it").checks([check])
    }

    #[test]
    fn problems_are_json_with_the_registered_members() {
        let value = serde_json::to_value(example()).expect("JSON");
        let expected = serde_json::json!({
            "type": "tag:x:refused", "title": "Refused", "status": 403, "code": "evidence-refused",
            "detail": "one check failed", "hint": "mend it",
            "checks": [{ "code": "report-signature", "detail": "expected 1, found 2" }],
        });
        assert_eq!(value, expected);
        assert_eq!(serde_json::from_value::<Problem>(value).expect("a problem"), example());
    }

    #[test]
    fn disclosure_takes_away() {
        let codes = example().disclosed(Disclosure::Codes);
        assert_eq!(
            (codes.detail, codes.checks[0].detail.clone(), codes.code.as_ref()),
            (None, None, "evidence-refused")
        );
        let none = example().disclosed(Disclosure::None);
        assert_eq!((none.checks.len(), none.hint, none.code.as_ref()), (0, None, "undisclosed"));
        assert_eq!(example().disclosed(Disclosure::Full), example());
    }

    #[test]
    fn waits_are_rounded_up() {
        let problem =
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy").retry_after(Duration::from_millis(1001));
        let response = problem.into_response();
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
        assert_eq!(response.headers()[header::CONTENT_TYPE], MEDIA_TYPE);
    }
}
