//! The certificate of a platform's provisioning key (Intel SGX PCK Certificate and CRL Profile, revision 1.5, section 1.3.5).

use crate::cursor::{Malformed, Problem};
use crate::der::{Reader, tag};
use crate::x509::certificate::Certificate;

/// The common name of every PCK certificate.
pub const COMMON_NAME: &str = "Intel SGX PCK Certificate";

/// What a PCK certificate says of its platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pck {
    /// Which CA issued it.
    pub ca: Ca,
    /// The platform's provisioning id.
    pub ppid: [u8; 16],
    /// The security versions of the sixteen components of CPUSVN.
    pub components: [u8; 16],
    /// The security version of the provisioning certification enclave.
    pub pce_svn: u16,
    /// CPUSVN, as the processor reports it.
    pub cpu_svn: [u8; 16],
    /// Which provisioning certification enclave.
    pub pce_id: [u8; 2],
    /// Family, model, stepping, platform type and custom SKU.
    pub fmspc: [u8; 6],
    /// 0 standard, 1 scalable, 2 scalable with integrity.
    pub sgx_type: u8,
    /// The platform instance, of platforms with several packages.
    pub instance: Option<[u8; 16]>,
    /// How the platform is set up, of platforms with several packages.
    pub configuration: Option<Configuration>,
}

/// The CA that issues a kind of PCK certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ca {
    /// Platforms with one package.
    Processor,
    /// Platforms that may have several packages.
    Platform,
}

/// How a platform is set up; what the certificate leaves out is undefined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// Packages can be added.
    pub dynamic_platform: Option<bool>,
    /// Intel caches the platform's root keys.
    pub cached_keys: Option<bool>,
    /// Simultaneous multithreading is on.
    pub smt: Option<bool>,
}

impl Ca {
    /// The CA's common name.
    pub fn common_name(self) -> &'static str {
        match self {
            Self::Processor => "Intel SGX PCK Processor CA",
            Self::Platform => "Intel SGX PCK Platform CA",
        }
    }
}

impl Pck {
    /// Reads the extensions. Exactly those of its CA must be there, each once.
    pub fn decode(certificate: &Certificate) -> Result<Self, Malformed> {
        let at = Reader::new(&[]);
        let unfit = |field| at.fail(field, Problem::NotCanonical("not a PCK certificate"));
        let ca = [Ca::Processor, Ca::Platform]
            .into_iter()
            .find(|ca| certificate.issuer_common_name() == ca.common_name())
            .ok_or_else(|| unfit("pck.issuer"))?;
        if certificate.common_name() != COMMON_NAME {
            return Err(unfit("pck.subject"));
        }
        let value =
            certificate.extension(EXTENSION).ok_or_else(|| at.fail("pck.extension", Problem::Missing))?;
        let mut item = Reader::new(value);
        let mut fields = item.sequence("pck.extension")?;
        item.finish("pck.extension")?;

        let ppid = octets(&mut entry(&mut fields, "pck.ppid", &[1])?, "pck.ppid")?;
        let (components, pce_svn, cpu_svn) = tcb(&mut entry(&mut fields, "pck.tcb", &[2])?)?;
        let pce_id = octets(&mut entry(&mut fields, "pck.pceid", &[3])?, "pck.pceid")?;
        let fmspc = octets(&mut entry(&mut fields, "pck.fmspc", &[4])?, "pck.fmspc")?;
        let mut kind = entry(&mut fields, "pck.sgxType", &[5])?;
        let sgx_type = match *kind.expect("pck.sgxType", tag::ENUMERATED)?.contents {
            [kind @ 0..=2] => kind,
            _ => return Err(unfit("pck.sgxType")),
        };
        kind.finish("pck.sgxType")?;
        let (instance, configuration) = match fields.is_empty() {
            true => (None, None),
            false => (
                Some(octets(&mut entry(&mut fields, "pck.instance", &[6])?, "pck.instance")?),
                Some(configuration(&mut entry(&mut fields, "pck.configuration", &[7])?)?),
            ),
        };
        fields.finish("pck.extension")?;
        if instance.is_some() != (ca == Ca::Platform) {
            return Err(unfit("pck.instance"));
        }
        Ok(Self { ca, ppid, components, pce_svn, cpu_svn, pce_id, fmspc, sgx_type, instance, configuration })
    }
}

/// The next `SEQUENCE { OID, value }`, which must be of this OID below Intel's arc; a reader of the value.
fn entry<'a>(fields: &mut Reader<'a>, field: &'static str, arcs: &[u8]) -> Result<Reader<'a>, Malformed> {
    let at = *fields;
    let mut entry = fields.sequence(field)?;
    match entry.oid(field)?.strip_prefix(EXTENSION) == Some(arcs) {
        true => Ok(entry),
        false => Err(at.fail(field, Problem::NotCanonical("extension is missing, unknown or out of order"))),
    }
}

fn octets<const N: usize>(value: &mut Reader<'_>, field: &'static str) -> Result<[u8; N], Malformed> {
    let at = *value;
    let octets = value.octets(field)?;
    value.finish(field)?;
    octets.try_into().map_err(|_| at.fail(field, Problem::TooLong { limit: N, found: octets.len() }))
}

fn tcb(value: &mut Reader<'_>) -> Result<([u8; 16], u16, [u8; 16]), Malformed> {
    let mut fields = value.sequence("pck.tcb")?;
    value.finish("pck.tcb")?;
    let mut components = [0; 16];
    for (arc, component) in (1..).zip(&mut components) {
        let svn = unsigned(&mut entry(&mut fields, "pck.tcb.component", &[2, arc])?, "pck.tcb.component")?;
        *component = u8::try_from(svn).map_err(|_| too_large("pck.tcb.component", svn))?;
    }
    let svn = unsigned(&mut entry(&mut fields, "pck.tcb.pcesvn", &[2, 17])?, "pck.tcb.pcesvn")?;
    let pce_svn = u16::try_from(svn).map_err(|_| too_large("pck.tcb.pcesvn", svn))?;
    let cpu_svn = octets(&mut entry(&mut fields, "pck.tcb.cpusvn", &[2, 18])?, "pck.tcb.cpusvn")?;
    fields.finish("pck.tcb")?;
    Ok((components, pce_svn, cpu_svn))
}

fn configuration(value: &mut Reader<'_>) -> Result<Configuration, Malformed> {
    let mut fields = value.sequence("pck.configuration")?;
    value.finish("pck.configuration")?;
    let mut configuration = Configuration::default();
    let flags = [
        (&mut configuration.dynamic_platform, 1),
        (&mut configuration.cached_keys, 2),
        (&mut configuration.smt, 3),
    ];
    for (flag, arc) in flags {
        let mut next = fields;
        if let Ok(mut value) = entry(&mut next, "pck.configuration", &[7, arc]) {
            *flag = Some(value.boolean("pck.configuration")?);
            value.finish("pck.configuration")?;
            fields = next;
        }
    }
    fields.finish("pck.configuration")?;
    Ok(configuration)
}

fn unsigned(value: &mut Reader<'_>, field: &'static str) -> Result<u64, Malformed> {
    let number = value.unsigned(field)?;
    value.finish(field)?;
    Ok(number)
}

fn too_large(field: &'static str, found: u64) -> Malformed {
    Reader::new(&[]).fail(field, Problem::Unexpected { expected: "a security version", found })
}

/// id-ce-sGXExtensions, 1.2.840.113741.1.13.1.
const EXTENSION: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF8, 0x4D, 1, 13, 1];
