//! Greets, by the asynchronous streams of WASI 0.3.

use wasip3::wit_bindgen::spawn_local;

wasip3::cli::command::export!(Program);

struct Program;

impl wasip3::exports::cli::run::Guest for Program {
    async fn run() -> Result<(), ()> {
        let (mut sender, receiver) = wasip3::wit_stream::new();
        let written = wasip3::cli::stdout::write_via_stream(receiver);
        spawn_local(async move {
            let rest = sender.write_all(b"Hello, world!\n".to_vec()).await;
            assert!(rest.is_empty());
        });
        written.await.map_err(drop)
    }
}
