//! The OCSP responder (RFC 6960), in the profile of RFC 5019 for who asks without a nonce.
//!
//! Pure: bytes of a question in, bytes of an answer out; whoever listens looks up what is known of a serial number.

use attest::crypto::{sha256, sha384};
use attest::time::Window;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use der::asn1::{AnyRef, BitStringRef, GeneralizedTime, Null, OctetString, OctetStringRef};
use der::oid::ObjectIdentifier;
use der::{Choice, DateTime, Decode, Encode, Enumerated, Sequence};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{ExtendedKeyUsage, KeyUsage, KeyUsages};
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::AlgorithmIdentifier;

use super::Revocation;
use super::crl::Reason;
use crate::ca::certificate::{
    Contents, algorithm, authority_key_id, extension, identify, raw_extension, subject_key_id,
};
use crate::ca::{Authority, Signer, SigningError, spki_bits};
use crate::issue::serial::Serial;

/// The largest question: some serial numbers and a nonce.
pub const MAX_SIZE: usize = 4 * 1024;

/// The most serial numbers of one question. RFC 5019 section 2.1.1 asks for one.
const MAX_SERIALS: usize = 16;

/// The longest nonce (RFC 9654 section 2.1).
const MAX_NONCE: usize = 128;

/// How long an answer is valid, unless settings say otherwise.
pub const LIFETIME: u64 = 60 * 60;

/// What is known of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It was issued, and is not revoked; or nothing else is known where no inventory is kept.
    Good,
    /// It is revoked.
    Revoked(Revocation),
    /// It was never issued.
    Unknown,
}

/// Who signs answers.
#[derive(Clone)]
pub struct Responder {
    authority: Authority,
    delegate: Option<Delegate>,
}

/// A key that answers in the authority's name (RFC 6960 section 4.2.2.2).
#[derive(Clone)]
struct Delegate {
    signer: std::sync::Arc<dyn Signer>,
    certificate: Vec<u8>,
}

/// A decoded question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    asked: Vec<Asked>,
    nonce: Option<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    /// The CertID, to be repeated as it is.
    id: Vec<u8>,
    hash: Hash,
    name_hash: Vec<u8>,
    key_hash: Vec<u8>,
    serial: Option<Serial>,
}

/// The hashes that issuers are named by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Unknown,
}

/// Answers that carry nothing (RFC 6960 section 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumerated)]
#[repr(u8)]
pub enum Failure {
    /// The answer carries something.
    #[doc(hidden)]
    Successful = 0,
    /// The question does not decode.
    MalformedRequest = 1,
    /// We failed.
    InternalError = 2,
    /// Ask later.
    TryLater = 3,
    /// The question is not for us.
    Unauthorized = 6,
}

impl Question {
    /// Decodes an OCSPRequest: the body of a POST, or the path of a GET, base64 of the same.
    pub fn decode(der: &[u8]) -> Result<Self, Failure> {
        let malformed = |_| Failure::MalformedRequest;
        if der.len() > MAX_SIZE {
            return Err(Failure::MalformedRequest);
        }
        let request = OcspRequest::from_der(der).map_err(malformed)?;
        let tbs = request.tbs;
        if tbs.version != 0 || tbs.requests.is_empty() || tbs.requests.len() > MAX_SERIALS {
            return Err(Failure::MalformedRequest);
        }
        let asked = tbs.requests.iter().map(Asked::of).collect::<der::Result<Vec<_>>>().map_err(malformed)?;
        let extensions = tbs.extensions.unwrap_or_default();
        // Signed requests and extensions other than the nonce are left alone (section 4.1.2), unless they must not be.
        if extensions.iter().any(|extension| extension.critical && extension.extn_id != NONCE) {
            return Err(Failure::MalformedRequest);
        }
        let nonce = extensions.iter().find(|extension| extension.extn_id == NONCE);
        let nonce = nonce.map(|extension| read_nonce(extension.extn_value.as_bytes())).transpose()?;
        Ok(Self { asked, nonce })
    }

    /// Decodes what stands in the path of a GET (RFC 6960 appendix A.1): base64, percent-encoded.
    pub fn decode_path(path: &str) -> Result<Self, Failure> {
        let text = path.replace("%2B", "+").replace("%2b", "+").replace("%2F", "/").replace("%2f", "/");
        let text = text.replace("%3D", "=").replace("%3d", "=");
        let der = attest::base64::decode("ocsp", text.as_bytes()).map_err(|_| Failure::MalformedRequest)?;
        Self::decode(&der)
    }

    /// The serial numbers that are asked for, as far as they are ones.
    pub fn serials(&self) -> impl Iterator<Item = &Serial> {
        self.asked.iter().filter_map(|asked| asked.serial.as_ref())
    }

