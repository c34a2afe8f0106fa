//! Enarx.toml.

#![no_main]

use api::manifest::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = Manifest::parse(text);
});
