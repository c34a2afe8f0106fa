//! The host of WASI 0.1 (`wasi_snapshot_preview1`, and `wasi_unstable` where both agree): a module's own process.
//!
//! Everything happens on one thread. Each call reads and writes the module's memory in place, between the kernel or
//! TLS and the module, without copies of its own. What the calls mean is written in the WASI 0.1 witx files; where
//! they are silent, Linux's manual pages are the standard, and Wasmtime's answers where programs rely on them.

mod abi;
mod call;
mod clock;
mod dir;
mod errno;
mod file;
mod import;
mod memory;
mod path;
mod poll;
mod process;
mod socket;
mod stdio;
mod table;

use crate::workload::Workload;
use api::launch::Ending;
use process::Process;
use rustix::process::{Resource, getrlimit};
use std::thread;
use wasmtime::{Engine, Func, Instance, Linker, Module, Store, Val};

/// Room on the native stack beyond what WebAssembly may use: for the host's own calls.
const HOST_STACK: u64 = 1 << 20;

/// Runs the module to its end.
pub fn run(engine: &Engine, module: &Module, workload: Workload) -> Ending {
    let stack = workload.manifest.limits.stack.saturating_add(HOST_STACK);
    if getrlimit(Resource::Stack).current.is_none_or(|main| stack <= main) {
        return run_here(engine, module, workload).unwrap_or_else(|ending| ending);
    }
    let size = usize::try_from(stack).unwrap_or(usize::MAX);
    thread::scope(|scope| {
        let run = move || run_here(engine, module, workload).unwrap_or_else(|ending| ending);
        let failed = |why: &str| Ending::Failed(format!("no thread with a stack of {size} bytes: {why}"));
        match thread::Builder::new().stack_size(size).spawn_scoped(scope, run) {
            Ok(thread) => thread.join().unwrap_or_else(|_| failed("it ended early")),
            Err(error) => failed(&error.to_string()),
        }
    })
}

fn run_here(engine: &Engine, module: &Module, workload: Workload) -> Result<Ending, Ending> {
    let mut linker = Linker::new(engine);
    import::link(&mut linker, module)?;
    let bad = |error: wasmtime::Error| Ending::BadModule(format!("{error:#}"));
    let ready = linker.instantiate_pre(module).map_err(bad)?;
    let fuel = workload.manifest.limits.fuel;
    let mut store = Store::new(engine, Process::new(workload)?);
    store.limiter(|process| &mut process.limiter);
    if let Some(fuel) = fuel {
        store.set_fuel(fuel).map_err(|error| Ending::Failed(format!("no fuel: {error:#}")))?;
    }
    let ended = match ready.instantiate(&mut store) {
        Ok(instance) => start(&mut store, &instance)?,
        Err(error) => Err(error),
    };
    store.data_mut().table.farewell();
    Ok(match ended {
        Ok(()) => Ending::Exit(0),
        Err(error) => store.data().limiter.ending(&error),
    })
}

/// Runs the instance: what it initializes itself with, then its start function. What that returns is not an exit
/// code: only `proc_exit` sets one.
fn start(store: &mut Store<Process>, instance: &Instance) -> Result<wasmtime::Result<()>, Ending> {
    let initialize = instance.get_func(&mut *store, "_initialize");
    // The default export is named by nothing, in modules that are older than `_start`.
    let start = ["", "_start"].into_iter().find_map(|name| instance.get_func(&mut *store, name));
    let functions: Vec<Func> = initialize.into_iter().chain(start).collect();
    if functions.is_empty() {
        return Err(Ending::BadModule(
            "it exports no function to run: neither `_start` nor `_initialize`; build it as a program, not as a library"
                .to_owned(),
        ));
    }
    for function in functions {
        let kind = function.ty(&*store);
        if kind.params().len() > 0 {
            return Err(Ending::BadModule("its start function takes arguments".to_owned()));
        }
        let mut results = vec![Val::I32(0); kind.results().len()];
        if let Err(error) = function.call(&mut *store, &[], &mut results) {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}
