//! PEM.

#![no_main]

use attest::pem;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = pem::decode(bytes);
});
