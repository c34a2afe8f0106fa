//! Tells wrappers apart and opens them, one inside the other.

use alloc::string::String;
use alloc::vec::Vec;

use super::bundle::{Bundle, Kind, Statement};
use super::cert_table::CertTable;
use super::cmw::{Cmw, Content, Record};
use super::csr::Request;
use super::ra_tls::{self, Inside};
use super::tsm::TsmReport;
use super::{Carried, Carrier, MAX_SIZE, Submission, key_algorithm, legacy};
use crate::binding::KeepClaims;
use crate::crypto::{PublicKey, sha384};
use crate::cursor::{self, Malformed};
use crate::der::{Reader, tag};
use crate::endorsements::DocumentKind;
use crate::evidence::Evidence;
use crate::reason::{Checks, Reason, Rejection};
use crate::snp;
use crate::time::Window;
use crate::value::Value;
use crate::x509::certificate::Certificate;
use crate::{base64, pem};

/// Opens what was submitted.
pub(super) fn bytes(bytes: &[u8]) -> Result<Submission, Rejection> {
    cursor::limit("submission", bytes, MAX_SIZE).map_err(malformed)?;
    let mut opening = Opening::default();
    opening.any(bytes)?;
    opening.finish()
}

/// Opens the files of a folder by their names.
pub(super) fn files(files: &[(&str, &[u8])]) -> Result<Submission, Rejection> {
    let mut opening = Opening::default();
    opening.tsm(&TsmReport::from_files(files).map_err(malformed)?)?;
    opening.finish()
}

/// The most wrappers, one inside the other: PEM, request, bundle, message wrapper, report of configfs-tsm.
const MAX_DEPTH: usize = 6;

/// The most pieces of evidence.
const MAX_EVIDENCE: usize = 8;

/// A submission while it is opened.
#[derive(Default)]
struct Opening {
    carriers: Vec<Carrier>,
    depth: usize,
    evidence: Vec<Evidence>,
    carried: Carried,
    key: Option<(Vec<u8>, PublicKey)>,
    keep_claims: Option<KeepClaims>,
    report_data: Option<Vec<u8>>,
    validity: Option<Window>,
    /// Who made the carrier was proven: by a key, or by nobody's claim to one.
    checks: Checks,
}

impl Opening {
    /// Anything, told apart by its first bytes.
    fn any(&mut self, bytes: &[u8]) -> Result<(), Rejection> {
        match bytes.trim_ascii_start() {
            _ if pem::is_pem(bytes) => self.inside(Carrier::Pem, |opening| opening.pem(bytes)),
            // Before DER: the tag of a SEQUENCE is the digit 0.
            _ if is_hex(bytes) => self.hex(bytes),
            _ if is_base64(bytes) => self.base64(bytes),
            [tag::SEQUENCE, ..] => self.der(bytes),
            [b'[', ..] => self.cmw(&Cmw::from_json(bytes).map_err(malformed)?),
            [b'{', ..] => self.object(bytes),
            _ if TsmReport::is_cbor(bytes) => self.tsm(&TsmReport::from_cbor(bytes).map_err(malformed)?),
            _ if Cmw::is_cbor(bytes) => self.cmw(&Cmw::from_cbor(bytes).map_err(malformed)?),
            _ if is_extended_report(bytes) => self.extended_report(bytes),
            _ => self.bare(bytes),
        }
    }

    fn base64(&mut self, text: &[u8]) -> Result<(), Rejection> {
        let digits: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let inside = base64::decode("base64", &digits).map_err(malformed)?;
        self.inside(Carrier::Base64, |opening| opening.any(&inside))
    }

    fn hex(&mut self, text: &[u8]) -> Result<(), Rejection> {
        let digits: Vec<u8> = text.iter().copied().filter(u8::is_ascii_hexdigit).collect();
        let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or_default() as u8;
        let (pairs, _) = digits.as_chunks::<2>();
        let inside: Vec<u8> = pairs.iter().map(|[high, low]| value(*high) << 4 | value(*low)).collect();
        self.inside(Carrier::Hexadecimal, |opening| opening.any(&inside))
    }

