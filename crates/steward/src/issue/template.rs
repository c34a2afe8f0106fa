//! What certificates of a profile say beyond what was proven: names and addresses that the operator chose.

use std::str::FromStr;

use attest::crypto::PublicKey;
use der::Encode;
use der::oid::ObjectIdentifier;
use der::oid::db::rfc5280::{ID_KP_CLIENT_AUTH, ID_KP_SERVER_AUTH};
use serde::Deserialize;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::certpolicy::PolicyInformation;
use x509_cert::ext::pkix::{
    BasicConstraints, CertificatePolicies, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName,
};

use super::Grade;
use super::names::{self, Name};
use crate::ca::certificate::{
    authority_access, authority_key_id, crl_points, extension, identify, raw_extension, subject_key_id,
};
use crate::refusal::Refusal;
use crate::request::Request;

/// What certificates say, as a settings file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateFile {
    /// The SPIFFE trust domain.
    pub trust_domain: String,
    /// The Drawbridge of slugs that name no host.
    #[serde(default)]
    pub drawbridge: Option<String>,
    /// How the package of a keep that was deployed by name is named.
    #[serde(default)]
    pub package: PackageName,
    /// The subject, as RFC 4514 writes it; empty by default.
    #[serde(default)]
    pub subject: String,
    /// DNS names that every certificate gets.
    #[serde(default)]
    pub dns: Vec<String>,
    /// Where the revocation list is found.
    #[serde(default)]
    pub crl: Vec<String>,
    /// Where the OCSP responder is found.
    #[serde(default)]
    pub ocsp: Vec<String>,
    /// Where the issuing certificate is found.
    #[serde(default)]
    pub issuer: Vec<String>,
}

/// How the package of a keep is named in its certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PackageName {
    /// As an otherName, so that the certificate stays an X.509-SVID.
    #[default]
    OtherName,
    /// As a second URI, which libraries of SPIFFE refuse.
    Uri,
    /// Not at all.
    None,
}

/// What certificates say, checked and encoded as far as it is the same for all.
#[derive(Clone, Debug)]
pub struct Template {
    trust_domain: String,
    drawbridge: Option<String>,
    package: PackageName,
    subject: Vec<u8>,
    dns: Vec<String>,
    addresses: Vec<Extension>,
}

/// Why a template cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Not a trust domain.
    #[error("`{0}` is no SPIFFE trust domain")]
    TrustDomain(String),
    /// Not a host.
    #[error("`{0}` is no host of a Drawbridge")]
    Drawbridge(String),
    /// Not a subject.
    #[error("`{0}` is no subject")]
    Subject(String),
    /// Not a DNS name.
    #[error("`{0}` is no DNS name")]
    Dns(String),
    /// Not an address.
    #[error("`{0}` is no address")]
    Address(String),
    /// Something has no encoding.
    #[error("the template cannot be encoded: {0}")]
    Encoding(der::Error),
}

impl TemplateError {
    /// The way out.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::TrustDomain(_) => {
                "a trust domain has lower-case letters, digits, dots, dashes and underscores"
            }
            Self::Drawbridge(_) => {
                "write a host in lower case, with a port or without, as `store.example:8443`"
            }
            Self::Subject(_) => "write a subject as RFC 4514 does: `CN=keep,O=Example`",
            Self::Dns(_) => "write DNS names in lower case; a first label `*` stands for any",
            // RFC 5280 section 8: https would make the check of one certificate depend on the check of another.
            Self::Address(_) => "lists, responders and issuers are found by http:// addresses",
            Self::Encoding(_) => "shorten the template",
        }
    }
}

/// The policy of production certificates, 1.3.6.1.4.1.58270.3.1.
pub const POLICY_PRODUCTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.58270.3.1");

/// The policy of lab certificates, 1.3.6.1.4.1.58270.3.2: not for production.
pub const POLICY_LAB: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.58270.3.2");

impl TryFrom<TemplateFile> for Template {
    type Error = TemplateError;

