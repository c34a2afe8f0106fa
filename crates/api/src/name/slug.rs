//! The slug, by which a package is deployed.
//!
//! ```text
//! slug = [ host [ ":" port ] "/" ] user "/" repository [ ":" version ] [ "@" digest ]
//! ```
//!
//! At least one of version and digest stands there. With a digest, nothing but that package is ever run, whatever the
//! registry says the version is.

use super::{NameError, Repository, Version};
use crate::digest::Digest;
use std::fmt;
use std::str::FromStr;

const KIND: &str = "a slug";
const EXPECTED: &str =
    "[<host>/]<user>/<repository>:<version>, and @<digest> beside or instead of the version";
const LIMIT: usize = 512;

/// Where a package is, and which it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slug {
    /// The registry, as `host` or `host:port`; none: the one that is configured.
    pub host: Option<String>,
    /// The repository.
    pub repository: Repository,
    /// The version.
    pub version: Option<Version>,
    /// The package's digest.
    pub digest: Option<Digest>,
}

impl FromStr for Slug {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let fail = || NameError::new(KIND, EXPECTED, text);
        if text.len() > LIMIT {
            return Err(fail());
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse().map_err(|_| fail())?)),
            None => (text, None),
        };
        // A host's port is followed by a slash, so the version's colon is in the last part.
        let start = rest.rfind('/').ok_or_else(fail)?;
        let (path, version) = match rest[start..].find(':') {
            Some(colon) => (&rest[..start + colon], Some(rest[start + colon + 1..].parse()?)),
            None => (rest, None),
        };
        let (host, repository) = match path.match_indices('/').count() {
            1 => (None, path),
            _ => path.split_once('/').map(|(host, name)| (Some(host), name)).ok_or_else(fail)?,
        };
        if version.is_none() && digest.is_none() || host.is_some_and(|host| !is_host(host)) {
            return Err(fail());
        }
        Ok(Self { host: host.map(str::to_owned), repository: repository.parse()?, version, digest })
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            write!(f, "{host}/")?;
        }
        write!(f, "{}", self.repository)?;
        if let Some(version) = &self.version {
            write!(f, ":{version}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

/// A DNS name or an address, with or without a port. Whether it exists is seen when it is called.
fn is_host(host: &str) -> bool {
    let (name, port) = match host.rfind(':') {
        Some(colon) if !host.ends_with(']') => (&host[..colon], Some(&host[colon + 1..])),
        _ => (host, None),
    };
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let name_fits = match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.bytes().all(letter),
    };
    name_fits && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|number| number.to_string() == port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_survive() {
        let digest = Digest::sha256(b"package");
        for text in [
            "alice/hello:1.0.0",
            "store.example/alice/hello:1.0.0-rc.1+5",
            "localhost:8080/alice/hello:1.0.0",
            "[::1]:8080/alice/hello:1.0.0",
            "[::1]/alice/hello:1.0.0",
            &format!("alice/hello@{digest}"),
            &format!("localhost:1/alice/hello:2.0.0@{digest}"),
        ] {
            let slug: Slug = text.parse().expect(text);
            assert_eq!(slug.to_string(), text);
        }
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "hello",
            "alice/hello",
            "alice/hello:latest",
            "alice/hello:1.0.0@",
            "alice/hello@sha256:00",
            "/alice/hello:1.0.0",
            "a/b/alice/hello:1.0.0",
            "host name/alice/hello:1.0.0",
            "host:99999/alice/hello:1.0.0",
            "host:080/alice/hello:1.0.0",
            "user@host/alice/hello:1.0.0",
            "[::g]/alice/hello:1.0.0",
            "https://host/alice/hello:1.0.0",
        ] {
            assert!(text.parse::<Slug>().is_err(), "{text}");
        }
    }
}
