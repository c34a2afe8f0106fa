//! The certificate of a versioned endorsement key: VCEK of a chip, or VLEK of a cloud provider (AMD #57230, table 8).

use super::tcb::{Line, Tcb};
use crate::cursor::{Malformed, Problem};
use crate::der::{Reader, tag};
use crate::x509::certificate::Certificate;

/// What a VEK's extensions say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vek<'a> {
    /// The line of its issuer.
    pub line: Line,
    /// Whether it is a VLEK.
    pub loaded: bool,
    /// The TCB that it was issued for.
    pub tcb: Tcb,
    /// The chip that it was issued for, padded to the length of CHIP_ID; VCEK only.
    pub hwid: Option<[u8; 64]>,
    /// The cloud provider; VLEK only.
    pub csp: Option<&'a str>,
}

/// Whether the certificate says that it is a VEK.
pub fn is_vek(certificate: &Certificate) -> bool {
    matches!(certificate.common_name(), "SEV-VCEK" | "SEV-VLEK")
}

impl<'a> Vek<'a> {
    /// Reads the extensions, which must be exactly those of the structure version (0 before Turin, 1 from Turin on).
    pub fn decode(certificate: &'a Certificate) -> Result<Self, Malformed> {
        let loaded = match certificate.common_name() {
            "SEV-VCEK" => false,
            "SEV-VLEK" => true,
            _ => return Err(wrong("vek.subject", "neither SEV-VCEK nor SEV-VLEK")),
        };
        let prefix = if loaded { "SEV-VLEK-" } else { "SEV-" };
        let issuer = certificate.issuer_common_name().strip_prefix(prefix);
        let line = Line::ALL.into_iter().find(|line| issuer == Some(line.name()));
        let line = line.ok_or_else(|| wrong("vek.issuer", "not the ASK or ASVK of a line that is known"))?;
        let turin = line == Line::Turin;
        let fields = Fields::read(certificate, turin)?;
        if fields.product.and_then(|product| product.split('-').next()) != Some(line.name()) {
            return Err(wrong("vek.productName", "not of its issuer's line"));
        }
        if fields.structure != Some(u8::from(turin)) {
            return Err(wrong("vek.structVersion", "not the one of its issuer's line"));
        }
        // 1 to 8 without 4 and with 9 on Turin, 1 to 8 elsewhere.
        let present: [bool; 9] = core::array::from_fn(|part| fields.parts[part].is_some());
        let demanded: [bool; 9] = core::array::from_fn(|part| if turin { part != 3 } else { part != 8 });
        if present != demanded {
            return Err(wrong("vek.tcb", "extensions of another structure version"));
        }
        let part = |arc: usize| fields.parts[arc - 1].unwrap_or_default();
        if (4..8).any(|arc| part(arc) != 0) {
            return Err(wrong("vek.tcb", "a reserved component is not zero"));
        }
        if fields.hwid.is_some() == loaded || fields.csp.is_some() != loaded {
            return Err(wrong("vek.hwid", "a VCEK names a chip, a VLEK a provider"));
        }
        let tcb = Tcb { fmc: part(9), bootloader: part(1), tee: part(2), snp: part(3), microcode: part(8) };
        Ok(Self { line, loaded, tcb, hwid: fields.hwid, csp: fields.csp })
    }
}

/// The extensions as they stand; a certificate has none twice.
#[derive(Default)]
struct Fields<'a> {
    structure: Option<u8>,
    product: Option<&'a str>,
    parts: [Option<u8>; 9],
    hwid: Option<[u8; 64]>,
    csp: Option<&'a str>,
}

impl<'a> Fields<'a> {
    fn read(certificate: &'a Certificate, turin: bool) -> Result<Self, Malformed> {
        let mut fields = Self::default();
        for (oid, _, value) in certificate.extensions() {
            match oid.strip_prefix(OID_PREFIX) {
                Some([1]) => fields.structure = Some(number(value)?),
                Some([2]) => fields.product = Some(text(value)?),
                Some(&[3, arc @ 1..=9]) => fields.parts[usize::from(arc) - 1] = Some(number(value)?),
                Some([4]) => fields.hwid = Some(hwid(value, turin)?),
                Some([5]) => fields.csp = Some(text(value)?),
                _ => return Err(wrong("vek.extension", "an extension that VEKs do not have")),
            }
        }
        Ok(fields)
    }
}

fn wrong(field: &'static str, rule: &'static str) -> Malformed {
    Malformed { field, offset: 0, problem: Problem::NotCanonical(rule) }
}

fn number(value: &[u8]) -> Result<u8, Malformed> {
    let mut item = Reader::new(value);
    let at = item;
    let number = item.unsigned("vek.number")?;
    item.finish("vek.number")?;
    let range = Problem::Unexpected { expected: "0 to 255", found: number };
    u8::try_from(number).map_err(|_| at.fail("vek.number", range))
}

fn text(value: &[u8]) -> Result<&str, Malformed> {
    let mut item = Reader::new(value);
    let text = item.expect("vek.text", tag::IA5_STRING)?.contents;
    item.finish("vek.text")?;
    core::str::from_utf8(text).map_err(|_| wrong("vek.text", "not ASCII"))
}

/// The raw bytes of the chip's id, or an OCTET STRING of them: AMD writes the first, although the table says the second.
fn hwid(value: &[u8], turin: bool) -> Result<[u8; 64], Malformed> {
    let size = if turin { 8 } else { 64 };
    let raw = match value.len() == size {
        true => value,
        false => {
            let mut item = Reader::new(value);
            let raw = item.octets("vek.hwid")?;
            item.finish("vek.hwid")?;
            raw
        }
    };
    let mut hwid = [0; 64];
    if raw.len() != size {
        return Err(wrong("vek.hwid", "not of the length of its line"));
    }
    hwid[..size].copy_from_slice(raw);
    Ok(hwid)
}

/// 1.3.6.1.4.1.3704.1.
const OID_PREFIX: &[u8] = &[0x2B, 6, 1, 4, 1, 0x9C, 0x78, 1];
