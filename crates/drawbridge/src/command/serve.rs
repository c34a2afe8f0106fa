//! `drawbridge serve`.

use super::{Failure, World};
use crate::app::{App, Uploads};
use crate::configuration::Configuration;
use crate::router;
use crate::store::{Failpoints, Store};
use attest::time::Time;
use service::audit::{self, Log, Sync};
use service::lifecycle::stopped;
use service::server::Service;
use service::tls::Clients;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// How often garbage is collected.
const COLLECTION: Duration = Duration::from_secs(3600);
/// A file of the record of releases is closed at this size.
const ROTATION_BYTES: u64 = 64 << 20;

pub async fn serve(configuration: Configuration, world: &World) -> Result<ExitCode, Failure> {
    let Configuration { store: folder, database, audit, blob_bytes, garbage_hours, mut server, .. } =
        configuration;
    service::log::start(&server.log).map_err(Failure::Usage)?;
    if let Some(tls) = &mut server.tls
        && tls.clients == Clients::default()
    {
        // Keeps come with certificates. Whom to trust is a matter of each repository, and so not of TLS.
        tls.clients = Clients::Asked;
    }
    let store = Store::open(&folder, database.as_deref(), Failpoints::default()).await?;
    let directory = audit.unwrap_or_else(|| folder.join("audit"));
    let settings = audit::Settings { directory, rotate_bytes: ROTATION_BYTES, sync: Sync::Always };
    let now = (world.clock)();
    let (log, _) = Log::open(settings, Time(u64::try_from(now).unwrap_or(0)))?;
    let app = Arc::new(App {
        store: store.clone(),
        clock: world.clock,
        random: world.random,
        blob_limit: blob_bytes,
        audit: Some(log),
        uploads: Uploads::default(),
    });
    let bound = Service::new("drawbridge", server)?.bind()?;
    let collector = tokio::spawn(collect(store.clone(), world.clock, i64::from(garbage_hours) * 3600));
    bound.run(router::router(app), || {}, stopped()).await;
    collector.abort();
    store.index.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn collect(store: Store, clock: fn() -> i64, grace: i64) {
    let mut ticks = tokio::time::interval(COLLECTION);
    loop {
        ticks.tick().await;
        match store.collect(clock() - grace).await {
            Ok(collected) => tracing::info!(
                released = collected.released,
                removed = collected.removed,
                uploads = collected.uploads,
                "collected garbage"
            ),
            Err(error) => tracing::warn!(%error, "cannot collect garbage"),
        }
    }
}