    /// Whether the answer may be kept and given again: it answers no nonce.
    pub fn is_cacheable(&self) -> bool {
        self.nonce.is_none()
    }
}

impl Asked {
    fn of(request: &SingleRequest<'_>) -> der::Result<Self> {
        let whole = request.id.to_der()?;
        let id = CertId::from_der(&whole)?;
        let hash = match id.hash.oid {
            OID_SHA1 => Hash::Sha1,
            der::oid::db::rfc5912::ID_SHA_256 => Hash::Sha256,
            der::oid::db::rfc5912::ID_SHA_384 => Hash::Sha384,
            _ => Hash::Unknown,
        };
        Ok(Self {
            hash,
            name_hash: id.name_hash.as_bytes().to_vec(),
            key_hash: id.key_hash.as_bytes().to_vec(),
            serial: Serial::new(id.serial.as_bytes()).ok(),
            id: whole.clone(),
        })
    }

    fn is_of(&self, authority: &Authority) -> bool {
        let (name, key) = (authority.issuing().subject(), authority.issuing().key().bits());
        let hashed = |bytes: &[u8]| match self.hash {
            Hash::Sha1 => Some(digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec()),
            Hash::Sha256 => Some(sha256(bytes).to_vec()),
            Hash::Sha384 => Some(sha384(bytes).to_vec()),
            Hash::Unknown => None,
        };
        hashed(name).as_ref() == Some(&self.name_hash) && hashed(key).as_ref() == Some(&self.key_hash)
    }
}

impl Responder {
    /// A responder that signs with the authority's own key.
    pub fn direct(authority: Authority) -> Self {
        Self { authority, delegate: None }
    }

    /// A responder with a key of its own, certified here: a token is then asked once, and not for each answer.
    pub fn delegated(
        authority: Authority,
        signer: std::sync::Arc<dyn Signer>,
        validity: Window,
        serial: &Serial,
    ) -> Result<Self, SigningError> {
        let subject = crate::ca::ceremony::common_name("OCSP responder")?;
        let contents = Contents {
            serial,
            issuer: authority.issuing().subject(),
            validity: validity.intersect(authority.validity()),
            subject: &subject,
            spki: signer.spki(),
            extensions: vec![
                authority_key_id(authority.key_id())?,
                subject_key_id(&identify(spki_bits(signer.spki())?))?,
                extension(true, &KeyUsage(KeyUsages::DigitalSignature.into()))?,
                extension(false, &ExtendedKeyUsage(vec![der::oid::db::rfc5280::ID_KP_OCSP_SIGNING]))?,
                // Short-lived, so nobody need ask whether it is revoked (section 4.2.2.2.1).
                raw_extension(NO_CHECK, false, Null.to_der()?)?,
            ],
        };
        let certificate = contents.sign(authority.signer())?;
        Ok(Self { authority, delegate: Some(Delegate { signer, certificate }) })
    }

    /// The authority that is answered for.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Whether every certificate that is asked for is of this authority.
    pub fn is_asked(&self, question: &Question) -> bool {
        question.asked.iter().all(|asked| asked.is_of(&self.authority))
    }

    /// Answers. A question for another authority is refused unsigned, as RFC 5019 section 2.2.3 has it.
    pub fn answer(
        &self,
        question: &Question,
        validity: Window,
        status: impl Fn(&Serial) -> Status,
    ) -> Result<Vec<u8>, SigningError> {
        if !self.is_asked(question) {
            return Ok(Failure::Unauthorized.to_answer());
        }
        let known = |asked: &Asked| asked.serial.as_ref().map_or(Status::Unknown, &status);
        let responses = question.asked.iter().map(|asked| single(asked, known(asked), validity));
        let nonce = question
            .nonce
            .as_ref()
            .map(|nonce| raw_extension(NONCE, false, OctetStringRef::new(nonce)?.to_der()?));
        let (signer, certificate) = match &self.delegate {
            Some(delegate) => (delegate.signer.as_ref(), Some(delegate.certificate.as_slice())),
            None => (self.authority.signer(), None),
        };
        let key_hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, spki_bits(signer.spki())?);
        let data = ResponseData {
            responder: ResponderId::ByKey(OctetString::new(key_hash.as_ref())?),
            produced_at: general(validity.from)?,
            responses: responses.collect::<der::Result<Vec<_>>>()?,
            extensions: nonce.transpose()?.map(|extension| vec![extension]),
        };
        let data = data.to_der()?;
        let signature = signer.sign(&data)?;
        let basic = BasicResponse {
            data: AnyRef::from_der(&data)?,
            algorithm: algorithm(signer.curve()),
            signature: BitStringRef::from_bytes(&signature)?,
            certificates: certificate.map(AnyRef::from_der).transpose()?.map(|certificate| vec![certificate]),
        };
        let bytes = ResponseBytes { kind: BASIC, response: OctetString::new(basic.to_der()?)? };
        Ok(OcspResponse { status: Failure::Successful, bytes: Some(bytes) }.to_der()?)
    }
}

