//! The store of a component's instance: what it may use, and what it has taken hold of.

use crate::http::outgoing::Outgoing;
use crate::limits::Limiter;
use crate::wasi2::network::Network;
use crate::wasi2::preopen::{self, Preopen};
use crate::wasi2::stdio::Stdio;
use crate::wasi2::udp;
use crate::workload::Workload;
use api::launch::Ending;
use std::sync::Arc;
use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// Handles a component may hold at once: streams, descriptors, sockets, requests.
const HANDLES_LIMIT: usize = 100_000;
/// Random bytes one call may ask for.
const RANDOM_LIMIT: u64 = 16 << 20;
/// Bytes of all fields of one HTTP message.
pub const FIELDS_LIMIT: usize = 128 << 10;

/// What every instance of a workload is given.
pub struct Environment {
    /// Its standard streams.
    pub stdio: Stdio,
    /// Its directories.
    pub preopens: Vec<Preopen>,
    /// Its way to the network.
    pub network: Arc<Network>,
    args: Vec<String>,
    variables: Vec<(String, String)>,
    limiter: Limiter,
    fuel: Option<u64>,
    outgoing: Outgoing,
}

impl Environment {
    /// The environment of a workload.
    pub fn new(workload: Workload) -> Result<Arc<Self>, Ending> {
        let network = Arc::new(Network::new(&workload)?);
        Ok(Arc::new(Self {
            stdio: Stdio::new(&workload.manifest),
            preopens: preopen::preopens(workload.dirs),
            outgoing: Outgoing::new(network.clone()),
            network,
            args: workload.args,
            variables: workload.manifest.environment(),
            limiter: Limiter::new(&workload.manifest.limits),
            fuel: workload.manifest.limits.fuel,
        }))
    }

    /// An empty store for one instance.
    pub fn store(self: &Arc<Self>, engine: &Engine) -> wasmtime::Result<Store<State>> {
        let mut wasi = WasiCtx::builder();
        wasi.args(&self.args).envs(&self.variables).max_random_size(RANDOM_LIMIT);
        self.stdio.give(&mut wasi);
        udp::allow(&mut wasi, &self.network);
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_LIMIT);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(FIELDS_LIMIT);
        let state = State {
            environment: self.clone(),
            table,
            limiter: self.limiter.another(),
            wasi: wasi.build(),
            http,
            outgoing: self.outgoing.clone(),
        };
        let mut store = Store::new(engine, state);
        store.limiter(|state| &mut state.limiter);
        if let Some(fuel) = self.fuel {
            store.set_fuel(fuel)?;
        }
        Ok(store)
    }
}

/// The state of one instance.
pub struct State {
    /// What it was given.
    pub environment: Arc<Environment>,
    /// What it has taken hold of.
    pub table: ResourceTable,
    /// What it has used.
    pub limiter: Limiter,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outgoing: Outgoing,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outgoing, table: &mut self.table, ctx: &mut self.http }
    }
}
