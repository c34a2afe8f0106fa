//! The server: settings in, a router served until it is told to stop.

use crate::address::{Caller, Proxies};
use crate::body::{ContentMost, Pace, paced};
use crate::connection::{self, Shared};
use crate::health::Readiness;
use crate::lifecycle::{self, Reloads};
use crate::limits::{Connections, Gate, Limits};
use crate::listen::{self, Endpoint, ListenError, Listener};
use crate::log::LogSettings;
use crate::metrics::{Metrics, Reason};
use crate::observe::{Observer, observe};
use crate::problem::{Disclosure, Problem};
use crate::tls::{Tls, TlsError, TlsSettings};
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use ipnet::IpNet;
use sd_notify::NotifyState;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::watch;
use tracing::Instrument;

/// How often files of TLS are looked at for changes.
const LOOK: Duration = Duration::from_secs(30);
/// After a connection could not be taken, for instance because descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What all our servers can be told. The table `[server]` of a program's settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where to listen.
    pub listen: Vec<Endpoint>,
    /// Where administrators get metrics and health, in plain HTTP.
    pub admin: Vec<Endpoint>,
    /// TLS; without it the server speaks plain HTTP, for a proxy in front of it.
    pub tls: Option<TlsSettings>,
    /// Proxies whose word about callers is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// How much of a problem callers are told.
    pub disclosure: Disclosure,
    /// Limits.
    pub limits: Limits,
    /// Logging.
    pub log: LogSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: vec![Endpoint::Tcp("[::]:3000".to_owned())],
            admin: Vec::new(),
            tls: None,
            trusted_proxies: Vec::new(),
            disclosure: Disclosure::default(),
            limits: Limits::default(),
            log: LogSettings::default(),
        }
    }
}

/// A server that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A socket cannot be had.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// TLS cannot be had.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// There is nowhere to listen.
    #[error("`listen` is empty")]
    Nowhere,
}

/// A server before it listens.
pub struct Service {
    settings: Settings,
    tls: Option<Arc<Tls>>,
    metrics: Metrics,
    readiness: Readiness,
    draining: Arc<AtomicBool>,
}

/// A server that listens, and answers once it is [run](Bound::run).
pub struct Bound {
    service: Service,
    listeners: Vec<Listener>,
    admin: Vec<Listener>,
}

impl Service {
    /// A server for the program of this name; reads the files of TLS.
    pub fn new(program: &'static str, settings: Settings) -> Result<Self, ServeError> {
        let tls = settings.tls.clone().map(Tls::from_files).transpose()?;
        Ok(Self::with_tls(program, settings, tls))
    }

    /// A server with TLS of another kind than settings have, such as a throw-away certificate.
    pub fn with_tls(program: &'static str, settings: Settings, tls: Option<Tls>) -> Self {
        let (metrics, readiness) = (Metrics::new(program), Readiness::default());
        let draining = Arc::new(AtomicBool::new(false));
        let stops = draining.clone();
        readiness.check("stopping", move || match stops.load(Relaxed) {
            true => Err("the program is about to stop".to_owned()),
            false => Ok(()),
        });
        Self { settings, tls: tls.map(Arc::new), metrics, readiness, draining }
    }

    /// Where metrics are registered.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Where readiness checks are registered.
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// Puts the program's routes behind the limits, adds health, and watches all. Requests for health meet no limit.
    pub fn router(&self, program: Router) -> Router {
        let limits = &self.settings.limits;
        let admission = Arc::new(Admission { gate: Gate::new(limits), limits: limits.clone() });
        let observer = Arc::new(Observer {
            proxies: Proxies::new(self.settings.trusted_proxies.clone()),
            metrics: self.metrics.clone(),
            disclosure: self.settings.disclosure,
            prefix: random(),
            count: AtomicU64::new(0),
        });
        program
            .layer(from_fn_with_state(admission, admit))
            .merge(self.readiness.routes())
            .layer(from_fn_with_state(observer, observe))
    }

    /// Opens the sockets. Must run inside the runtime.
    pub fn bind(self) -> Result<Bound, ServeError> {
        if self.settings.listen.is_empty() {
            return Err(ServeError::Nowhere);
        }
        let listeners = listen::open(&self.settings.listen)?;
        let admin = listen::open(&self.settings.admin)?;
        Ok(Bound { service: self, listeners, admin })
    }
}

