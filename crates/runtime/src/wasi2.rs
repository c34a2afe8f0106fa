//! Components: commands of WASI 0.2 and 0.3, with what their manifest declares.
//!
//! One thread runs the component and everything it waits for. Interfaces come from `wasmtime-wasi` where that is
//! enough; TCP ([`tcp`]), name lookup ([`lookup`]) and preopened directories are ours, since there the manifest
//! decides.

pub mod link;
mod lookup;
pub mod network;
pub mod policy;
mod preopen;
mod stdio;
pub mod store;
pub mod stream;
mod tcp;
mod udp;

use crate::workload::Workload;
use api::launch::Ending;
use store::{Environment, State};
use tokio::runtime::{Builder, Runtime};
use wasmtime::component::{Component, InstancePre};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{p2, p3};

/// Runs a command to its end.
pub fn run(engine: &Engine, component: &Component, workload: Workload) -> Ending {
    runtime().and_then(|runtime| runtime.block_on(command(engine, component, workload))).unwrap_or_else(|e| e)
}

/// The event loop of this process, on the thread that enters it.
pub fn runtime() -> Result<Runtime, Ending> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build();
    runtime.map_err(|error| Ending::Failed(format!("no event loop: {error}")))
}

async fn command(engine: &Engine, component: &Component, workload: Workload) -> Result<Ending, Ending> {
    let instance = link::link(engine, component)?;
    let environment = Environment::new(workload)?;
    let failed = |error: wasmtime::Error| Ending::Failed(format!("no instance: {error:#}"));
    let mut store = environment.store(engine).map_err(failed)?;
    let ending = tokio::select! {
        biased;
        reached = environment.stdio.exhausted() => Ending::Limit(reached.to_string()),
        returned = call(instance, &mut store) => match returned {
            Ok(Ok(())) => Ending::Exit(0),
            Ok(Err(())) => Ending::Exit(1),
            Err(error) => store.data().limiter.ending(&error),
        },
    };
    environment.network.flush().await;
    Ok(ending)
}

/// Calls the `run` that the component exports.
async fn call(instance: InstancePre<State>, store: &mut Store<State>) -> wasmtime::Result<Result<(), ()>> {
    if let Ok(command) = p3::bindings::CommandPre::new(instance.clone()) {
        let command = command.instantiate_async(&mut *store).await?;
        return store.run_concurrent(async |store| command.wasi_cli_run().call_run(store).await).await?;
    }
    let command = p2::bindings::CommandPre::new(instance)?.instantiate_async(&mut *store).await?;
    command.wasi_cli_run().call_run(store).await
}
