//! The program inside a keep. It is told what to run by its host ([`host`]), loads the workload ([`load`]) into
//! Wasmtime ([`engine`]), gives it descriptors, sockets and TLS as its manifest declares ([`wasi1`], [`wasi2`],
//! [`http`]), and tells the host how it ended.
//!
//! It never opens a file by name, never reads the environment, and prints nothing: what it says goes through the
//! channel to the host, and standard input, output and error belong to the workload.

mod cache;
mod engine;
mod host;
mod http;
mod identity;
mod limits;
mod load;
mod net;
mod sys;
mod wasi1;
mod wasi2;
mod watchdog;
mod workload;

use api::launch::{Ending, Notice};
use host::Host;
use load::Code;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use workload::Workload;

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() {
    let host = Arc::new(Host::inherit());
    let ending = run(&host).unwrap_or_else(|ending| ending);
    host.notify(&Notice::Ended(ending.clone()));
    sys::exit(ending.code())
}

fn run(host: &Arc<Host>) -> Result<Ending, Ending> {
    let order = host.order()?;
    let workload = Workload::receive(order, host.clone())?;
    watchdog::start(workload.manifest.limits.deadline, host);
    // Never dropped: giving machine code back in pieces takes longer than many a workload runs.
    let loaded = ManuallyDrop::new(load::load(&workload)?);
    let ending = match &loaded.code {
        Code::Module(module) => wasi1::run(&loaded.engine, module, workload),
        Code::Component(component) if loaded.serves => http::serve(&loaded.engine, component, workload),
        Code::Component(component) => wasi2::run(&loaded.engine, component, workload),
    };
    loaded.stored();
    Ok(ending)
}
