//! Any bytes as the identity of a quoting enclave.

#![no_main]

use attest::endorsements::{DocumentKind, Endorsements};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Endorsements::new(Vec::new()).add_document(DocumentKind::QeIdentity, bytes);
});