    /// A request, a certificate and a bundle differ in what their first inner element starts with: a version number, a
    /// tagged version number, a statement.
    fn der(&mut self, bytes: &[u8]) -> Result<(), Rejection> {
        let first = Reader::new(bytes).sequence("der").and_then(|mut outer| outer.sequence("der"));
        match first.map_err(malformed)?.peek() {
            Some(tag::INTEGER) => self.inside(Carrier::Request, |opening| opening.request(bytes)),
            Some(tag::SEQUENCE) => self.inside(Carrier::Bundle, |opening| opening.bundle(bytes)),
            _ => self.certificate(bytes),
        }
    }

    /// Azure writes JSON of its own: what is no wrapper may be evidence.
    fn object(&mut self, bytes: &[u8]) -> Result<(), Rejection> {
        if TsmReport::is_json(bytes) {
            return self.tsm(&TsmReport::from_json(bytes).map_err(malformed)?);
        }
        match Cmw::from_json(bytes) {
            Ok(cmw) => self.cmw(&cmw),
            Err(_) => self.bare(bytes),
        }
    }

    fn pem(&mut self, text: &[u8]) -> Result<(), Rejection> {
        for block in pem::decode(text).map_err(malformed)? {
            match block.label {
                "CERTIFICATE" if self.evidence.is_empty() && ra_tls::is_carrier(&block.bytes) => {
                    self.certificate(&block.bytes)?;
                }
                "CERTIFICATE" => self.carried.certificates.push(block.bytes),
                "X509 CRL" => self.carried.crls.push(block.bytes),
                "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => self.der(&block.bytes)?,
                LABEL_EVIDENCE => self.any(&block.bytes)?,
                _ => {
                    return Err(refused(
                        "a certificate, list, request or evidence",
                        String::from(block.label),
                    ));
                }
            }
        }
        Ok(())
    }

    fn request(&mut self, der: &[u8]) -> Result<(), Rejection> {
        let request = Request::decode(der).map_err(malformed)?;
        let signed = request.proves_possession();
        self.checks.require(Reason::CarrierSignature, "request", signed, "signed by its key", signed);
        self.set_key(request.spki, request.key())?;
        for extension in &request.extensions {
            if let Some(kind) = legacy::Kind::of(extension.oid) {
                self.inside(Carrier::Legacy, |opening| opening.legacy(kind, extension.value))?;
            }
        }
        match &request.bundle {
            Some(bundle) => self.inside(Carrier::Bundle, |opening| opening.statements(bundle)),
            None => Ok(()),
        }
    }

    fn legacy(&mut self, kind: legacy::Kind, value: &[u8]) -> Result<(), Rejection> {
        let legacy = kind.decode(value).map_err(malformed)?;
        self.carried.certificates.extend(legacy.certificates.iter().map(|der| der.to_vec()));
        self.carried.crls.extend(legacy.crls.iter().map(|der| der.to_vec()));
        let tcb_info = legacy.tcb_info.map(|bytes| (DocumentKind::TcbInfo, bytes.to_vec()));
        self.carried.documents.extend(tcb_info);
        let kind = match kind {
            legacy::Kind::Unattested => Kind::Unattested,
            legacy::Kind::Sgx => Kind::Sgx,
            legacy::Kind::Snp => Kind::Snp,
        };
        self.typed(kind, legacy.evidence)
    }

    fn bundle(&mut self, der: &[u8]) -> Result<(), Rejection> {
        self.statements(&Bundle::decode(der).map_err(malformed)?)
    }

    fn statements(&mut self, bundle: &Bundle<'_>) -> Result<(), Rejection> {
        self.carried.certificates.extend(bundle.certificates.iter().map(|der| der.to_vec()));
        bundle.statements.iter().try_for_each(|&Statement { kind, contents }| match kind {
            Kind::KeepClaims => self.set_claims(contents),
            Kind::CmwJson => self.cmw(&Cmw::from_json(contents).map_err(malformed)?),
            Kind::CmwCbor => self.cmw(&Cmw::from_cbor(contents).map_err(malformed)?),
            _ => self.typed(kind, contents),
        })
    }

