//! The `Content-Digest` header: what is read is written and read again as the same.

#![no_main]

use api::digest::Digests;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(digests) = Digests::from_header(text) {
        assert_eq!(Digests::from_header(&digests.to_header()), Ok(digests));
    }
});
