//! A web service that greets, by the asynchronous streams of WASI 0.3.

use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_bindgen::spawn_local, wit_future, wit_stream};

wasip3::http::service::export!(Service);

struct Service;

impl wasip3::exports::http::handler::Guest for Service {
    async fn handle(_request: Request) -> Result<Response, ErrorCode> {
        let (mut sender, receiver) = wit_stream::new();
        let (trailers, no_trailers) = wit_future::new(|| Ok(None));
        let (response, _sent) = Response::new(Fields::new(), Some(receiver), no_trailers);
        drop(trailers);
        spawn_local(async move {
            let rest = sender.write_all(b"Hello, world!\n".to_vec()).await;
            assert!(rest.is_empty());
        });
        Ok(response)
    }
}
