//! Answers of a host as its keep sees them: none is believed beyond the room there was.

#![no_main]

use abi::block::{HEADER_USED, Header};
use abi::call::{Call, Returns};
use abi::reply::Reply;
use abi::request::Request;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: ([u8; HEADER_USED], [u8; HEADER_USED])| {
    let (asked, answer) = (Header::decode(&input.0), Header::decode(&input.1));
    let Some(call) = Call::from_number(asked.call % Call::ALL.len() as u64) else { return };
    let Ok(request) = Request::new(call, asked.args) else { return };
    if let Ok(Ok(reply)) = Reply::check(&request, &answer)
        && let Returns::Bytes(index) = call.shape().returns
    {
        assert!(reply.value <= request.span(index).map_or(0, |span| span.len() as u64));
    }
});
