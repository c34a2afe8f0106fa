//! AttestationBundle (draft-ietf-lamps-csr-attestation-29 section 4.2): typed statements, and certificates beside them.
//!
//! ```text
//! AttestationBundle    ::= SEQUENCE { attestations SEQUENCE SIZE (1..MAX) OF AttestationStatement,
//!                                     certs SEQUENCE SIZE (1..MAX) OF LimitedCertChoices OPTIONAL }
//! AttestationStatement ::= SEQUENCE { type OBJECT IDENTIFIER, stmt ANY DEFINED BY type }
//! ```
//!
//! Our own statements are OCTET STRINGs under 1.3.6.1.4.1.58270, the arc that old keeps use: `2.1.n` evidence as its
//! environment writes it, `2.2` the [`KeepClaims`] that the evidence is bound to. A conceptual
//! message wrapper is a statement too. The bundle travels in a request's attribute, in an RA-TLS certificate, or alone.

use alloc::vec::Vec;

use super::{cmw, ra_tls};
use crate::binding::KeepClaims;
use crate::cursor::{Malformed, Problem};
use crate::der::{self, Reader, tag};
use crate::evidence::Evidence;

/// id-aa-attestation, 1.2.840.113549.1.9.16.2.59.
pub const OID: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 16, 2, 59];

/// The most statements: evidence of one environment, what is inside it, and claims.
const MAX_STATEMENTS: usize = 8;

/// The most certificates.
const MAX_CERTIFICATES: usize = 16;

/// A decoded bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle<'a> {
    /// What is stated, in order.
    pub statements: Vec<Statement<'a>>,
    /// X.509 certificates, as DER.
    pub certificates: Vec<&'a [u8]>,
}

/// One statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement<'a> {
    /// What it is.
    pub kind: Kind,
    /// The contents octets of its value.
    pub contents: &'a [u8],
}

/// The kinds of statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No environment vouches for the keep; the contents are empty.
    Unattested,
    /// An SGX quote.
    Sgx,
    /// An SNP report.
    Snp,
    /// A TDX quote.
    Tdx,
    /// A CCA token.
    Cca,
    /// A Nitro document.
    Nitro,
    /// Evidence behind an Azure vTPM.
    Vtpm,
    /// What the keep says of itself.
    KeepClaims,
    /// A conceptual message wrapper in JSON.
    CmwJson,
    /// A conceptual message wrapper in CBOR.
    CmwCbor,
}

impl<'a> Bundle<'a> {
    /// Decodes one DER bundle.
    pub fn decode(der: &'a [u8]) -> Result<Self, Malformed> {
        Self::read(Reader::new(der))
    }

    /// Reads a bundle that stands alone in an item.
    pub(super) fn read(mut item: Reader<'a>) -> Result<Self, Malformed> {
        let mut fields = item.sequence("bundle")?;
        item.finish("bundle")?;
        let mut list = fields.sequence("bundle.attestations")?;
        let mut bundle = Self::default();
        while !list.is_empty() {
            limit(&list, "bundle.attestations", bundle.statements.len(), MAX_STATEMENTS)?;
            let statement = Statement::read(&mut list)?;
            bundle.statements.push(statement);
        }
        if bundle.statements.is_empty() {
            return Err(list.fail("bundle.attestations", Problem::Missing));
        }
        if let Some(certs) = fields.optional("bundle.certs", tag::SEQUENCE)? {
            let mut list = certs.reader();
            while !list.is_empty() {
                limit(&list, "bundle.certs", bundle.certificates.len(), MAX_CERTIFICATES)?;
                // The alternative `other [3]` names formats that no environment here uses.
                bundle.certificates.push(list.expect("bundle.certificate", tag::SEQUENCE)?.whole);
            }
        }
        fields.finish("bundle")?;
        Ok(bundle)
    }

    /// Encodes as DER.
    pub fn encode(&self) -> Vec<u8> {
        let statements: Vec<u8> = self.statements.iter().flat_map(Statement::encode).collect();
        let statements = der::element(tag::SEQUENCE, &statements);
        let certificates = match self.certificates.is_empty() {
            true => Vec::new(),
            false => der::sequence(&self.certificates),
        };
        der::sequence(&[&statements, &certificates])
    }
}

impl<'a> Statement<'a> {
    fn read(list: &mut Reader<'a>) -> Result<Self, Malformed> {
        let mut fields = list.sequence("bundle.statement")?;
        let at = fields;
        let oid = fields.oid("bundle.statement.type")?;
        let value = fields.any("bundle.statement.stmt")?;
        fields.finish("bundle.statement")?;
        let kind = Kind::of(oid, value.tag).ok_or_else(|| {
            at.fail("bundle.statement.type", Problem::NotCanonical("a statement that is not known"))
        })?;
        Ok(Self { kind, contents: value.contents })
    }

