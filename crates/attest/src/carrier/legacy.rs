//! What old keeps sent: three extensions that a request asks for, each with evidence and endorsements inside.
//!
//! ```text
//! 1.3.6.1.4.1.58270.1.1  nothing                                       -- no environment
//! 1.3.6.1.4.1.58270.1.2  SEQUENCE { quote OCTET STRING, crls CrlList,  -- SGX
//!                                   tcb SEQUENCE { chain SEQUENCE OF Certificate, tcbInfo OCTET STRING } }
//! 1.3.6.1.4.1.58270.1.3  SEQUENCE { SEQUENCE { vcek Certificate, crls CrlList }, report OCTET STRING }  -- SNP
//!
//! CrlList ::= SEQUENCE { entries SEQUENCE OF SEQUENCE { url UTF8String, crl CertificateList } }
//! ```
//!
//! The urls are the sender's word and not looked at: a list belongs to the issuer that signed it.

use alloc::vec::Vec;

use super::ra_tls::OID_ENARX;
use crate::cursor::{Malformed, Problem};
use crate::der::{Reader, tag};

/// The most lists: AMD has one for each line, Intel three.
const MAX_CRLS: usize = 16;

/// The most certificates of a TCB chain: signer and root.
const MAX_CHAIN: usize = 4;

/// The extensions, by the environment they are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No environment vouches for the keep.
    Unattested,
    /// An SGX quote.
    Sgx,
    /// An SNP report.
    Snp,
}

/// What an extension holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Legacy<'a> {
    /// The report or quote; empty for no environment.
    pub evidence: &'a [u8],
    /// The VCEK, or the chain that signed the TCB info.
    pub certificates: Vec<&'a [u8]>,
    /// Revocation lists.
    pub crls: Vec<&'a [u8]>,
    /// Intel's TCB info, as the service answered it.
    pub tcb_info: Option<&'a [u8]>,
}

impl Kind {
    /// The kind that an extension's OID names.
    pub fn of(oid: &[u8]) -> Option<Self> {
        match oid.strip_prefix(OID_ENARX)? {
            [1, 1] => Some(Self::Unattested),
            [1, 2] => Some(Self::Sgx),
            [1, 3] => Some(Self::Snp),
            _ => None,
        }
    }

    /// Decodes an extension's value.
    pub fn decode(self, value: &[u8]) -> Result<Legacy<'_>, Malformed> {
        let mut item = Reader::new(value);
        let legacy = match self {
            Self::Unattested => Legacy::default(),
            Self::Sgx => sgx(item.sequence("legacy.sgx")?)?,
            Self::Snp => snp(item.sequence("legacy.snp")?)?,
        };
        item.finish("legacy")?;
        Ok(legacy)
    }
}

fn snp(mut fields: Reader<'_>) -> Result<Legacy<'_>, Malformed> {
    let mut endorsement = fields.sequence("legacy.snp.endorsement")?;
    let vcek = endorsement.expect("legacy.snp.vcek", tag::SEQUENCE)?.whole;
    let crls = crls(&mut endorsement)?;
    endorsement.finish("legacy.snp.endorsement")?;
    let evidence = fields.octets("legacy.snp.report")?;
    fields.finish("legacy.snp")?;
    Ok(Legacy { evidence, certificates: alloc::vec![vcek], crls, tcb_info: None })
}

fn sgx(mut fields: Reader<'_>) -> Result<Legacy<'_>, Malformed> {
    let evidence = fields.octets("legacy.sgx.quote")?;
    let crls = crls(&mut fields)?;
    let mut tcb = fields.sequence("legacy.sgx.tcb")?;
    fields.finish("legacy.sgx")?;
    let mut chain = tcb.sequence("legacy.sgx.chain")?;
    let mut certificates = Vec::new();
    while !chain.is_empty() {
        if certificates.len() == MAX_CHAIN {
            let problem = Problem::TooLong { limit: MAX_CHAIN, found: MAX_CHAIN + 1 };
            return Err(chain.fail("legacy.sgx.chain", problem));
        }
        certificates.push(chain.expect("legacy.sgx.certificate", tag::SEQUENCE)?.whole);
    }
    let tcb_info = tcb.octets("legacy.sgx.tcbInfo")?;
    tcb.finish("legacy.sgx.tcb")?;
    Ok(Legacy { evidence, certificates, crls, tcb_info: Some(tcb_info) })
}

fn crls<'a>(fields: &mut Reader<'a>) -> Result<Vec<&'a [u8]>, Malformed> {
    let mut outer = fields.sequence("legacy.crls")?;
    let mut list = outer.sequence("legacy.crls.entries")?;
    outer.finish("legacy.crls")?;
    let mut crls = Vec::new();
    while !list.is_empty() {
        if crls.len() == MAX_CRLS {
            let problem = Problem::TooLong { limit: MAX_CRLS, found: MAX_CRLS + 1 };
            return Err(list.fail("legacy.crls", problem));
        }
        let mut entry = list.sequence("legacy.crls.entry")?;
        entry.expect("legacy.crls.url", tag::UTF8_STRING)?;
        crls.push(entry.expect("legacy.crls.crl", tag::SEQUENCE)?.whole);
        entry.finish("legacy.crls.entry")?;
    }
    Ok(crls)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::{element, sequence};

    fn crl_list(count: usize) -> Vec<u8> {
        let entry =
            sequence(&[&element(tag::UTF8_STRING, b"https://example.org/crl"), &sequence(&[b"\x05\x00"])]);
        sequence(&[&element(tag::SEQUENCE, &entry.repeat(count))])
    }

    #[test]
    fn both_forms_decode_and_no_cut_does() {
        let certificate = sequence(&[&[2, 1, 1]]);
        let report = element(tag::OCTET_STRING, b"report");
        let snp = sequence(&[&sequence(&[&certificate, &crl_list(2)]), &report]);
        let legacy = Kind::Snp.decode(&snp).expect("decodes");
        assert_eq!((legacy.evidence, legacy.certificates.len(), legacy.crls.len()), (&b"report"[..], 1, 2));
        let tcb = sequence(&[&sequence(&[&certificate, &certificate]), &element(tag::OCTET_STRING, b"{}")]);
        let sgx = sequence(&[&report, &crl_list(3), &tcb]);
        let legacy = Kind::Sgx.decode(&sgx).expect("decodes");
        assert_eq!((legacy.tcb_info, legacy.certificates.len(), legacy.crls.len()), (Some(&b"{}"[..]), 2, 3));
        for (kind, whole) in [(Kind::Snp, &snp), (Kind::Sgx, &sgx)] {
            for length in 0..whole.len() {
                assert!(kind.decode(&whole[..length]).is_err(), "{kind:?} cut at {length}");
            }
            assert!(kind.decode(&[whole.as_slice(), &[0]].concat()).is_err());
        }
        assert!(Kind::Unattested.decode(&[]).is_ok());
        assert!(Kind::Unattested.decode(&[0]).is_err());
    }

    #[test]
    fn lists_are_limited() {
        let certificate = sequence(&[]);
        let report = element(tag::OCTET_STRING, b"report");
        let snp = sequence(&[&sequence(&[&certificate, &crl_list(MAX_CRLS + 1)]), &report]);
        assert_eq!(Kind::Snp.decode(&snp).expect_err("too many").field, "legacy.crls");
    }
}