    fn try_from(file: TemplateFile) -> Result<Self, TemplateError> {
        let TemplateFile { trust_domain, drawbridge, package, subject, dns, crl, ocsp, issuer } = file;
        if !is_trust_domain(&trust_domain) {
            return Err(TemplateError::TrustDomain(trust_domain));
        }
        if let Some(host) = drawbridge.as_ref().filter(|host| !names::is_host(host)) {
            return Err(TemplateError::Drawbridge(host.clone()));
        }
        if let Some(name) = dns.iter().find(|name| !names::is_dns_name(name.trim_start_matches("*."))) {
            return Err(TemplateError::Dns(name.clone()));
        }
        let is_address = |address: &&String| !(address.starts_with("http://") && address.is_ascii());
        if let Some(address) = crl.iter().chain(&ocsp).chain(&issuer).find(is_address) {
            return Err(TemplateError::Address(address.clone()));
        }
        let subject = match subject.as_str() {
            "" => EMPTY_NAME.to_vec(),
            text => x509_cert::name::Name::from_str(text)
                .and_then(|name| name.to_der())
                .map_err(|_| TemplateError::Subject(subject))?,
        };
        let mut addresses = Vec::new();
        if !crl.is_empty() {
            addresses.push(crl_points(&crl).map_err(TemplateError::Encoding)?);
        }
        if !(ocsp.is_empty() && issuer.is_empty()) {
            addresses.push(authority_access(&ocsp, &issuer).map_err(TemplateError::Encoding)?);
        }
        Ok(Self { trust_domain, drawbridge, package, subject, dns, addresses })
    }
}

impl Template {
    /// The SPIFFE trust domain.
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// The subject's Name, as DER; never what a request says.
    pub fn subject(&self) -> &[u8] {
        &self.subject
    }

    /// The names of a keep. Of old keeps only the key is proven, so only the key is named.
    pub fn names(&self, request: &Request) -> Result<Vec<Name>, Refusal> {
        let mut names = match request.workload() {
            Some(digest) => vec![Name::Uri(names::workload(&self.trust_domain, digest))],
            None => vec![Name::Uri(names::key(&self.trust_domain, request.spki()))],
        };
        if let (Some(slug), Some(digest)) = (request.slug(), request.workload()) {
            // A slug that is none is refused, whether it would be named or not.
            let address = names::package(self.drawbridge.as_deref(), slug, digest)?;
            match self.package {
                PackageName::OtherName => names.push(Name::Package(address)),
                PackageName::Uri => names.push(Name::Uri(address)),
                PackageName::None => {}
            }
        }
        names.extend(self.dns.iter().cloned().map(Name::Dns));
        Ok(names)
    }

    /// The extensions of a keep's certificate.
    pub fn extensions(
        &self,
        grade: Grade,
        request: &Request,
        names: &[Name],
        attested: &[u8],
        issuer_key_id: &[u8],
    ) -> der::Result<Vec<Extension>> {
        let key = PublicKey::from_spki(request.spki()).map_err(|_| der::ErrorKind::Failed)?;
        let names = names.iter().map(Name::general).collect::<der::Result<Vec<_>>>()?;
        // An empty subject makes the other names the only ones (RFC 5280 section 4.2.1.6).
        let nameless = self.subject == EMPTY_NAME;
        let mut extensions = vec![
            authority_key_id(issuer_key_id)?,
            subject_key_id(&identify(key.bits()))?,
            extension(true, &KeyUsage(KeyUsages::DigitalSignature.into()))?,
            extension(true, &BasicConstraints { ca: false, path_len_constraint: None })?,
            extension(false, &ExtendedKeyUsage(vec![ID_KP_SERVER_AUTH, ID_KP_CLIENT_AUTH]))?,
            extension(nameless, &SubjectAltName(names))?,
            grade.policy()?,
        ];
        extensions.extend(self.addresses.iter().cloned());
        let oid = ObjectIdentifier::from_bytes(attest::result::extension::OID)
            .map_err(|_| der::ErrorKind::Failed)?;
        extensions.push(raw_extension(oid, false, attested.to_vec())?);
        Ok(extensions)
    }
}

impl Grade {
    /// certificatePolicies (RFC 5280 section 4.2.1.4) of this grade, in keeps' and in authorities' certificates.
    pub fn policy(self) -> der::Result<Extension> {
        let policy_identifier = match self {
            Self::Production => POLICY_PRODUCTION,
            Self::Lab => POLICY_LAB,
        };
        let policy = PolicyInformation { policy_identifier, policy_qualifiers: None };
        extension(false, &CertificatePolicies(vec![policy]))
    }
}

/// Whether this is a trust domain (SPIFFE-ID section 2.1).
fn is_trust_domain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    (1..=255).contains(&name.len()) && name.bytes().all(plain)
}

/// A Name of no parts.
const EMPTY_NAME: [u8; 2] = [0x30, 0];
