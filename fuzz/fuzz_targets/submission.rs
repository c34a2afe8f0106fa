//! Anything, opened as it would be from a stranger.

#![no_main]

use attest::carrier::Submission;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(submission) = Submission::open(bytes) {
        let _ = (submission.describe(), submission.binding(true));
    }
});
