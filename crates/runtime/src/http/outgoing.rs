//! Requests a component makes: to declared peers only, over connections that are kept for the next request.

use crate::wasi2::network::{Network, ResolveError};
use crate::wasi2::policy::Peer;
use crate::wasi2::stream::Stream;
use api::manifest::Prot;
use bytes::Bytes;
use http::uri::{PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, timeout};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// How long each step of a request may take, unless the component says otherwise.
const TIMEOUT: Duration = Duration::from_secs(600);
/// Idle connections kept for one peer.
const IDLE_LIMIT: usize = 8;

/// What became of a request, and what remains to be done while its body is read: nothing, here.
type Sent = Result<(Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

/// The client of all instances.
#[derive(Clone)]
pub struct Outgoing(Arc<Client>);

/// Connections between two requests, by the host and port they lead to.
type Idle = BTreeMap<(String, u16), Vec<SendRequest<WasiBody>>>;

struct Client {
    network: Arc<Network>,
    idle: Mutex<Idle>,
}

impl Outgoing {
    /// A client on this network.
    pub fn new(network: Arc<Network>) -> Self {
        Self(Arc::new(Client { network, idle: Mutex::default() }))
    }
}

impl WasiHttpHooks for Outgoing {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let client = self.0.clone();
        Box::new(async move { client.send(request, options.unwrap_or_default()).await })
    }
}

impl Client {
    async fn send(self: Arc<Self>, mut request: Request<WasiBody>, options: RequestOptions) -> Sent {
        let peer = self.peer(request.uri())?;
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = path.unwrap_or_else(|| PathAndQuery::from_static("/")).into();
        let connecting = timeout(options.connect_timeout.unwrap_or(TIMEOUT), self.connection(&peer));
        let mut connection = connecting.await.map_err(|_| Error::ConnectionTimeout)??;
        let answering = connection.send_request(request);
        let answered = timeout(options.first_byte_timeout.unwrap_or(TIMEOUT), answering).await;
        let response = answered.map_err(|_| Error::HttpResponseTimeout)??;
        let patience = options.between_bytes_timeout.unwrap_or(TIMEOUT);
        let body = |body| Body {
            body,
            patience,
            deadline: Box::pin(tokio::time::sleep(patience)),
            connection: Some((self.clone(), peer, connection)),
        };
        Ok((response.map(|incoming| body(incoming).boxed_unsync()), Box::new(std::future::ready(Ok(())))))
    }

    /// The declared peer a request goes to.
    fn peer(&self, uri: &Uri) -> Result<Peer, Error> {
        let authority = uri.authority().ok_or(Error::HttpRequestUriInvalid)?;
        let prot = if uri.scheme() == Some(&Scheme::HTTP) { Prot::Tcp } else { Prot::Tls };
        let port = authority.port_u16().or(prot.default_port()).ok_or(Error::HttpRequestUriInvalid)?;
        self.network.policy.request(prot, authority.host(), port).cloned().map_err(|refusal| {
            self.network.deny(refusal);
            Error::HttpRequestDenied
        })
    }

    /// An idle connection to `peer`, or a new one.
    async fn connection(&self, peer: &Peer) -> Result<SendRequest<WasiBody>, Error> {
        while let Some(mut idle) = self.take_idle(peer) {
            if idle.ready().await.is_ok() {
                return Ok(idle);
            }
        }
        let mut stream = self.connect(peer).await?;
        poll_fn(|cx| stream.poll_established(cx)).await.map_err(Error::Tls)?;
        let (requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends with its last request; what went wrong, that request says.
        tokio::spawn(async move { drop(connection.await) });
        Ok(requests)
    }

    async fn connect(&self, peer: &Peer) -> Result<Stream, Error> {
        let addresses = self.network.resolve(&peer.host).await.map_err(|error| match error {
            ResolveError::Denied => Error::HttpRequestDenied,
            ResolveError::Unknown => Error::DnsError { rcode: None, info_code: None },
        })?;
        let mut failure = io::ErrorKind::HostUnreachable.into();
        for address in addresses {
            match TcpStream::connect(SocketAddr::new(address, peer.port)).await {
                Ok(socket) => return self.network.connected(socket, peer).map_err(Error::Tls),
                Err(error) => failure = error,
            }
        }
        Err(Error::Connect(failure))
    }

    fn take_idle(&self, peer: &Peer) -> Option<SendRequest<WasiBody>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.get_mut(&(peer.host.clone(), peer.port))?.pop()
    }

    fn put_idle(&self, peer: Peer, connection: SendRequest<WasiBody>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = idle.entry((peer.host, peer.port)).or_default();
        if idle.len() < IDLE_LIMIT && !connection.is_closed() {
            idle.push(connection);
        }
    }
}

/// The body of a response. Read to its end, it gives its connection back.
struct Body {
    body: hyper::body::Incoming,
    patience: Duration,
    deadline: Pin<Box<Sleep>>,
    connection: Option<(Arc<Client>, Peer, SendRequest<WasiBody>)>,
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(frame)) => {
                let next = Instant::now() + self.patience;
                self.deadline.as_mut().reset(next);
                Poll::Ready(Some(frame.map_err(Error::from)))
            }
            Poll::Ready(None) => {
                if let Some((client, peer, connection)) = self.connection.take() {
                    client.put_idle(peer, connection);
                }
                Poll::Ready(None)
            }
            Poll::Pending => {
                ready!(self.deadline.as_mut().poll(cx));
                Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        // Not before the connection is given back.
        self.connection.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
