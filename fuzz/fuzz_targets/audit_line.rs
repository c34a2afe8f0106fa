//! Lines of the audit log: any bytes are read or refused, and no line survives a change of one bit.

#![no_main]

use libfuzzer_sys::fuzz_target;
use service::audit::Line;

fuzz_target!(|bytes: &[u8]| {
    if Line::decode(bytes).is_ok() {
        for at in 0..bytes.len() {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1;
            assert!(Line::decode(&changed).is_err());
        }
    }
});
