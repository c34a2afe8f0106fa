//! PKCS#10 requests with attestation.

#![no_main]

use attest::carrier::csr::Request;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = Request::decode(bytes) {
        let _ = request.proves_possession();
    }
});
