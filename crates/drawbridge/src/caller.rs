//! Who calls: a person or program with a token, a keep with a certificate, or anybody.

use crate::app::App;
use crate::error::Refusal;
use crate::store::index::Token;
use api::digest::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use rustls::pki_types::CertificateDer;
use service::address::Peer;
use std::sync::Arc;

/// Who calls.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// What their token says, if they sent one.
    pub token: Option<Token>,
    /// The certificates of the connection; the caller holds the first one's key, nothing else was checked.
    pub certificates: Arc<[CertificateDer<'static>]>,
}

impl Caller {
    /// Finds out. A token that is not known is refused, also where none was needed: its sender believes it to be good.
    pub async fn of(app: &App, headers: &HeaderMap, peer: Option<&Peer>) -> Result<Self, Refusal> {
        let certificates = peer.map(|peer| peer.certificates.clone()).unwrap_or_default();
        let Some(secret) = secret(headers)? else {
            return Ok(Self { token: None, certificates });
        };
        let token = app.store.index.token(&Digest::sha256(secret.as_bytes()), app.now()).await?;
        let token = token.ok_or(Refusal::Unauthenticated("the token is not known, or has expired"))?;
        Ok(Self { token: Some(token), certificates })
    }

    /// The name that records have of the caller.
    pub fn name(&self) -> &str {
        match &self.token {
            Some(token) => &token.holder,
            None if self.certificates.is_empty() => "anybody",
            None => "a keep",
        }
    }
}

/// The token, which the index knows by its hash: so no time is lost by comparing it, and none tells of it.
fn secret(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    const MALFORMED: Refusal = Refusal::Unauthenticated("the credentials are neither `Bearer` nor `Basic`");
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let (scheme, rest) = value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or(MALFORMED)?;
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Ok(Some(rest.trim().to_owned())),
        // The user's name is not looked at: the token says whose it is.
        "basic" => {
            let text = STANDARD.decode(rest.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let text = text.ok_or(MALFORMED)?;
            match text.split_once(':') {
                // So says skopeo that it has no credentials.
                Some(("", "")) => Ok(None),
                Some((_, secret)) => Ok(Some(secret.to_owned())),
                None => Err(MALFORMED),
            }
        }
        _ => Err(MALFORMED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_in_two_ways() {
        fn check(value: &str, expected: Option<&str>) {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().expect("a value"))]);
            assert_eq!(secret(&headers).ok().flatten().as_deref(), expected, "{value}");
        }
        check("Bearer secret", Some("secret"));
        check("bearer secret", Some("secret"));
        check("Basic YWxpY2U6c2VjcmV0", Some("secret"));
        check("Basic Og==", None);
        check("Basic YWxpY2U=", None);
        check("Basic !", None);
        check("Digest x", None);
        check("secret", None);
        assert!(matches!(secret(&HeaderMap::new()), Ok(None)));
    }
}
