//! Certificates as they are written: the fields of RFC 5280 section 4.1, signed.

use attest::crypto::sha256;
use attest::der::Reader;
use attest::time::{Time, Window};
use attest::x509::certificate::Certificate;
use der::asn1::{AnyRef, BitStringRef, Ia5String, OctetString};
use der::oid::{AssociatedOid, ObjectIdentifier};
use der::{DateTime, Decode, Encode, Sequence};
use x509_cert::Version;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AccessDescription, AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, CrlDistributionPoints,
    SubjectKeyIdentifier,
};
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::AlgorithmIdentifier;
use x509_cert::time::Validity;

use super::{Curve, Signer, SigningError};
use crate::issue::serial::Serial;

/// What a certificate says.
#[derive(Clone, Debug)]
pub struct Contents<'a> {
    /// Its number.
    pub serial: &'a Serial,
    /// The issuer's Name, exactly as in the issuer's own certificate.
    pub issuer: &'a [u8],
    /// When it is valid.
    pub validity: Window,
    /// The subject's Name.
    pub subject: &'a [u8],
    /// The subject's key.
    pub spki: &'a [u8],
    /// Its extensions, in order.
    pub extensions: Vec<Extension>,
}

/// TBSCertificate (RFC 5280 section 4.1.2), version 3; names and key are kept as the bytes that they are.
#[derive(Sequence)]
struct Tbs<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: Version,
    serial: SerialNumber,
    algorithm: AlgorithmIdentifier<AnyRef<'a>>,
    issuer: AnyRef<'a>,
    validity: Validity,
    subject: AnyRef<'a>,
    spki: AnyRef<'a>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

/// What X.509 signs is always of this shape: certificates and revocation lists (RFC 5280 sections 4.1 and 5.1).
#[derive(Sequence)]
struct Signed<'a> {
    contents: AnyRef<'a>,
    algorithm: AlgorithmIdentifier<AnyRef<'a>>,
    signature: BitStringRef<'a>,
}

impl Contents<'_> {
    /// Signs; answers the certificate as DER.
    pub fn sign(self, signer: &dyn Signer) -> Result<Vec<u8>, SigningError> {
        let tbs = Tbs {
            version: Version::V3,
            serial: number(self.serial)?,
            algorithm: algorithm(signer.curve()),
            issuer: AnyRef::from_der(self.issuer)?,
            validity: Validity::new(time(self.validity.from)?, time(self.validity.to)?),
            subject: AnyRef::from_der(self.subject)?,
            spki: AnyRef::from_der(self.spki)?,
            extensions: self.extensions,
        };
        signed(&tbs.to_der()?, signer)
    }
}

/// Signs `contents` and joins both.
pub fn signed(contents: &[u8], signer: &dyn Signer) -> Result<Vec<u8>, SigningError> {
    let signature = signer.sign(contents)?;
    let signed = Signed {
        contents: AnyRef::from_der(contents)?,
        algorithm: algorithm(signer.curve()),
        signature: BitStringRef::from_bytes(&signature)?,
    };
    Ok(signed.to_der()?)
}

/// The algorithm that a key of this curve signs with; its parameters are absent (RFC 5758 section 3.2).
pub fn algorithm<'a>(curve: Curve) -> AlgorithmIdentifier<AnyRef<'a>> {
    let oid = match curve {
        Curve::P256 => der::oid::db::rfc5912::ECDSA_WITH_SHA_256,
        Curve::P384 => der::oid::db::rfc5912::ECDSA_WITH_SHA_384,
    };
    AlgorithmIdentifier { oid, parameters: None }
}

/// A serial number.
pub fn number(serial: &Serial) -> der::Result<SerialNumber> {
    SerialNumber::new(serial.as_bytes())
}

/// A time in the form that RFC 5280 section 4.1.2.5 wants: UTCTime up to 2049, GeneralizedTime from 2050 on.
pub fn time(time: Time) -> der::Result<x509_cert::time::Time> {
    Ok(DateTime::from_unix_duration(std::time::Duration::from_secs(time.0))?.into())
}

/// An extension.
pub fn extension<T: AssociatedOid + Encode>(critical: bool, value: &T) -> der::Result<Extension> {
    raw_extension(T::OID, critical, value.to_der()?)
}

/// An extension whose value is encoded already.
pub fn raw_extension(oid: ObjectIdentifier, critical: bool, value: Vec<u8>) -> der::Result<Extension> {
    Ok(Extension { extn_id: oid, critical, extn_value: OctetString::new(value)? })
}

/// The subjectKeyIdentifier of a key: the first 160 bits of SHA-256 over the key's bits (RFC 7093 section 2, method 1).
pub fn identify(key_bits: &[u8]) -> [u8; 20] {
    let mut id = [0; 20];
    id.copy_from_slice(&sha256(key_bits)[..20]);
    id
}

/// The identifier of a certificate's key: what the certificate says, or else what it would have to say.
pub fn key_id(certificate: &Certificate) -> Vec<u8> {
    let value = certificate.extension(SubjectKeyIdentifier::OID.as_bytes());
    let said = value.and_then(|value| Reader::new(value).octets("subjectKeyIdentifier").ok());
    said.map_or_else(|| identify(certificate.key().bits()).to_vec(), <[u8]>::to_vec)
}

/// subjectKeyIdentifier (RFC 5280 section 4.2.1.2).
pub fn subject_key_id(id: &[u8]) -> der::Result<Extension> {
    extension(false, &SubjectKeyIdentifier(OctetString::new(id)?))
}

/// authorityKeyIdentifier (RFC 5280 section 4.2.1.1).
pub fn authority_key_id(id: &[u8]) -> der::Result<Extension> {
    let key_identifier = Some(OctetString::new(id)?);
    extension(false, &AuthorityKeyIdentifier { key_identifier, ..Default::default() })
}

/// cRLDistributionPoints (RFC 5280 section 4.2.1.13): one list, at any of these addresses.
pub fn crl_points(addresses: &[String]) -> der::Result<Extension> {
    let names = addresses.iter().map(|address| uri(address)).collect::<der::Result<Vec<_>>>()?;
    let distribution_point = Some(DistributionPointName::FullName(names));
    let point = DistributionPoint { distribution_point, reasons: None, crl_issuer: None };
    extension(false, &CrlDistributionPoints(vec![point]))
}

/// authorityInfoAccess (RFC 5280 section 4.2.2.1): where to ask for the status, where to find the issuer.
pub fn authority_access(ocsp: &[String], issuers: &[String]) -> der::Result<Extension> {
    let ocsp = ocsp.iter().map(|address| (der::oid::db::rfc5280::ID_AD_OCSP, address));
    let issuers = issuers.iter().map(|address| (der::oid::db::rfc5280::ID_AD_CA_ISSUERS, address));
    let describe = |(access_method, address): (_, &String)| {
        Ok(AccessDescription { access_method, access_location: uri(address)? })
    };
    let access = ocsp.chain(issuers).map(describe).collect::<der::Result<Vec<_>>>()?;
    extension(false, &AuthorityInfoAccessSyntax(access))
}

/// A uniformResourceIdentifier.
pub fn uri(address: &str) -> der::Result<GeneralName> {
    Ok(GeneralName::UniformResourceIdentifier(Ia5String::new(address)?))
}
