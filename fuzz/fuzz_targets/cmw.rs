//! Conceptual message wrappers: what is read is written and read again as the same.

#![no_main]

use attest::carrier::cmw::Cmw;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(cmw) = Cmw::from_cbor(bytes) {
        assert_eq!(Cmw::from_cbor(&cmw.to_cbor()), Ok(cmw));
    }
    if let Ok(cmw) = Cmw::from_json(bytes) {
        assert_eq!(Cmw::from_json(cmw.to_json().as_bytes()), Ok(cmw));
    }
});