    fn encode(&self) -> Vec<u8> {
        let form = if self.kind == Kind::CmwJson { tag::UTF8_STRING } else { tag::OCTET_STRING };
        let oid = der::element(tag::OID, &self.kind.oid());
        der::sequence(&[&oid, &der::element(form, self.contents)])
    }
}

impl Kind {
    /// The kind of statement that carries evidence.
    pub fn of_evidence(evidence: &Evidence) -> Self {
        match evidence {
            Evidence::Snp(_) => Self::Snp,
            Evidence::Sgx(_) => Self::Sgx,
            Evidence::Tdx(_) => Self::Tdx,
            Evidence::Cca(_) => Self::Cca,
            Evidence::Nitro(_) => Self::Nitro,
            Evidence::Vtpm(_) => Self::Vtpm,
            Evidence::Unattested => Self::Unattested,
        }
    }

    fn of(oid: &[u8], form: u8) -> Option<Self> {
        if form == tag::UTF8_STRING {
            return (oid == cmw::OID).then_some(Self::CmwJson);
        }
        let kinds = OWN.iter().map(|&(kind, _)| kind).chain([Self::CmwCbor]);
        kinds.filter(|_| form == tag::OCTET_STRING).find(|kind| kind.oid() == oid)
    }

    fn oid(self) -> Vec<u8> {
        match OWN.iter().find(|(kind, _)| *kind == self) {
            Some((_, arcs)) => [ra_tls::OID_ENARX, arcs].concat(),
            None => cmw::OID.to_vec(),
        }
    }
}

/// Encodes what a keep sends: its evidence, the claims that it is bound to, and the certificates that prove it.
pub fn encode_keep(kind: Kind, evidence: &[u8], claims: &KeepClaims, certificates: &[&[u8]]) -> Vec<u8> {
    let claims = claims.encode();
    let statements =
        [Statement { kind, contents: evidence }, Statement { kind: Kind::KeepClaims, contents: &claims }];
    Bundle { statements: statements.to_vec(), certificates: certificates.to_vec() }.encode()
}

fn limit(at: &Reader<'_>, field: &'static str, count: usize, limit: usize) -> Result<(), Malformed> {
    match count < limit {
        true => Ok(()),
        false => Err(at.fail(field, Problem::TooLong { limit, found: count + 1 })),
    }
}

/// Our statements, by their arcs under 1.3.6.1.4.1.58270; the last ones of evidence continue the old extensions' numbers.
const OWN: &[(Kind, &[u8])] = &[
    (Kind::Unattested, &[2, 1, 1]),
    (Kind::Sgx, &[2, 1, 2]),
    (Kind::Snp, &[2, 1, 3]),
    (Kind::Tdx, &[2, 1, 4]),
    (Kind::Cca, &[2, 1, 5]),
    (Kind::Nitro, &[2, 1, 6]),
    (Kind::Vtpm, &[2, 1, 7]),
    (Kind::KeepClaims, &[2, 2]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Bundle<'static> {
        let statements = OWN.iter().map(|&(kind, arcs)| Statement { kind, contents: arcs });
        let wrapped = [Kind::CmwJson, Kind::CmwCbor].map(|kind| Statement { kind, contents: b"[]" });
        Bundle {
            statements: statements.skip(2).chain(wrapped).collect(),
            certificates: std::vec![&[0x30, 1, 5], &[0x30, 0]],
        }
    }

    #[test]
    fn bundles_survive_encoding_and_no_cut_is_one() {
        let encoded = sample().encode();
        assert_eq!(Bundle::decode(&encoded), Ok(sample()));
        for length in 0..encoded.len() {
            assert!(Bundle::decode(&encoded[..length]).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn malformed_bundles_are_refused() {
        fn check(bytes: &[u8], field: &str) {
            assert_eq!(Bundle::decode(bytes).expect_err("malformed").field, field);
        }
        let oid = |oid: &[u8]| der::element(tag::OID, oid);
        let bundle = |statements: &[u8]| der::sequence(&[&der::element(tag::SEQUENCE, statements)]);
        check(&bundle(&[]), "bundle.attestations");
        let foreign = der::sequence(&[&oid(&[0x67, 5]), &der::element(tag::OCTET_STRING, &[])]);
        check(&bundle(&foreign), "bundle.statement.type");
        let form = der::sequence(&[&oid(&Kind::Snp.oid()), &der::element(tag::UTF8_STRING, &[])]);
        check(&bundle(&form), "bundle.statement.type");
        let tail = der::sequence(&[
            &oid(&Kind::Snp.oid()),
            &der::element(tag::OCTET_STRING, &[]),
            &der::element(tag::NULL, &[]),
        ]);
        check(&bundle(&tail), "bundle.statement");
        let one = Statement { kind: Kind::Snp, contents: &[] }.encode();
        check(&bundle(&one.repeat(MAX_STATEMENTS + 1)), "bundle.attestations");
        let certs = der::sequence(&[&der::element(tag::SEQUENCE, &one), &der::sequence(&[&[0xA3, 0]])]);
        check(&certs, "bundle.certificate");
    }
}
