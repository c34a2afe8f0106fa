//! What a TPM signs.

#![no_main]

use attest::vtpm::quote::Attested;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Attested::decode(bytes);
});
