//! Questions to the OCSP responder, as a POST and as the path of a GET.

#![no_main]

use libfuzzer_sys::fuzz_target;
use steward::revocation::ocsp::Question;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(question) = Question::decode(bytes) {
        let path = attest::base64::encode(bytes).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        assert_eq!(Question::decode_path(&path), Ok(question));
    }
    if let Ok(path) = std::str::from_utf8(bytes) {
        let _ = Question::decode_path(path);
    }
});
