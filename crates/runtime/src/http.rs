//! Web services: `wasi:http` components of both generations, served on the listeners their manifest declares.
//!
//! ```text
//! listen ── connection ──▶ TLS, HTTP/1.1 or HTTP/2 ── request ──▶ service ──▶ an instance, fresh or used
//! ```
//!
//! One thread does all of it: an instance is set up, runs and is cleared away in the caches of one core. Guests that
//! compute yield to each other by the epoch ([`clock`]), and end with it when their request has taken too long.

mod clock;
mod instance;
mod listen;
pub mod outgoing;
mod service;

use crate::wasi2::link;
use crate::wasi2::store::Environment;
use crate::workload::Workload;
use api::launch::Ending;
use instance::Instances;
use service::Service;
use std::sync::Arc;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Serves requests until the keep is ended.
pub fn serve(engine: &Engine, component: &Component, workload: Workload) -> Ending {
    let served =
        crate::wasi2::runtime().and_then(|runtime| runtime.block_on(server(engine, component, workload)));
    served.unwrap_or_else(|ending| ending)
}

async fn server(engine: &Engine, component: &Component, workload: Workload) -> Result<Ending, Ending> {
    let settings = workload.manifest.http.clone();
    let component = instance::link(link::link(engine, component)?)?;
    let environment = Environment::new(workload)?;
    let listeners = listen::bind(&environment.network)?;
    let instances = Instances::new(engine.clone(), component, environment.clone(), settings.reuse);
    let clock = clock::start(engine.clone());
    let service = Arc::new(Service::new(instances, environment.network.clone(), &settings, clock));
    for listener in listeners {
        tokio::spawn(listener.serve(service.clone()));
    }
    Ok(Ending::Limit(environment.stdio.exhausted().await.to_string()))
}
