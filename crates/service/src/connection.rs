//! One connection: TLS, then HTTP, until it ends, stands still, or the program stops.

use crate::address::Peer;
use crate::limits::Limits;
use crate::listen::Stream;
use crate::metrics::{Metrics, Reason};
use crate::pace::{Activity, InFlight, Watched};
use crate::tls::Tls;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::Request;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// What all connections of a listener share.
pub(crate) struct Shared {
    pub(crate) router: Router,
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
}

/// Serves one connection to its end. `stopping` becomes true when the program stops.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    stream: Box<dyn Stream>,
    address: Option<SocketAddr>,
    stopping: watch::Receiver<bool>,
) {
    let activity = Activity::new(shared.limits.requests_per_connection);
    let stream = Watched { stream, activity: activity.clone() };
    let Some(tls) = &shared.tls else {
        let peer = Peer { address, ..Peer::default() };
        return http(&shared, stream, peer, activity, stopping).await;
    };
    let handshake = TlsAcceptor::from(tls.config()).accept(stream);
    let seconds = Duration::from_secs(shared.limits.handshake_seconds);
    let (reason, stream) = match timeout(seconds, handshake).await {
        Ok(Ok(stream)) => ("good", Some(stream)),
        Ok(Err(error)) => {
            tracing::debug!(peer.address = ?address, %error, "TLS handshake failed");
            ("failed", None)
        }
        Err(_) => ("late", None),
    };
    shared.metrics.handshakes.get_or_create(&Reason { reason }).inc();
    let Some(stream) = stream else { return };
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let peer = Peer { address, certificates: certificates.into(), encrypted: true };
    http(&shared, stream, peer, activity, stopping).await;
}

async fn http(
    shared: &Shared,
    stream: impl Stream + 'static,
    peer: Peer,
    activity: Arc<Activity>,
    mut stopping: watch::Receiver<bool>,
) {
    let builder = builder(&shared.limits);
    let answer = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        let in_flight = activity.begin();
        let answer = shared.router.clone().oneshot(request.map(Body::new));
        async move { answer.await.map(|response| response.map(|body| Counted { body, _in_flight: in_flight })) }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), answer));
    let mut watch = Watch::new(&shared.limits);
    let mut ticks = interval(watch.interval());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut closing = false;
    loop {
        let close = tokio::select! {
            _ = connection.as_mut() => return,
            _ = stopping.wait_for(|stopping| *stopping), if !closing => true,
            () = activity.spent.notified() => true,
            _ = ticks.tick() => match watch.judge(&activity) {
                Verdict::Alive => false,
                Verdict::Idle if !closing => true,
                Verdict::Idle | Verdict::Dead => return,
            },
        };
        if close && !closing {
            closing = true;
            connection.as_mut().graceful_shutdown();
        }
    }
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(limits.header_seconds))
        // hyper asks for 8 KiB at least.
        .max_buf_size((limits.header_bytes as usize).max(8 << 10));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(limits.header_bytes)
        .max_concurrent_streams(limits.streams_per_connection)
        .keep_alive_interval(Duration::from_secs(limits.idle_seconds.max(1)))
        .keep_alive_timeout(Duration::from_secs(limits.stall_seconds.max(1)));
    builder
}

/// Tells connections that stand still.
struct Watch {
    idle: Duration,
    stall: Duration,
}

enum Verdict {
    Alive,
    Idle,
    Dead,
}

impl Watch {
    fn new(limits: &Limits) -> Self {
        // While an answer is being worked on nothing need go over the wire.
        let stall = Duration::from_secs(limits.stall_seconds.max(limits.answer_seconds).max(1));
        Self { idle: Duration::from_secs(limits.idle_seconds.max(1)), stall }
    }

    fn interval(&self) -> Duration {
        self.idle.min(self.stall) / 4
    }

    fn judge(&mut self, activity: &Activity) -> Verdict {
        match (activity.is_busy(), activity.quiet()) {
            (true, quiet) if quiet > self.stall => Verdict::Dead,
            (false, quiet) if quiet > self.idle => Verdict::Idle,
            _ => Verdict::Alive,
        }
    }
}

/// A body of an answer that counts as work until its last byte is gone.
struct Counted {
    body: Body,
    _in_flight: InFlight,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
