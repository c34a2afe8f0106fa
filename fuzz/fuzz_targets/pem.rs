//! PEM.

#![no_main]

use libfuzzer_sys::fuzz_target;
use attest::pem;

fuzz_target!(|bytes: &[u8]| {
    let _ = pem::decode(bytes);
});
