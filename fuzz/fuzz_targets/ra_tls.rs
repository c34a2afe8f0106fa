//! RA-TLS certificates, and the extensions inside them.

#![no_main]

use attest::carrier::ra_tls::{Inside, TaggedEvidence};
use attest::x509::certificate::Certificate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(certificate) = Certificate::decode(bytes) {
        let _ = Inside::of(&certificate);
    }
    let _ = TaggedEvidence::decode(bytes);
});
