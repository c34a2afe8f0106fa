//! The certificate of a versioned endorsement key: VCEK of a chip, or VLEK of a cloud provider (AMD #57230, table 8).

use alloc::string::String;

use super::tcb::{Line, Tcb};
use crate::cursor::{Malformed, Problem};
use crate::der::{Reader, tag};
use crate::x509::certificate::Certificate;

/// What a VEK's extensions say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vek {
    /// The line of its issuer.
    pub line: Line,
    /// Whether it is a VLEK.
    pub loaded: bool,
    /// The TCB that it was issued for.
    pub tcb: Tcb,
    /// The chip that it was issued for, padded to the length of CHIP_ID; VCEK only.
    pub hwid: Option<[u8; 64]>,
    /// The cloud provider; VLEK only.
    pub csp: Option<String>,
}

impl Vek {
    /// Reads the extensions: which ones there are depends on the structure version (0 before Turin, 1 from Turin on).
    pub fn decode(certificate: &Certificate) -> Result<Self, Malformed> {
        let at = Reader::new(&[]);
        let unknown = |field| at.fail(field, Problem::NotCanonical("not a VEK of a line that is known"));
        let loaded = match certificate.common_name() {
            "SEV-VCEK" => false,
            "SEV-VLEK" => true,
            _ => return Err(unknown("vek.subject")),
        };
        let prefix = if loaded { "SEV-VLEK-" } else { "SEV-" };
        let issuer = certificate.issuer_common_name().strip_prefix(prefix);
        let line = Line::ALL
            .into_iter()
            .find(|line| issuer == Some(line.name()))
            .ok_or_else(|| unknown("vek.issuer"))?;
        let turin = line == Line::Turin;
        let product = text(certificate, &[2])?.ok_or_else(|| unknown("vek.productName"))?;
        if product != line.name() && product.split('-').next() != Some(line.name()) {
            return Err(unknown("vek.productName"));
        }
        if number(certificate, &[1])? != Some(u8::from(turin)) {
            return Err(unknown("vek.structVersion"));
        }
        let component =
            |arc| number(certificate, &[3, arc])?.ok_or_else(|| at.fail("vek.tcb", Problem::Missing));
        if number(certificate, &[3, 4])?.is_some() == turin
            || number(certificate, &[3, 9])?.is_some() != turin
        {
            return Err(at.fail("vek.tcb", Problem::NotCanonical("extensions of another structure version")));
        }
        let tcb = Tcb {
            fmc: if turin { component(9)? } else { 0 },
            bootloader: component(1)?,
            tee: component(2)?,
            snp: component(3)?,
            microcode: component(8)?,
        };
        let hwid = hwid(certificate, turin)?;
        let csp = text(certificate, &[5])?.map(String::from);
        if hwid.is_some() == loaded || csp.is_some() != loaded {
            return Err(at.fail("vek.hwid", Problem::NotCanonical("a VCEK names a chip, a VLEK a provider")));
        }
        Ok(Self { line, loaded, tcb, hwid, csp })
    }
}

fn extension<'a>(certificate: &'a Certificate, arcs: &[u8]) -> Option<&'a [u8]> {
    certificate.extension(&[OID_PREFIX, arcs].concat())
}

fn number(certificate: &Certificate, arcs: &[u8]) -> Result<Option<u8>, Malformed> {
    let Some(value) = extension(certificate, arcs) else { return Ok(None) };
    let mut item = Reader::new(value);
    let at = item;
    let number = item.unsigned("vek.number")?;
    item.finish("vek.number")?;
    let range = Problem::Unexpected { expected: "0 to 255", found: number };
    u8::try_from(number).map(Some).map_err(|_| at.fail("vek.number", range))
}

fn text<'a>(certificate: &'a Certificate, arcs: &[u8]) -> Result<Option<&'a str>, Malformed> {
    let Some(value) = extension(certificate, arcs) else { return Ok(None) };
    let mut item = Reader::new(value);
    let at = item;
    let text = item.expect("vek.text", tag::IA5_STRING)?.contents;
    item.finish("vek.text")?;
    core::str::from_utf8(text).map(Some).map_err(|_| at.fail("vek.text", Problem::NotCanonical("not ASCII")))
}

/// The raw bytes of the chip's id, or an OCTET STRING of them: AMD writes the first, although the table says the second.
fn hwid(certificate: &Certificate, turin: bool) -> Result<Option<[u8; 64]>, Malformed> {
    let Some(value) = extension(certificate, &[4]) else { return Ok(None) };
    let size = if turin { 8 } else { 64 };
    let raw = match value.len() == size {
        true => value,
        false => Reader::new(value).octets("vek.hwid")?,
    };
    let mut hwid = [0; 64];
    if raw.len() != size {
        return Err(Reader::new(value).fail("vek.hwid", Problem::TooLong { limit: size, found: raw.len() }));
    }
    hwid[..size].copy_from_slice(raw);
    Ok(Some(hwid))
}

/// 1.3.6.1.4.1.3704.1.
const OID_PREFIX: &[u8] = &[0x2B, 6, 1, 4, 1, 0x9C, 0x78, 1];
