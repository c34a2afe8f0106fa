//! Signed requests of ACME: what is read verifies under no key but its own, and keys have one thumbprint.

#![no_main]

use libfuzzer_sys::fuzz_target;
use steward::acme::jws::{Jwk, Jws};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(jws) = Jws::decode(bytes)
        && let Some(key) = &jws.header.jwk
    {
        let _ = key.check().and_then(|()| jws.verify(key));
        let _ = jws.verify_mac(b"a key that nobody knows");
    }
    if let Ok(key) = serde_json::from_slice::<Jwk>(bytes) {
        let again = serde_json::to_vec(&key).ok().and_then(|text| serde_json::from_slice::<Jwk>(&text).ok());
        assert_eq!(again.map(|again| again.thumbprint()), Some(key.thumbprint()));
    }
});
