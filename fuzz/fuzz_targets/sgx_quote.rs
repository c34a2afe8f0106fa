//! Any bytes as an SGX quote.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = attest::sgx::decode(bytes);
});
