//! The HCL report, as the paravisor leaves it in the TPM's NV index 0x01400001 (Microsoft, "Azure confidential VM guest
//! attestation design", HCL report layout).
//!
//! ```text
//!    0  header, 32 bytes: "HCLA", version, size, request type, status, reserved
//!   20  hardware report, 1184 bytes: SNP report, or TD report of 1024 bytes and zeros
//!  4C0  request data: size, version, report type, hash type, length n
//!  4D4  runtime data, n bytes of JSON; zeros up to the end of the NV index
//! ```

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;

use crate::base64;
use crate::crypto::{PublicKey, sha256, sha384, sha512};
use crate::cursor::{self, Cursor, Malformed, Problem};
use crate::snp;

/// The size of a TD report (Intel TDX module ABI, TDREPORT_STRUCT).
pub const TD_REPORT_SIZE: usize = 1024;

/// The largest report: the NV index has 2600 bytes.
const MAX_SIZE: usize = 8 * 1024;

/// Header and hardware report.
const REQUEST_OFFSET: u32 = 0x4C0;

/// The fixed part of the request data.
const REQUEST_HEADER: u32 = 20;

/// A decoded report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HclReport {
    /// Which silicon made the hardware report.
    pub kind: Kind,
    /// The area of the hardware report.
    pub hardware: Box<[u8; snp::report::SIZE]>,
    /// The hash that binds the runtime data.
    pub hash: Hash,
    /// The exact bytes of the runtime data.
    pub runtime_bytes: Vec<u8>,
    /// The runtime data.
    pub runtime: Runtime,
}

/// The silicon below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// AMD SEV-SNP.
    Snp,
    /// Intel TDX.
    Tdx,
}

/// The hash of the runtime data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// Type 1.
    Sha256,
    /// Type 2.
    Sha384,
    /// Type 3.
    Sha512,
}

/// What the paravisor says of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// The TPM's attestation key.
    pub attestation_key: PublicKey,
    /// Whether secure boot is on, if that is said.
    pub secure_boot: Option<bool>,
    /// Whether there is a serial console, if that is said.
    pub console: Option<bool>,
    /// The machine's id.
    pub machine: Option<String>,
    /// Bytes that the machine wrote before it asked for the report.
    pub user_data: Option<Vec<u8>>,
}

impl HclReport {
    /// Decodes a report. Whatever is not bound by the hardware report has one value only.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        cursor::limit("hcl", bytes, MAX_SIZE)?;
        let mut at = Cursor::new(bytes);
        number(&mut at, "hcl.signature", "HCLA", |found| found == u32::from_le_bytes(*b"HCLA"))?;
        // Version 2 came with TDX; nothing else changed.
        number(&mut at, "hcl.version", "version 1 or 2", |found| matches!(found, 1 | 2))?;
        let here = at;
        let size = at.u32_le("hcl.size")?;
        number(&mut at, "hcl.request", "request type 2", |found| found == 2)?;
        number(&mut at, "hcl.status", "status 0", |found| found == 0)?;
        at.zeros("hcl.reserved", 12)?;
        let hardware: [u8; snp::report::SIZE] = at.array("hcl.hardware")?;
        let request = at.u32_le("hcl.request.size")?;
        number(&mut at, "hcl.request.version", "version 1", |found| found == 1)?;
        let kind = match number(&mut at, "hcl.kind", "SNP (2) or TDX (4)", |found| matches!(found, 2 | 4))? {
            2 => Kind::Snp,
            _ => Kind::Tdx,
        };
        let hash = match number(&mut at, "hcl.hash", "SHA-256, -384 or -512 (1 to 3)", |found| {
            (1..=3).contains(&found)
        })? {
            1 => Hash::Sha256,
            2 => Hash::Sha384,
            _ => Hash::Sha512,
        };
        let length = at.u32_le("hcl.runtime.size")?;
        let fits = Some(request) == length.checked_add(REQUEST_HEADER)
            && Some(size) == request.checked_add(REQUEST_OFFSET);
        if !fits {
            return Err(here.error("hcl.size", Problem::NotCanonical("the sizes disagree")));
        }
        let runtime_bytes = at.take("hcl.runtime", length as usize)?.to_vec();
        let tail = at.rest().len();
        at.zeros("hcl.tail", tail)?;
        if kind == Kind::Tdx {
            Cursor::at(&hardware[TD_REPORT_SIZE..], TD_REPORT_SIZE)
                .zeros("hcl.hardware.tail", hardware.len() - TD_REPORT_SIZE)?;
        }
        let runtime = Runtime::decode(&runtime_bytes)?;
        Ok(Self { kind, hardware: Box::new(hardware), hash, runtime_bytes, runtime })
    }

    /// The REPORT_DATA that the runtime data demand: their hash, and zeros.
    pub fn expected_report_data(&self) -> [u8; 64] {
        let mut expected = [0; 64];
        match self.hash {
            Hash::Sha256 => expected[..32].copy_from_slice(&sha256(&self.runtime_bytes)),
            Hash::Sha384 => expected[..48].copy_from_slice(&sha384(&self.runtime_bytes)),
            Hash::Sha512 => expected = sha512(&self.runtime_bytes),
        }
        expected
    }
}