    /// Evidence whose kind the carrier names.
    fn typed(&mut self, kind: Kind, bytes: &[u8]) -> Result<(), Rejection> {
        if kind == Kind::Unattested {
            return match bytes {
                [] => self.add(Evidence::Unattested),
                _ => Err(refused("nothing where nobody vouches", bytes)),
            };
        }
        let evidence = Evidence::decode(bytes)?;
        match Kind::of_evidence(&evidence) == kind {
            true => self.add(evidence),
            false => Err(refused("evidence of the kind that the carrier names", super::kind_name(&evidence))),
        }
    }

    fn certificate(&mut self, der: &[u8]) -> Result<(), Rejection> {
        let certificate = Certificate::decode(der).map_err(malformed)?;
        let Some(inside) = ra_tls::Inside::of(&certificate).map_err(malformed)? else {
            return Err(Rejection::one(
                Reason::CarrierEmpty,
                "a certificate with evidence",
                String::from(certificate.common_name()),
            ));
        };
        let signed = certificate.is_signed_by(certificate.key());
        self.checks.require(Reason::CarrierSignature, "certificate", signed, "signed by its key", signed);
        self.set_key(certificate.spki(), certificate.key())?;
        self.validity = Some(certificate.validity());
        self.inside(Carrier::RaTls, |opening| match inside {
            Inside::Bundle(der) => opening.inside(Carrier::Bundle, |opening| opening.bundle(der)),
            Inside::Json(text) => opening.cmw(&Cmw::from_json(text).map_err(malformed)?),
            Inside::Cbor(bytes) => opening.cmw(&Cmw::from_cbor(bytes).map_err(malformed)?),
            Inside::Quote(quote) => opening.bare(quote),
            Inside::Tagged(tagged) => {
                let named = tagged.names(certificate.spki());
                opening.checks.require(Reason::CarrierKey, "claims", named, "a digest of the key", named);
                opening.report_data = Some(tagged.report_data());
                opening.bare(&tagged.evidence)
            }
        })
    }

    fn cmw(&mut self, cmw: &Cmw) -> Result<(), Rejection> {
        self.inside(Carrier::Cmw, |opening| match cmw {
            Cmw::Record(record) => opening.record(record),
            Cmw::Collection(collection) => {
                collection.items.iter().try_for_each(|(_, item)| opening.cmw(item))
            }
        })
    }

    fn record(&mut self, record: &Record) -> Result<(), Rejection> {
        match record.content() {
            Content::KeepClaims => return self.set_claims(&record.value),
            Content::Certificate => self.carried.certificates.push(record.value.clone()),
            Content::Crl => self.carried.crls.push(record.value.clone()),
            Content::Anything => return self.any(&record.value),
        }
        Ok(())
    }

    fn tsm(&mut self, report: &TsmReport) -> Result<(), Rejection> {
        self.inside(Carrier::Tsm, |opening| {
            if !report.auxblob.is_empty() {
                opening.table(&report.auxblob)?;
            }
            let evidence = Evidence::decode(&report.outblob)?;
            match report.agrees_with(&evidence) {
                true => opening.add(evidence),
                false => Err(refused("evidence of the provider's kind", report.provider.clone())),
            }
        })
    }

    fn extended_report(&mut self, bytes: &[u8]) -> Result<(), Rejection> {
        let (report, table) = bytes.split_at(snp::report::SIZE);
        self.inside(Carrier::ExtendedReport, |opening| {
            opening.table(table)?;
            opening.bare(report)
        })
    }

    fn table(&mut self, bytes: &[u8]) -> Result<(), Rejection> {
        let table = CertTable::decode(bytes).map_err(malformed)?;
        self.carried.certificates.extend(table.certificates);
        self.carried.crls.extend(table.crls);
        Ok(())
    }

    fn bare(&mut self, bytes: &[u8]) -> Result<(), Rejection> {
        let evidence = Evidence::decode(bytes)?;
        self.add(evidence)
    }

    fn add(&mut self, evidence: Evidence) -> Result<(), Rejection> {
        if self.evidence.len() == MAX_EVIDENCE {
            return Err(refused("eight pieces of evidence at most", "more"));
        }
        self.evidence.push(evidence);
        Ok(())
    }

