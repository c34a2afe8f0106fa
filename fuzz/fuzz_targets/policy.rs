//! A policy of any text is read or refused; what is read has a digest.
#![no_main]

use attest::policy::Policy;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(policy) = Policy::from_toml(text).map_err(|error| format!("{error}")) {
        assert_ne!(policy.digest(), [0; 48]);
    }
    let _ = Policy::from_json(text).map_err(|error| format!("{error}"));
});
