//! From a request to its response: a place among those in progress, an instance, and a limit on its time.

use crate::http::clock::Clock;
use crate::http::instance::{Answer, Instances};
use crate::wasi2::network::Network;
use api::manifest::Http;
use bytes::Bytes;
use http::uri::Scheme;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::AbortHandle;
use wasmtime_wasi_http::WasiBody;

/// Failures told to the host; a service that fails at every request is not worth more.
const FAILURES_TOLD: u32 = 16;

/// A service that answers requests.
pub struct Service {
    instances: Instances,
    network: Arc<Network>,
    places: Arc<Semaphore>,
    timeout: Duration,
    clock: Clock,
    failures: AtomicU32,
}

/// How a request without an answer ended.
enum Ended {
    /// The guest returned without giving one.
    Silent,
    /// It trapped, reached a limit, or could not be started.
    Failed,
    TimedOut,
}

impl Service {
    /// A service of these instances.
    pub fn new(instances: Instances, network: Arc<Network>, settings: &Http, clock: Clock) -> Self {
        let places = Arc::new(Semaphore::new(settings.concurrency as usize));
        let failures = AtomicU32::new(0);
        Self { instances, network, places, timeout: settings.timeout, clock, failures }
    }

    /// Answers a request. Dropped before there is an answer, it ends the guest.
    pub async fn answer(self: Arc<Self>, request: Request<Incoming>, scheme: Scheme) -> Response<WasiBody> {
        if request.uri().authority().is_none() && !request.headers().contains_key(header::HOST) {
            return refusal(StatusCode::BAD_REQUEST, "the request names no host\n");
        }
        // Never closed: the queue for a place is the back-pressure on every connection.
        let place = self.places.clone().acquire_owned().await;
        let (give, answer) = oneshot::channel();
        let guest = tokio::spawn(async move {
            let _running = self.clock.run();
            let ended = self.run(request, scheme, give).await;
            drop(place);
            ended
        });
        let abort = AbortOnDrop(Some(guest.abort_handle()));
        match answer.await {
            Ok(Ok(response)) => {
                // The guest goes on: it may be writing the body.
                abort.disarm();
                response
            }
            Ok(Err(_)) => refusal(StatusCode::BAD_GATEWAY, "the service could not answer\n"),
            Err(_) => match guest.await {
                Ok(Ended::TimedOut) => refusal(StatusCode::GATEWAY_TIMEOUT, "the service took too long\n"),
                Ok(Ended::Silent | Ended::Failed) | Err(_) => {
                    refusal(StatusCode::INTERNAL_SERVER_ERROR, "the service failed\n")
                }
            },
        }
    }

    async fn run(&self, request: Request<Incoming>, scheme: Scheme, give: oneshot::Sender<Answer>) -> Ended {
        let mut instance = match self.instances.take().await {
            Ok(instance) => instance,
            Err(error) => return self.failed(&format!("no instance: {error:#}")),
        };
        match tokio::time::timeout(self.timeout, instance.serve(request, scheme, give)).await {
            Ok(Ok(())) => {
                self.instances.put_back(instance);
                Ended::Silent
            }
            Ok(Err(error)) => self.failed(&instance.ending(&error).to_string()),
            Err(_) => {
                self.tell(&format!("it took longer than {:?} (http.timeout)", self.timeout));
                Ended::TimedOut
            }
        }
    }

    fn failed(&self, why: &str) -> Ended {
        self.tell(why);
        Ended::Failed
    }

    fn tell(&self, why: &str) {
        if self.failures.fetch_add(1, Ordering::Relaxed) < FAILURES_TOLD {
            self.network.host().request_failed(why);
        }
    }
}

fn refusal(status: StatusCode, text: &'static str) -> Response<WasiBody> {
    let body = Full::new(Bytes::from_static(text.as_bytes())).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

struct AbortOnDrop(Option<AbortHandle>);

impl AbortOnDrop {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(guest) = &self.0 {
            guest.abort();
        }
    }
}