    fn inside(
        &mut self,
        carrier: Carrier,
        open: impl FnOnce(&mut Self) -> Result<(), Rejection>,
    ) -> Result<(), Rejection> {
        if self.depth == MAX_DEPTH {
            return Err(refused("six wrappers inside each other at most", "more"));
        }
        if self.carriers.last() != Some(&carrier) {
            self.carriers.push(carrier);
        }
        self.depth += 1;
        open(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn set_key(&mut self, spki: &[u8], key: &PublicKey) -> Result<(), Rejection> {
        match self.key.replace((spki.to_vec(), key.clone())) {
            None => Ok(()),
            Some(_) => Err(Rejection::one(Reason::CarrierKey, "one key", "several")),
        }
    }

    fn set_claims(&mut self, der: &[u8]) -> Result<(), Rejection> {
        let claims = KeepClaims::decode(der).map_err(malformed)?;
        match self.keep_claims.replace(claims) {
            None => Ok(()),
            Some(_) => Err(refused("claims once", "twice")),
        }
    }

    fn finish(mut self) -> Result<Submission, Rejection> {
        if self.evidence.is_empty() {
            let carrier = self.carriers.last().map_or("nothing", |carrier| carrier.name());
            return Err(Rejection::one(Reason::CarrierEmpty, "evidence", carrier));
        }
        self.check_key();
        let mut carried = self.carried;
        let snp = |evidence: &Evidence| matches!(evidence, Evidence::Snp(_));
        if self.evidence.iter().all(snp) {
            let decoded: Result<Vec<_>, Malformed> =
                carried.certificates.drain(..).map(|der| Certificate::decode(&der)).collect();
            let decoded =
                decoded.map_err(|error| Rejection::malformed(Reason::EndorsementMalformed, error))?;
            for evidence in &mut self.evidence {
                if let Evidence::Snp(evidence) = evidence {
                    evidence.certificates.extend(decoded.iter().cloned());
                }
            }
        }
        Rejection::unless_passed(self.checks)?;
        Ok(Submission {
            carriers: self.carriers,
            evidence: self.evidence,
            carried,
            spki: self.key.map(|(spki, _)| spki),
            keep_claims: self.keep_claims,
            report_data: self.report_data,
            validity: self.validity,
        })
    }

    /// A key that a keep certifies is of the kind that its evidence demands, and the one that its claims name. RA-TLS
    /// certificates of other projects have keys of their own choice.
    fn check_key(&mut self) {
        let Some((spki, key)) = &self.key else { return };
        if let Some(claims) = &self.keep_claims {
            let digest = sha384(spki);
            self.checks.equal(Reason::CarrierKey, "claims", &claims.spki_digest, &digest);
        }
        let keep = self.keep_claims.is_some() || self.carriers.contains(&Carrier::Request);
        for expected in self.evidence.iter().filter_map(key_algorithm).filter(|_| keep) {
            let (expected, found) = (expected, key.algorithm());
            self.checks.require(
                Reason::CarrierKey,
                "algorithm",
                expected == found,
                expected.name(),
                found.name(),
            );
        }
    }
}

fn is_extended_report(bytes: &[u8]) -> bool {
    bytes.len() > snp::report::SIZE && matches!(bytes, [_, 0, 0, 0, ..])
}

/// Whole bytes in hexadecimal, with letters of one case, so that they have one text. Base64 of this length has other digits.
fn is_hex(bytes: &[u8]) -> bool {
    let digits = bytes.iter().filter(|byte| !b"\r\n\t ".contains(byte));
    let count = digits.clone().count();
    let of = |letters: &[u8]| digits.clone().all(|digit| digit.is_ascii_digit() || letters.contains(digit));
    count >= 64 && count.is_multiple_of(2) && (of(b"abcdef") || of(b"ABCDEF"))
}

fn is_base64(bytes: &[u8]) -> bool {
    let digit = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_=\r\n\t ".contains(byte);
    !bytes.is_empty() && bytes.iter().all(digit)
}

fn malformed(error: Malformed) -> Rejection {
    Rejection::malformed(Reason::CarrierMalformed, error)
}

fn refused(expected: &'static str, found: impl Into<Value>) -> Rejection {
    Rejection::one(Reason::CarrierMalformed, expected, found)
}

/// The PEM label of evidence that has no label of its own.
const LABEL_EVIDENCE: &str = "EVIDENCE";
