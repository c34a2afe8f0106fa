//! Names of keeps: what subjectAltName says of a workload.

use std::fmt;

use api::name::{NameError, Slug};
use attest::crypto::sha256;
use der::asn1::{AnyRef, Ia5String, Utf8StringRef};
use der::oid::ObjectIdentifier;
use x509_cert::ext::pkix::name::{GeneralName, OtherName};

use crate::ca::certificate::uri;
use crate::refusal::Refusal;

/// One name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// A URI: the SPIFFE id, or a package where the template wants it so.
    Uri(String),
    /// The URL of a package, as an otherName of type [`PACKAGE`].
    Package(String),
    /// A DNS name of the template.
    Dns(String),
}

/// The type of an otherName that is the URL of a package: 1.3.6.1.4.1.58270.2.5, a UTF8String.
///
/// An X.509-SVID has exactly one URI (SPIFFE X509-SVID section 2), and whoever validates one refuses a second; other
/// kinds of names are free.
pub const PACKAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.58270.2.5");

impl Name {
    /// The name as X.509 has it.
    pub fn general(&self) -> der::Result<GeneralName> {
        match self {
            Self::Uri(address) => uri(address),
            Self::Dns(name) => Ok(GeneralName::DnsName(Ia5String::new(name)?)),
            Self::Package(address) => {
                let value = AnyRef::from(Utf8StringRef::new(address)?).into();
                Ok(GeneralName::OtherName(OtherName { type_id: PACKAGE, value }))
            }
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uri(text) | Self::Package(text) | Self::Dns(text) => f.write_str(text),
        }
    }
}

/// `spiffe://<trust domain>/workload/<digest>`: every keep that runs this package under this trust domain.
pub fn workload(trust_domain: &str, digest: &[u8]) -> String {
    format!("spiffe://{trust_domain}/workload/{}", hex(digest))
}

/// `spiffe://<trust domain>/key/<digest>`: a keep of which only its key is known, by the key's SHA-256.
pub fn key(trust_domain: &str, spki: &[u8]) -> String {
    format!("spiffe://{trust_domain}/key/{}", hex(&sha256(spki)))
}

/// `https://<host>/<user>/<repository>:<version>@<algorithm>:<digest>`: the package under its name, pinned. What is no slug
/// never reaches a certificate: whoever reads the URL must not be led elsewhere by an escape or a question mark.
pub fn package(default_host: Option<&str>, slug: &str, workload: &[u8]) -> Result<String, Refusal> {
    let refused = |problem: &str| Refusal::Slug { slug: slug.into(), problem: problem.into() };
    let Slug { host, repository, version, digest } =
        slug.parse().map_err(|error: NameError| refused(&error.to_string()))?;
    let host = host.as_deref().or(default_host);
    let host = host.ok_or_else(|| refused("it names no host, and no Drawbridge is configured"))?;
    let algorithm = match workload.len() {
        32 => "sha256",
        48 => "sha384",
        64 => "sha512",
        _ => return Err(refused("its package has a digest of no known length")),
    };
    let pinned = format!("{algorithm}:{}", hex(workload));
    if digest.is_some_and(|digest| digest.to_string() != pinned) {
        return Err(refused("it pins another package than the keep runs"));
    }
    let version = version.map(|version| format!(":{version}")).unwrap_or_default();
    Ok(format!("https://{host}/{repository}{version}@{pinned}"))
}

/// Whether this is a host, with a port or without.
pub fn is_host(text: &str) -> bool {
    let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
    let port_holds = port.is_none_or(|port| {
        port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port != 0)
    });
    port_holds && is_dns_name(name)
}

/// Whether this is a DNS name in the preferred syntax (RFC 1034 section 3.5, RFC 1123 section 2.1), lower case.
pub fn is_dns_name(name: &str) -> bool {
    let label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// Hexadecimal digits: a SPIFFE path has no room for other characters of a digest (SPIFFE-ID section 2.2).
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_pinned_under_their_names() {
        fn check(slug: &str, digest: &[u8], expected: Option<&str>) {
            assert_eq!(package(Some("store.example"), slug, digest).ok().as_deref(), expected, "{slug}");
        }
        let digest = [0xAB; 32];
        let hash = format!("sha256:{}", "ab".repeat(32));
        let pinned = |name: &str| format!("https://{name}@{hash}");
        check("user/repo:1.0.0", &digest, Some(&pinned("store.example/user/repo:1.0.0")));
        check("a.example:8443/u/r:1.0.0", &digest, Some(&pinned("a.example:8443/u/r:1.0.0")));
        check("a.example/u/r:1.0.0+build", &digest, Some(&pinned("a.example/u/r:1.0.0+build")));
        check(&format!("u/r@{hash}"), &digest, Some(&pinned("store.example/u/r")));
        check(&format!("u/r@{hash}"), &[0xAC; 32], None);
        for wrong in
            ["", "user/repo", "../repo:1.0.0", "user/repo:1.0.0?x", "user/re%2fpo:1.0.0", "user/repo:1.0.0#x"]
        {
            check(wrong, &digest, None);
        }
        check("user/repo:1.0.0", &[0; 40], None);
    }
}
