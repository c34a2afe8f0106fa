//! Asks a vendor's service, with patience and limits.
//!
//! Services answer 429 and 503 under load, AMD's in particular: those, timeouts and broken connections are tried again,
//! each time later, and no sooner than the service says. Plain HTTP will do where a cache in the own network has no
//! certificate: what is fetched is signed.

use std::io;
use std::sync::Arc;
use std::time::Duration;
use ureq::Agent;
use ureq::http::{Response, StatusCode};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

/// The largest answer: Intel's PCK lists are below 1 MiB.
pub const ANSWER_MOST: u64 = 4 << 20;

/// How long to wait, and how often to ask.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How often to ask in all.
    pub attempts: u32,
    /// For one answer, to its last byte.
    pub timeout: Duration,
    /// Before the second attempt; doubles with each.
    pub pause: Duration,
    /// Before any attempt, whatever the service says.
    pub pause_most: Duration,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The body.
    pub body: Vec<u8>,
    /// The chain of whoever signed it, as PEM; empty when none was asked for.
    pub chain: Vec<u8>,
}

/// Asks.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    patience: Patience,
}

/// No answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The service said no.
    #[error("{url} answered {status}")]
    Status {
        /// What was asked.
        url: String,
        /// What it said.
        status: u16,
    },
    /// The service did not answer, or not to the end.
    #[error("{url} did not answer after {attempts} attempts")]
    Unavailable {
        /// What was asked.
        url: String,
        /// How often.
        attempts: u32,
        /// What happened last.
        source: io::Error,
    },
    /// The header with the signer's chain is missing or not percent-encoded text.
    #[error("{url} answered without the header {header}")]
    Header {
        /// What was asked.
        url: String,
        /// The header.
        header: &'static str,
    },
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { attempts: 4, timeout: seconds(20), pause: seconds(1), pause_most: seconds(30) }
    }
}

impl Client {
    /// A client that trusts the web's certificate authorities.
    pub fn new(patience: Patience) -> Self {
        Self::trusting(patience, RootCerts::WebPki)
    }

    /// A client that trusts these certificate authorities alone: a cache in one's own network is certified by its own. Each
    /// is a certificate as DER.
    pub fn trusting_only(patience: Patience, authorities: &[Vec<u8>]) -> Self {
        let authorities = authorities.iter().map(|der| Certificate::from_der(der).to_owned());
        Self::trusting(patience, RootCerts::Specific(Arc::new(authorities.collect())))
    }

    fn trusting(patience: Patience, authorities: RootCerts) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(authorities)
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .timeout_global(Some(patience.timeout))
            .max_redirects(3)
            .http_status_as_error(false)
            .user_agent(concat!("enarx/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: agent.into(), patience }
    }

    /// Asks until there is an answer or patience ends.
    pub fn get(&self, url: &str, chain_header: Option<&'static str>) -> Result<Answer, FetchError> {
        let mut attempt = 1;
        loop {
            let (failure, wait) = match self.ask(url, chain_header) {
                Ok(answer) => return Ok(answer),
                Err(Refusal::Final(error)) => return Err(error),
                Err(Refusal::Transient(error, wait)) => (error, wait),
            };
            if attempt == self.patience.attempts {
                return Err(match failure {
                    Failure::Status(status) => FetchError::Status { url: url.to_owned(), status },
                    Failure::Transport(source) => {
                        FetchError::Unavailable { url: url.to_owned(), attempts: attempt, source }
                    }
                });
            }
            let pause = self.patience.pause.saturating_mul(1 << (attempt - 1).min(16));
            std::thread::sleep(wait.unwrap_or(pause).max(pause).min(self.patience.pause_most));
            attempt += 1;
        }
    }

    fn ask(&self, url: &str, chain_header: Option<&'static str>) -> Result<Answer, Refusal> {
        let transport = |error: ureq::Error| match error {
            ureq::Error::BadUri(_) | ureq::Error::RequireHttpsOnly(_) => {
                let source = error.into_io();
                Refusal::Final(FetchError::Unavailable { url: url.to_owned(), attempts: 1, source })
            }
            other => Refusal::Transient(Failure::Transport(other.into_io()), None),
        };
        let mut response = self.agent.get(url).call().map_err(transport)?;
        let status = response.status();
        if is_transient(status) {
            return Err(Refusal::Transient(Failure::Status(status.as_u16()), retry_after(&response)));
        }
        if status != StatusCode::OK {
            let error = FetchError::Status { url: url.to_owned(), status: status.as_u16() };
            return Err(Refusal::Final(error));
        }
        let chain = match chain_header {
            None => Vec::new(),
            Some(header) => {
                let value = response.headers().get(header).and_then(|value| percent_decode(value.as_bytes()));
                let missing = || Refusal::Final(FetchError::Header { url: url.to_owned(), header });
                value.ok_or_else(missing)?
            }
        };
        let body = response.body_mut().with_config().limit(ANSWER_MOST).read_to_vec().map_err(transport)?;
        Ok(Answer { body, chain })
    }
}

/// Why there was no answer this time.
enum Refusal {
    Final(FetchError),
    Transient(Failure, Option<Duration>),
}

enum Failure {
    Status(u16),
    Transport(io::Error),
}

fn is_transient(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT
        || status.is_server_error()
}

/// Retry-After (RFC 9110 section 10.2.3): seconds, or a date, which is counted from the service's own date.
fn retry_after<T>(response: &Response<T>) -> Option<Duration> {
    let header = |name| response.headers().get(name)?.to_str().ok();
    let text = header("retry-after")?;
    let date = |text| httpdate::parse_http_date(text).ok();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => date(text)?.duration_since(date(header("date")?)?).ok(),
    }
}

/// RFC 3986 section 2.1.
fn percent_decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(&byte) = rest.next() {
        let mut digit = || char::from(*rest.next()?).to_digit(16).map(|digit| digit as u8);
        bytes.push(if byte == b'%' { digit()? << 4 | digit()? } else { byte });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_percent_decoded() {
        fn check(text: &str, expected: Option<&[u8]>) {
            assert_eq!(percent_decode(text.as_bytes()).as_deref(), expected, "{text}");
        }
        check("a%20b%0A", Some(b"a b\n"));
        check("%2", None);
        check("%zz", None);
    }
}
