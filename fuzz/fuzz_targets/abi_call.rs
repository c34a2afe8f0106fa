//! Calls of a keep as its host sees them: whatever stands in the block, buffers stay within the data and apart.

#![no_main]

use abi::block::{DATA, HEADER_USED, Header};
use abi::call::Call;
use abi::request::Request;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: [u8; HEADER_USED]| {
    let header = Header::decode(&bytes);
    let Some(call) = Call::from_number(header.call) else { return };
    let Ok(request) = Request::new(call, header.args) else { return };
    let mut end = 0;
    for (_, span) in request.spans() {
        assert!(span.range().start >= end && span.range().end <= DATA);
        end = span.range().end;
    }
});