impl Bound {
    /// Where the server listens over TCP.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(Listener::address).collect()
    }

    /// Serves until `stop`, then lets requests end, up to the limit. On SIGHUP, files of TLS are read again and `reload` is
    /// called.
    pub async fn run(self, program: Router, reload: impl Fn(), stop: impl Future<Output = ()>) {
        let Self { service, listeners, admin } = self;
        let (stopping, stopped) = watch::channel(false);
        let connections = Arc::new(Connections::new(&service.settings.limits));
        let share = |router, tls| {
            let (limits, metrics) = (service.settings.limits.clone(), service.metrics.clone());
            Arc::new(Shared { router, tls, limits, metrics })
        };
        let public = share(service.router(program), service.tls.clone());
        let private = share(service.metrics.routes().merge(service.readiness.routes()), None);
        for (listeners, shared, role) in [(listeners, public, "requests"), (admin, private, "administrators")]
        {
            for listener in listeners {
                let tls = shared.tls.is_some();
                tracing::info!(address = %listener, tls, "listening for {role}");
                tokio::spawn(accept(listener, shared.clone(), connections.clone(), stopped.clone()));
            }
        }
        lifecycle::notify(&[NotifyState::Ready]);
        tokio::select! {
            () = stop => {}
            () = reloads(service.tls.as_deref(), &reload) => {}
            () = lifecycle::watchdog() => {}
        }
        service.draining.store(true, Relaxed);
        lifecycle::notify(&[NotifyState::Stopping]);
        tracing::info!(connections = connections.open(), "stopping");
        let _ = stopping.send(true);
        let deadline = Duration::from_secs(service.settings.limits.drain_seconds);
        match tokio::time::timeout(deadline, connections.ended()).await {
            Ok(()) => tracing::info!("stopped"),
            Err(_) => tracing::warn!(connections = connections.open(), "stopped with connections open"),
        }
    }
}

async fn accept(
    listener: Listener,
    shared: Arc<Shared>,
    connections: Arc<Connections>,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let counted = match connections.admit(address.map(|address| address.ip())) {
            Ok(counted) => counted,
            Err(reason) => {
                shared.metrics.refused.get_or_create(&Reason { reason }).inc();
                continue;
            }
        };
        let (shared, stopping) = (shared.clone(), stopping.clone());
        tokio::spawn(async move {
            shared.metrics.connections.inc();
            connection::serve(shared.clone(), stream, address, stopping).await;
            shared.metrics.connections.dec();
            drop(counted);
        });
    }
}

/// Reads files of TLS again when they change or when told to; never ends.
async fn reloads(tls: Option<&Tls>, reload: &impl Fn()) {
    let mut told = Reloads::new();
    let mut seen = tls.map(contents);
    loop {
        tokio::select! {
            () = told.next() => {
                lifecycle::reloading();
                reload_tls(tls);
                reload();
                lifecycle::notify(&[NotifyState::Ready]);
                seen = tls.map(contents);
            }
            () = tokio::time::sleep(LOOK) => {
                let now = tls.map(contents);
                if now != seen {
                    seen = now;
                    reload_tls(tls);
                }
            }
        }
    }
}

fn reload_tls(tls: Option<&Tls>) {
    match tls.map(Tls::reload) {
        Some(Ok(true)) => tracing::info!("read certificate and key of TLS again"),
        Some(Err(error)) => tracing::error!(%error, "certificate and key of TLS stay as they were"),
        Some(Ok(false)) | None => {}
    }
}

fn contents(tls: &Tls) -> Vec<Option<Vec<u8>>> {
    tls.files().into_iter().map(|file: &Path| std::fs::read(file).ok()).collect()
}

struct Admission {
    gate: Gate,
    limits: Limits,
}

/// Holds a request to the limits. It runs as a task: its panic is an answer, and it runs to its end even if the caller goes
/// away, so that what was begun is not left half done.
async fn admit(State(admission): State<Arc<Admission>>, mut request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<Caller>().and_then(|caller| caller.address);
    let permit = match admission.gate.admit(caller) {
        Ok(permit) => permit,
        Err(problem) => return problem.into_response(),
    };
    let limits = &admission.limits;
    let pace = Pace {
        stall: Duration::from_secs(limits.stall_seconds.max(1)),
        slowest: limits.body_bytes_per_second,
    };
    request.extensions_mut().insert(ContentMost(limits.body_bytes));
    let request = request.map(|body| paced(body, pace));
    let mut task = tokio::spawn(
        async move {
            let response = next.run(request).await;
            drop(permit);
            response
        }
        .in_current_span(),
    );
    if limits.answer_seconds == 0 {
        return task.await.unwrap_or_else(|_| fault());
    }
    match tokio::time::timeout(Duration::from_secs(limits.answer_seconds), &mut task).await {
        Ok(ended) => ended.unwrap_or_else(|_| fault()),
        Err(_) => {
            task.abort();
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "time")
                .detail(format!("there was no answer within {} seconds", limits.answer_seconds))
                .retry_after(Duration::from_secs(5))
                .into_response()
        }
    }
}

fn fault() -> Response {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "fault").detail("a fault of the program").into_response()
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    // Ids need to differ, not to be secret: without randomness they still count.
    let _ = rustls::crypto::aws_lc_rs::default_provider().secure_random.fill(&mut bytes);
    u64::from_ne_bytes(bytes)
}
