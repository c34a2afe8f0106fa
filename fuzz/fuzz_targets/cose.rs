//! COSE: the first byte says what is read, an item or a key.

#![no_main]

use attest::cose::{self, Sign1};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match bytes.split_first() {
        Some((0, item)) => drop(Sign1::decode(item)),
        Some((_, key)) => drop(cose::key(key)),
        None => {}
    }
});
