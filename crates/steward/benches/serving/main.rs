//! The Steward over real TLS on loopback: how fast it certifies beside the signatures that nobody can save, and whether
//! honest requests are answered while others misbehave.
//!
//! `cargo bench -p steward --bench serving [speed|abuse]`. The server is a process of its own, so that its processor time
//! is its own; evidence is of made-up vendors, and the clock stands where it is valid.

#![expect(clippy::print_stdout, reason = "printing measurements is this program's purpose")]

mod abuse;
mod client;
#[expect(dead_code, reason = "other users need the rest")]
#[path = "../../../attest/tests/dcap/hierarchy.rs"]
mod dcap;
#[expect(dead_code, reason = "other users need the rest")]
#[path = "../../tests/issuing/keep.rs"]
mod keep;
mod server;
#[expect(dead_code, reason = "other users need the rest")]
#[path = "../../../attest/tests/snp/hierarchy.rs"]
mod snp;
mod speed;
#[expect(dead_code, reason = "other users need the rest")]
#[path = "../../tests/issuing/tools.rs"]
mod tools;
#[expect(dead_code, reason = "other users need the rest")]
#[path = "../../tests/serving/yard.rs"]
mod yard;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [first, rest @ ..] = words.as_slice()
        && first == "serve"
    {
        return server::serve(rest);
    }
    let chosen = |name: &str| words.is_empty() || words.iter().any(|word| word == name);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    service::lifecycle::raise_descriptors();
    if chosen("speed") {
        runtime.block_on(speed::run());
    }
    if chosen("abuse") {
        runtime.block_on(abuse::run());
    }
}
