//! AMD's certificate table.

#![no_main]

use attest::carrier::cert_table::CertTable;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = CertTable::decode(bytes);
});
