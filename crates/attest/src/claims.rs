//! What evidence says once it is decoded: the part that all environments share, and the part of each.
//!
//! Claims become facts only inside an [`Authentic`](crate::appraise::Authentic): no function outside this crate can make
//! one, nor change what is in it.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::evidence::Tee;
use crate::roots::Grade;
use crate::time::Window;
use crate::x509::crl::Coverage;
use crate::{cca, nitro, sgx, snp, tdx, vtpm};

/// What evidence claims.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Claims {
    /// The kind of environment.
    pub tee: Tee,
    /// The root that vouches for it; nothing when nobody does.
    pub root: Option<Root>,
    /// The digest of what was launched: MEASUREMENT, MRENCLAVE, MRTD, RIM, PCR0.
    pub measurement: Vec<u8>,
    /// The bytes that the attester chose: REPORT_DATA and its kin.
    pub report_data: Vec<u8>,
    /// The bytes that the launcher chose: HOST_DATA, MRCONFIGID; empty where there is no such field.
    pub host_data: Vec<u8>,
    /// Whether the host can look inside.
    pub debug: bool,
    /// When every certificate that was used is valid.
    pub validity: Option<Window>,
    /// How well revocation lists cover the chains.
    pub revocation: Vec<Coverage>,
    /// What only this kind of environment says.
    pub detail: Detail,
}

/// The root of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// Genuine or simulated.
    pub grade: Grade,
    /// Its common name.
    pub name: String,
    /// SHA-256 of its certificate.
    pub digest: [u8; 32],
}

/// What only one kind of environment says.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Detail {
    /// AMD SEV-SNP.
    Snp(Box<snp::Claims>),
    /// Intel SGX.
    Sgx(Box<sgx::Claims>),
    /// Intel TDX.
    Tdx(Box<tdx::Claims>),
    /// Arm CCA.
    Cca(Box<cca::Claims>),
    /// AWS Nitro enclaves.
    Nitro(Box<nitro::Claims>),
    /// Azure's virtual TPM, around what the silicon says.
    Vtpm(Box<vtpm::Claims>),
    /// Nothing more.
    None,
}

impl Detail {
    /// What the silicon says, where a virtual TPM wraps it.
    pub fn silicon(&self) -> &Self {
        match self {
            Self::Vtpm(claims) => &claims.silicon,
            _ => self,
        }
    }
}
