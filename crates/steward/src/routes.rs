//! What answers at each route; one file per noun.

pub mod acme;
pub mod authority;
pub mod certificates;
pub mod inventory;
pub mod nonce;
pub mod old;
pub mod openapi;
pub mod operator;
pub mod policy;
pub mod renew;
pub mod revocation;

use crate::app::{App, Asking};
use crate::error::mistake;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use service::address::Caller;
use service::body::Content;
use service::observe::RequestId;
use service::problem::Problem;
use std::sync::Arc;

/// Which profile is meant.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Its name; the default one without it.
    pub profile: Option<String>,
}

impl FromRequest<Arc<App>> for Asking {
    type Rejection = Problem;

    async fn from_request(mut request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let extensions = request.extensions_mut();
        let id = extensions.get::<RequestId>().map_or_else(|| "".into(), |id| id.0.clone());
        let address = extensions.get::<Caller>().and_then(|caller| caller.address);
        let Content(body) = Content::from_request(request, app).await?;
        Ok(Self { id, address, body, challenged: false })
    }
}

/// The media type that the caller likes best among those offered; the first offered if it does not care (RFC 9110 section
/// 12.5.1).
pub fn negotiate(headers: &HeaderMap, offered: &[&'static str]) -> Result<&'static str, Problem> {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<(&str, f32)> = accept.flat_map(|value| value.split(',')).map(range).collect();
    if ranges.is_empty() {
        return Ok(offered[0]);
    }
    // Of the ranges that fit, the most exact one counts.
    let liking = |media: &str| {
        let kind = media.split('/').next().unwrap_or_default();
        let exactness = |range: &str| match range {
            "*/*" => Some(0),
            _ if range.strip_suffix("/*") == Some(kind) => Some(1),
            _ => range.eq_ignore_ascii_case(media).then_some(2),
        };
        let fitting = ranges.iter().filter_map(|&(range, quality)| Some((exactness(range)?, quality)));
        fitting.max_by_key(|&(exact, _)| exact).map_or(0.0, |(_, quality)| quality)
    };
    // The first of equals: `max_by` would take the last.
    let best = offered.iter().rev().max_by(|a, b| liking(a).total_cmp(&liking(b)));
    best.copied().filter(|media| liking(media) > 0.0).ok_or_else(|| {
        mistake(StatusCode::NOT_ACCEPTABLE, "media-type", "no media type that is accepted can be answered")
            .hint(format!("accept one of {}", offered.join(", ")))
    })
}

fn range(text: &str) -> (&str, f32) {
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |text| text.parse().ok());
    (media, quality.filter(|quality| (0.0..=1.0).contains(quality)).unwrap_or(0.0))
}

/// The media type of a body, without parameters, in lower case.
pub fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next()?.trim().to_ascii_lowercase())
}

/// An answer of this media type.
pub fn answer(media: &'static str, cache: &'static str, body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_get_what_they_like_best() {
        fn check(accept: Option<&str>, expected: Option<&str>) {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, accept.parse().expect("a header"));
            }
            let offered = ["application/pem-certificate-chain", "application/json"];
            assert_eq!(negotiate(&headers, &offered).ok(), expected, "{accept:?}");
        }
        let (pem, json) = (Some("application/pem-certificate-chain"), Some("application/json"));
        check(None, pem);
        check(Some("*/*"), pem);
        check(Some("application/json"), json);
        check(Some("application/*;q=0.5, application/json"), json);
        check(Some("application/json;q=0.1, */*;q=0.2"), pem);
        check(Some("application/json;q=0, application/*"), pem);
        check(Some("text/html"), None);
        check(Some("application/json;q=7"), None);
    }
}
