//! Instances of a service: made for a request, or kept from the one before.

use crate::wasi2::store::{Environment, State};
use api::launch::Ending;
use bytes::Bytes;
use http::uri::Scheme;
use http::{Request, Response, Uri, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::sync::oneshot;
use wasmtime::component::InstancePre;
use wasmtime::{Engine, Result, Store};
use wasmtime_wasi_http::handler::{Proxy, ProxyPre};
use wasmtime_wasi_http::p2::bindings::http::types as two;
use wasmtime_wasi_http::{Error, WasiBody, WasiHttpView, p2, p3};

/// What a service answers: a response whose body may still be written, or an error of HTTP.
pub type Answer = std::result::Result<Response<WasiBody>, String>;

/// Finds the handler a component exports, of either generation.
pub fn link(component: InstancePre<State>) -> std::result::Result<ProxyPre<State>, Ending> {
    if let Ok(service) = p3::bindings::ServicePre::new(component.clone()) {
        return Ok(ProxyPre::P3(service));
    }
    let service = p2::bindings::ProxyPre::new(component);
    service.map(ProxyPre::P2).map_err(|error| Ending::BadModule(format!("{error:#}")))
}

/// The instances of one service.
pub struct Instances {
    engine: Engine,
    component: ProxyPre<State>,
    environment: Arc<Environment>,
    /// Requests one instance serves.
    reuse: u32,
    idle: Mutex<Vec<Instance>>,
}

impl Instances {
    /// No instances yet.
    pub fn new(
        engine: Engine,
        component: ProxyPre<State>,
        environment: Arc<Environment>,
        reuse: u32,
    ) -> Self {
        Self { engine, component, environment, reuse, idle: Mutex::default() }
    }

    /// An instance for one request.
    pub async fn take(&self) -> Result<Instance> {
        if self.reuse > 1
            && let Some(instance) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
        {
            return Ok(instance);
        }
        let mut store = self.environment.store(&self.engine)?;
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        let proxy = self.component.instantiate_async(&mut store).await?;
        Ok(Instance { store, proxy, served: 0 })
    }

    /// Keeps an instance for another request, unless it has served its number of them.
    pub fn put_back(&self, mut instance: Instance) {
        instance.served += 1;
        if instance.served < self.reuse {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(instance);
        }
    }
}

/// One instance.
pub struct Instance {
    store: Store<State>,
    proxy: Proxy,
    served: u32,
}

impl Instance {
    /// Serves one request, to the end of everything the guest does for it. The answer comes as soon as it is there.
    pub async fn serve(
        &mut self,
        request: Request<Incoming>,
        scheme: Scheme,
        answer: oneshot::Sender<Answer>,
    ) -> Result<()> {
        match &self.proxy {
            Proxy::P2(service) => {
                let scheme = if scheme == Scheme::HTTPS { two::Scheme::Https } else { two::Scheme::Http };
                let request = self.store.data_mut().http().new_incoming_request(scheme, request)?;
                let give = move |given: std::result::Result<_, two::ErrorCode>| {
                    // Who asked may be gone by now.
                    let _ = answer.send(given.map_err(|code| code.to_string()));
                };
                let out = self.store.data_mut().http().new_response_outparam_from_callback(give)?;
                service.wasi_http_incoming_handler().call_handle(&mut self.store, request, out).await
            }
            Proxy::P3(service) => {
                serve_concurrently(&mut self.store, service, absolute(request, scheme), answer).await
            }
        }
    }

    /// Says what `error` means for the workload.
    pub fn ending(&self, error: &wasmtime::Error) -> Ending {
        self.store.data().limiter.ending(error)
    }
}

async fn serve_concurrently(
    store: &mut Store<State>,
    service: &p3::bindings::Service,
    request: Request<Incoming>,
    answer: oneshot::Sender<Answer>,
) -> Result<()> {
    let (request, transmitted) = p3::Request::from_http(store.data_mut().http().hooks, request);
    store
        .run_concurrent(async move |store| {
            let response = match service.handle(store, request).await? {
                Ok(response) => response,
                Err(code) => {
                    let _ = answer.send(Err(code.to_string()));
                    return Ok(());
                }
            };
            let response = store.with(|store| response.into_http(store, transmitted))?;
            let (over, sent) = oneshot::channel();
            let body = |body| Tracked { body, _over: over }.boxed_unsync();
            if answer.send(Ok(response.map(body))).is_ok() {
                // The guest writes the body meanwhile; this ends when it is dropped.
                let _ = sent.await;
            }
            poll_fn(|cx| store.poll_no_interesting_tasks(cx)).await;
            Ok(())
        })
        .await?
}

/// Names scheme and authority in the request's target, where HTTP/1.1 has them in the connection and in `Host`.
fn absolute(mut request: Request<Incoming>, scheme: Scheme) -> Request<Incoming> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()?.parse().ok());
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.authority = parts.authority.or(host);
    parts.scheme = parts.authority.is_some().then_some(scheme);
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    request
}

/// A body whose end is waited for.
struct Tracked {
    body: WasiBody,
    _over: oneshot::Sender<()>,
}

impl Body for Tracked {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
