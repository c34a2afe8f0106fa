//! Evidence: what an attester sends, told apart by its first bytes and decoded as its kind.

use alloc::boxed::Box;
use core::fmt;

use crate::cursor::{self, Malformed};
use crate::reason::{Reason, Rejection};
use crate::{cca, nitro, sgx, snp, tdx, vtpm};

/// The largest evidence: a TDX quote with its PEM chain is below 10 KiB, a vTPM bundle below 32 KiB.
pub const MAX_SIZE: usize = 128 * 1024;

/// Decoded evidence of any kind. Nothing in it is proven yet.
#[derive(Clone, Debug)]
pub enum Evidence {
    /// AMD SEV-SNP.
    Snp(Box<snp::Evidence>),
    /// Intel SGX.
    Sgx(Box<sgx::Evidence>),
    /// Intel TDX.
    Tdx(Box<tdx::Evidence>),
    /// Arm CCA.
    Cca(Box<cca::Evidence>),
    /// AWS Nitro enclaves.
    Nitro(Box<nitro::Evidence>),
    /// An SNP or TDX report that a paravisor wraps behind a virtual TPM (Azure).
    Vtpm(Box<vtpm::Evidence>),
    /// No environment vouches for the keep; accepted only where a policy names it.
    Unattested,
}

/// The kind of environment that a result speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tee {
    /// AMD SEV-SNP.
    Snp,
    /// Intel SGX.
    Sgx,
    /// Intel TDX.
    Tdx,
    /// Arm CCA.
    Cca,
    /// AWS Nitro enclaves.
    Nitro,
    /// SNP behind Azure's virtual TPM.
    AzureSnp,
    /// TDX behind Azure's virtual TPM.
    AzureTdx,
    /// None.
    Unattested,
}

impl Evidence {
    /// Tells raw evidence apart and decodes it. Carriers (requests, bundles, certificates) are opened before.
    pub fn decode(bytes: &[u8]) -> Result<Self, Rejection> {
        let malformed = |error| Rejection::malformed(Reason::EvidenceMalformed, error);
        cursor::limit("evidence", bytes, MAX_SIZE).map_err(malformed)?;
        let decoded: Result<Self, Malformed> = match Form::of(bytes) {
            Some(Form::Snp) => snp::decode(bytes).map(|evidence| Self::Snp(Box::new(evidence))),
            Some(Form::Sgx) => sgx::decode(bytes).map(|evidence| Self::Sgx(Box::new(evidence))),
            Some(Form::Tdx) => tdx::decode(bytes).map(|evidence| Self::Tdx(Box::new(evidence))),
            Some(Form::Cca) => cca::decode(bytes).map(|evidence| Self::Cca(Box::new(evidence))),
            Some(Form::Nitro) => nitro::decode(bytes).map(|evidence| Self::Nitro(Box::new(evidence))),
            Some(Form::Vtpm) => vtpm::decode(bytes).map(|evidence| Self::Vtpm(Box::new(evidence))),
            None => {
                let head = &bytes[..bytes.len().min(16)];
                return Err(Rejection::one(
                    Reason::EvidenceUnknown,
                    "a report, quote, token or document",
                    head,
                ));
            }
        };
        decoded.map_err(malformed)
    }
}

impl Tee {
    /// The stable id, as it stands in policies and results.
    pub fn id(self) -> &'static str {
        match self {
            Tee::Snp => "snp",
            Tee::Sgx => "sgx",
            Tee::Tdx => "tdx",
            Tee::Cca => "cca",
            Tee::Nitro => "nitro",
            Tee::AzureSnp => "azure-snp",
            Tee::AzureTdx => "azure-tdx",
            Tee::Unattested => "unattested",
        }
    }
}

impl fmt::Display for Tee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Tee::Snp => "AMD SEV-SNP",
            Tee::Sgx => "Intel SGX",
            Tee::Tdx => "Intel TDX",
            Tee::Cca => "Arm CCA",
            Tee::Nitro => "AWS Nitro Enclaves",
            Tee::AzureSnp => "AMD SEV-SNP behind an Azure vTPM",
            Tee::AzureTdx => "Intel TDX behind an Azure vTPM",
            Tee::Unattested => "unattested",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Snp,
    Sgx,
    Tdx,
    Cca,
    Nitro,
    Vtpm,
}

impl Form {
    fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            // "HCLA": the header of Azure's HCL report.
            [b'H', b'C', b'L', b'A', ..] => Some(Self::Vtpm),
            // JSON that carries it with a TPM quote.
            _ if vtpm::carrier::is_json(bytes) => Some(Self::Vtpm),
            // CBOR tag 399 or 907: the collection of a CCA platform and a realm token.
            [0xD9, 0x01, 0x8F, ..] | [0xD9, 0x03, 0x8B, ..] => Some(Self::Cca),
            // COSE_Sign1, tagged or not: an array of four.
            [0x84, ..] | [0xD2, 0x84, ..] => Some(Self::Nitro),
            // Quote header: version u16, key type u16, TEE type u32 (0x81 is TDX, 0 is SGX).
            [3..=u8::MAX, 0, 2 | 3, 0, 0x81, 0, 0, 0, ..] => Some(Self::Tdx),
            [3..=u8::MAX, 0, 2 | 3, 0, 0, 0, 0, 0, ..] => Some(Self::Sgx),
            [_, 0, 0, 0, ..] if bytes.len() == snp::report::SIZE => Some(Self::Snp),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_told_apart() {
        fn check(bytes: &[u8], form: Option<Form>) {
            assert_eq!(Form::of(bytes), form, "{bytes:02x?}");
        }
        check(&[], None);
        check(b"HCLA", Some(Form::Vtpm));
        check(&[4, 0, 2, 0, 0x81, 0, 0, 0], Some(Form::Tdx));
        check(&[3, 0, 2, 0, 0, 0, 0, 0], Some(Form::Sgx));
        check(&[0xD2, 0x84], Some(Form::Nitro));
        check(&[0xD9, 0x01, 0x8F], Some(Form::Cca));
        check(b"{}", None);
    }
}