impl Runtime {
    /// Decodes runtime data. They are bound by the hardware report and grow with the paravisor, so what is not known is
    /// left alone; what is used stands once.
    pub fn decode(json: &[u8]) -> Result<Self, Malformed> {
        let fail = |rule| Malformed { field: "hcl.runtime", offset: 0, problem: Problem::NotCanonical(rule) };
        let raw: Raw = serde_json::from_slice(json).map_err(|_| fail("not the JSON of runtime data"))?;
        let mut keys = raw.keys.iter().filter(|key| key.kid == "HCLAkPub");
        let (Some(key), None) = (keys.next(), keys.next()) else {
            return Err(fail("not exactly one HCLAkPub"));
        };
        let (Some("RSA"), Some(modulus), Some(exponent)) = (key.kty.as_deref(), &key.n, &key.e) else {
            return Err(fail("HCLAkPub is not an RSA key"));
        };
        let modulus = base64::decode("hcl.key.n", modulus.as_bytes())?;
        let exponent = base64::decode("hcl.key.e", exponent.as_bytes())?;
        let user_data = match raw.user_data.as_deref() {
            Some(text) => Some(hex(text).ok_or_else(|| fail("user data are not hexadecimal"))?),
            None => None,
        };
        Ok(Self {
            attestation_key: PublicKey::rsa(&modulus, &exponent)
                .ok_or_else(|| fail("HCLAkPub is no RSA key of 2048 to 4096 bits"))?,
            secure_boot: raw.configuration.secure_boot,
            console: raw.configuration.console_enabled,
            machine: raw.configuration.machine,
            user_data,
        })
    }
}

/// Reads hexadecimal digits of either case.
fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let pairs = text.as_bytes().chunks_exact(2);
    match pairs.remainder() {
        [] => pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect(),
        _ => None,
    }
}

fn number(
    at: &mut Cursor<'_>,
    field: &'static str,
    expected: &'static str,
    allowed: impl FnOnce(u32) -> bool,
) -> Result<u32, Malformed> {
    let here = *at;
    let found = at.u32_le(field)?;
    match allowed(found) {
        true => Ok(found),
        false => Err(here.error(field, Problem::Unexpected { expected, found: found.into() })),
    }
}

#[derive(Deserialize)]
struct Raw {
    keys: Vec<Jwk>,
    #[serde(rename = "vm-configuration", default)]
    configuration: Configuration,
    #[serde(rename = "user-data")]
    user_data: Option<String>,
}

#[derive(Deserialize)]
struct Jwk {
    kid: String,
    kty: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Configuration {
    secure_boot: Option<bool>,
    console_enabled: Option<bool>,
    #[serde(rename = "vmUniqueId")]
    machine: Option<String>,
}
