//! A report of any bytes is judged or refused, and every refusal has a reason.
#![no_main]

use attest::appraise::appraise;
use attest::endorsements::Endorsements;
use attest::evidence::Evidence;
use attest::policy::Policy;
use attest::reference::ReferenceValues;
use attest::time::Time;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(evidence) = Evidence::decode(bytes) else { return };
    let endorsements = Endorsements::shipped().expect("decodes");
    let policy = Policy::profile("strict").expect("known").expect("valid");
    let refused =
        appraise(&evidence, &endorsements, &ReferenceValues::default(), &policy, Time(1_795_000_000));
    assert!(refused.expect_err("nobody signed this").checks().failures().next().is_some());
});
