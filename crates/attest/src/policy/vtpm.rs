//! The section for Azure's virtual TPM. What it wraps is judged by the section of the silicon as well.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::digest::Registers;

/// Rules for evidence behind a virtual TPM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VtpmPolicy {
    /// Refuse a report that comes without a TPM quote: it may be a copy, and says nothing of what was booted.
    pub quote_required: bool,
    /// Refuse a TPM quote that answers no nonce.
    pub nonce_required: bool,
    /// Refuse an attestation key without a certificate of Microsoft.
    pub certificate_required: bool,
    /// Refuse a virtual machine whose configuration does not say that secure boot is on.
    pub secure_boot_required: bool,
    /// Accept a virtual machine with a serial console.
    pub console: bool,
    /// Accepted values of the PCRs of SHA-256.
    pub pcrs: Registers,
    /// Virtual machines, by the `vmUniqueId` of their configuration; empty means any.
    pub machines: Vec<String>,
}

impl Default for VtpmPolicy {
    fn default() -> Self {
        Self {
            quote_required: true,
            nonce_required: true,
            certificate_required: false,
            secure_boot_required: true,
            console: true,
            pcrs: Registers::new(),
            machines: Vec::new(),
        }
    }
}
