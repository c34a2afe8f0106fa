//! wasi2

use crate::workload::Workload;
use api::launch::Ending;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Runs it.
pub fn run(_: &Engine, _: &Component, _: Workload) -> Ending {
    Ending::Failed("not yet".to_owned())
}
