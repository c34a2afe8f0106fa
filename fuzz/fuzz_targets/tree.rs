//! Directories and entries: the canonical text of what is read is read as the same.

#![no_main]

use api::tree::{Directory, Entry};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    if let Ok(directory) = Directory::decode(text) {
        assert_eq!(Directory::decode(&directory.encode()), Ok(directory));
    }
    if let Ok(entry) = Entry::decode(text) {
        assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
    }
});
