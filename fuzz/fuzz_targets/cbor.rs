//! CBOR: what is read whole has one form, so that it is read alike when it is cut out of itself.

#![no_main]

use attest::cbor::Reader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut reader = Reader::new(bytes);
    if let Ok(item) = reader.skip("item") {
        let mut again = Reader::new(item);
        assert_eq!(again.skip("item"), Ok(item));
        assert!(again.finish("item").is_ok());
    }
});
