//! Nitro documents, judged without roots: whatever decodes is refused with a reason.

#![no_main]

use attest::appraise::authenticate;
use attest::endorsements::Endorsements;
use attest::evidence::Evidence;
use attest::time::Time;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(evidence) = attest::nitro::decode(bytes) {
        let evidence = Evidence::Nitro(Box::new(evidence));
        assert!(authenticate(&evidence, &Endorsements::new(Vec::new()), Time(0)).is_err());
    }
});