impl Failure {
    /// The answer that says it.
    pub fn to_answer(self) -> Vec<u8> {
        attest::der::sequence(&[&attest::der::element(attest::der::tag::ENUMERATED, &[self as u8])])
    }
}

fn single(asked: &Asked, status: Status, validity: Window) -> der::Result<SingleResponse<'_>> {
    let status = match status {
        Status::Good => CertStatus::Good(Null),
        Status::Unknown => CertStatus::Unknown(Null),
        Status::Revoked(Revocation { at, cause }) => {
            CertStatus::Revoked(RevokedInfo { at: general(at)?, reason: cause.reason() })
        }
    };
    Ok(SingleResponse {
        id: AnyRef::from_der(&asked.id)?,
        status,
        this_update: general(validity.from)?,
        next_update: general(validity.to)?,
    })
}

/// A nonce is an OCTET STRING inside the extension; RFC 9654 section 2.1 bounds it.
fn read_nonce(value: &[u8]) -> Result<Vec<u8>, Failure> {
    let nonce = <&OctetStringRef>::from_der(value).map_err(|_| Failure::MalformedRequest)?;
    match (1..=MAX_NONCE).contains(&nonce.as_bytes().len()) {
        true => Ok(nonce.as_bytes().to_vec()),
        false => Err(Failure::MalformedRequest),
    }
}

fn general(time: attest::time::Time) -> der::Result<GeneralizedTime> {
    Ok(GeneralizedTime::from_date_time(DateTime::from_unix_duration(std::time::Duration::from_secs(time.0))?))
}

/// OCSPRequest (RFC 6960 section 4.1.1). Its signature, if there is one, is not looked at: anybody may ask.
#[derive(Sequence)]
struct OcspRequest<'a> {
    tbs: TbsRequest<'a>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    signature: Option<AnyRef<'a>>,
}

#[derive(Sequence)]
struct TbsRequest<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", default = "Default::default")]
    version: u8,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    requestor: Option<AnyRef<'a>>,
    requests: Vec<SingleRequest<'a>>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Vec<Extension>>,
}

#[derive(Sequence)]
struct SingleRequest<'a> {
    id: AnyRef<'a>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Vec<Extension>>,
}

#[derive(Sequence)]
struct CertId<'a> {
    hash: AlgorithmIdentifier<AnyRef<'a>>,
    name_hash: &'a OctetStringRef,
    key_hash: &'a OctetStringRef,
    serial: SerialNumber,
}

/// OCSPResponse (RFC 6960 section 4.2.1).
#[derive(Sequence)]
struct OcspResponse {
    status: Failure,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    bytes: Option<ResponseBytes>,
}

#[derive(Sequence)]
struct ResponseBytes {
    kind: ObjectIdentifier,
    response: OctetString,
}

#[derive(Sequence)]
struct BasicResponse<'a> {
    data: AnyRef<'a>,
    algorithm: AlgorithmIdentifier<AnyRef<'a>>,
    signature: BitStringRef<'a>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    certificates: Option<Vec<AnyRef<'a>>>,
}

#[derive(Sequence)]
struct ResponseData<'a> {
    responder: ResponderId,
    produced_at: GeneralizedTime,
    responses: Vec<SingleResponse<'a>>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Vec<Extension>>,
}

#[derive(Choice)]
enum ResponderId {
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", constructed = "true")]
    ByKey(OctetString),
}

#[derive(Sequence)]
struct SingleResponse<'a> {
    id: AnyRef<'a>,
    status: CertStatus,
    this_update: GeneralizedTime,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    next_update: GeneralizedTime,
}

#[derive(Choice)]
enum CertStatus {
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT")]
    Good(Null),
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", constructed = "true")]
    Revoked(RevokedInfo),
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT")]
    Unknown(Null),
}

#[derive(Sequence)]
struct RevokedInfo {
    at: GeneralizedTime,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    reason: Option<Reason>,
}

/// id-pkix-ocsp-basic.
const BASIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.1");
/// id-pkix-ocsp-nonce.
const NONCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.2");
/// id-pkix-ocsp-nocheck.
const NO_CHECK: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.5");
/// id-sha1.
const OID_SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
