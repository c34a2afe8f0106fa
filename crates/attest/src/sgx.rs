//! Intel SGX. Quotes of version 3 (and 4, 5 with the SGX body), PCK chains and Intel's collateral.
//!
//! Not verified yet: such evidence is told apart and refused as unsupported.

use alloc::vec::Vec;

use crate::claims;
use crate::cursor::Malformed;
use crate::endorsements::Endorsements;
use crate::reason::{Checks, Reason};
use crate::time::Time;

/// Decoded evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    bytes: Vec<u8>,
}

/// Decodes evidence of this kind.
pub fn decode(bytes: &[u8]) -> Result<Evidence, Malformed> {
    Ok(Evidence { bytes: bytes.into() })
}

/// Runs every check of authentication, and returns what the evidence claims if it can be understood.
pub fn authenticate(
    evidence: &Evidence,
    _: &Endorsements,
    _: Time,
    checks: &mut Checks,
) -> Option<claims::Claims> {
    checks.fail(
        Reason::EvidenceUnsupported,
        "a supported kind",
        alloc::format!("Intel SGX, {} bytes", evidence.bytes.len()),
    );
    None
}
