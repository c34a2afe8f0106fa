//! Slugs: what is read is written as it was.

#![no_main]

use api::name::Slug;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(slug) = text.parse::<Slug>() {
        assert_eq!(slug.to_string(), text);
    }
});
