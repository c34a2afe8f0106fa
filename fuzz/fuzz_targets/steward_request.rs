//! Requests to the Steward: one, and bundles of the old form.

#![no_main]

use libfuzzer_sys::fuzz_target;
use steward::request::Request;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = Request::decode(bytes) {
        let wrapped = attest::der::element(attest::der::tag::SEQUENCE, bytes);
        if bytes.first() == Some(&attest::der::tag::SEQUENCE) {
            assert_eq!(Request::decode_bundle(&wrapped).map(|requests| requests.len()), Ok(1));
        }
        assert!(!request.spki().is_empty());
    }
    let _ = Request::decode_bundle(bytes);
});
