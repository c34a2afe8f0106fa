//! Trust anchors: the roots that the vendors publish, as data, and those that a caller adds.

use alloc::vec::Vec;

use crate::cursor::Malformed;
use crate::x509::certificate::Certificate;

/// Whose root it is: evidence of one vendor never verifies under another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// AMD: SEV-SNP.
    Amd,
    /// Intel: SGX and TDX.
    Intel,
    /// Amazon: Nitro enclaves.
    Amazon,
    /// Microsoft: attestation keys of Azure's virtual TPMs.
    Microsoft,
}

/// What a root stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// Genuine hardware of the vendor.
    Vendor,
    /// A simulator that signs the vendor's formats: its results say `simulated`, and a policy must name the root.
    Development,
}

/// A root that is trusted without a signature.
#[derive(Clone, Debug)]
pub struct Anchor {
    /// Whose formats it vouches for.
    pub vendor: Vendor,
    /// Genuine or simulated.
    pub grade: Grade,
    /// Its subject, key and validity.
    pub certificate: Certificate,
}

/// The vendors' roots. Sources: AMD KDS `/vcek/v1/{line}/cert_chain`, Intel PCS `/Intel_SGX_Provisioning_Certification_RootCA`,
/// AWS `AWS_NitroEnclaves_Root-G1`, Microsoft "Azure Virtual TPM Root Certificate Authority 2023".
pub fn shipped() -> Result<Vec<Anchor>, Malformed> {
    ROOTS
        .iter()
        .map(|&(vendor, der)| {
            Ok(Anchor { vendor, grade: Grade::Vendor, certificate: Certificate::decode(der)? })
        })
        .collect()
}

/// AMD's intermediates (ASK and ASVK of each line): not trusted for being here, only at hand when evidence lacks them.
pub fn intermediates() -> Result<Vec<Certificate>, Malformed> {
    INTERMEDIATES.iter().map(|der| Certificate::decode(der)).collect()
}

const ROOTS: &[(Vendor, &[u8])] = &[
    (Vendor::Amd, include_bytes!("roots/amd-ark-milan.der")),
    (Vendor::Amd, include_bytes!("roots/amd-ark-genoa.der")),
    (Vendor::Amd, include_bytes!("roots/amd-ark-turin.der")),
    (Vendor::Intel, include_bytes!("roots/intel-sgx-root.der")),
    (Vendor::Amazon, include_bytes!("roots/aws-nitro-root-g1.der")),
    (Vendor::Microsoft, include_bytes!("roots/azure-vtpm-root-2023.der")),
];

const INTERMEDIATES: &[&[u8]] = &[
    include_bytes!("roots/amd-ask-milan.der"),
    include_bytes!("roots/amd-asvk-milan.der"),
    include_bytes!("roots/amd-ask-genoa.der"),
    include_bytes!("roots/amd-asvk-genoa.der"),
    include_bytes!("roots/amd-ask-turin.der"),
    include_bytes!("roots/amd-asvk-turin.der"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_certificates_are_signed_as_they_say() {
        let roots = shipped().expect("roots decode");
        for root in &roots {
            assert!(
                root.certificate.is_signed_by(root.certificate.key()),
                "{}",
                root.certificate.common_name()
            );
        }
        for certificate in intermediates().expect("intermediates decode") {
            let signed = roots.iter().any(|root| {
                root.certificate.subject() == certificate.issuer()
                    && certificate.is_signed_by(root.certificate.key())
            });
            assert!(signed, "{}", certificate.common_name());
        }
    }
}
