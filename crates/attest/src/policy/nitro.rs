//! The section for AWS Nitro enclaves.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::digest::{Digest, Registers};

/// Rules for Nitro enclaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NitroPolicy {
    /// Enclave images (PCR0); empty means any.
    pub hash: Vec<Digest>,
    /// Enclave images (PCR0) that are refused.
    pub hash_blacklist: Vec<Digest>,
    /// Signing certificates (PCR8); empty means any, also none.
    pub signer: Vec<Digest>,
    /// Accepted values of other registers. A register that the document lacks has none of them.
    pub pcrs: Registers,
    /// The most seconds between the document and the judgement.
    pub max_age_seconds: u64,
    /// The most seconds that the document may be ahead of the judge's clock.
    pub clock_skew_seconds: u64,
    /// Refuse a document without a nonce.
    pub nonce_required: bool,
}

impl Default for NitroPolicy {
    fn default() -> Self {
        Self {
            hash: Vec::new(),
            hash_blacklist: Vec::new(),
            signer: Vec::new(),
            pcrs: Registers::new(),
            max_age_seconds: 300,
            clock_skew_seconds: 60,
            nonce_required: false,
        }
    }
}
