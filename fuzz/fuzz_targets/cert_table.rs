//! AMD's certificate table.

#![no_main]

use libfuzzer_sys::fuzz_target;
use attest::carrier::cert_table::CertTable;

fuzz_target!(|bytes: &[u8]| {
    let _ = CertTable::decode(bytes);
});
