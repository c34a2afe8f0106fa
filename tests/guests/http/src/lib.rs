//! A web service: `/` greets, `/echo` returns the body, `/count` tells how many requests this instance has served,
//! `/trap` traps, `/loop` never ends.

use std::sync::atomic::{AtomicU32, Ordering};
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasip2::io::streams::StreamError;

wasip2::http::proxy::export!(Service);

struct Service;

static SERVED: AtomicU32 = AtomicU32::new(0);

impl Guest for Service {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let count = SERVED.fetch_add(1, Ordering::Relaxed) + 1;
        match request.path_with_query().as_deref() {
            Some("/") => answer(out, 200, b"Hello, world!\n"),
            Some("/echo") => answer(out, 200, &body(&request)),
            Some("/count") => answer(out, 200, format!("{count}\n").as_bytes()),
            Some("/trap") => std::process::abort(),
            Some("/loop") => loop {
                std::hint::black_box(());
            },
            _ => answer(out, 404, b"no such page\n"),
        }
    }
}

fn body(request: &IncomingRequest) -> Vec<u8> {
    let incoming = request.consume().expect("a body not yet taken");
    let stream = incoming.stream().expect("a stream not yet taken");
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(64 << 10) {
            Ok(chunk) => bytes.extend(chunk),
            Err(StreamError::Closed) => return bytes,
            Err(error) => panic!("{error}"),
        }
    }
}

fn answer(out: ResponseOutparam, status: u16, content: &[u8]) {
    let response = OutgoingResponse::new(Fields::new());
    response.set_status_code(status).expect("a valid status");
    let body = response.body().expect("a body not yet taken");
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().expect("a stream not yet taken");
    for chunk in content.chunks(4096) {
        stream.blocking_write_and_flush(chunk).expect("an open stream");
    }
    drop(stream);
    OutgoingBody::finish(body, None).expect("a complete body");
}
