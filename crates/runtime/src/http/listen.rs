//! The declared listeners of a service: HTTPS where `prot = "tls"`, plain HTTP where `prot = "tcp"`.

use crate::http::service::Service;
use crate::wasi2::network::Network;
use crate::wasi2::policy::Listener as Declared;
use crate::wasi2::stream::Stream;
use api::launch::Ending;
use api::manifest::Prot;
use http::uri::Scheme;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// Connections at once, per listener.
const CONNECTIONS: usize = 4096;
/// Connections the kernel keeps until they are accepted.
const BACKLOG: u32 = 1024;
/// How long a client may take for its TLS handshake, for a request's head, and between requests.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long what was sent may stay unacknowledged, in milliseconds: a client that does not read is let go.
const UNREAD_TIMEOUT: u32 = 60_000;
/// Bytes of a request's head.
const HEAD_LIMIT: usize = 64 << 10;
/// Requests in progress on one connection of HTTP/2.
const STREAMS: u32 = 128;
/// The wait before accepting again after the kernel could not.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// The first bytes of HTTP/2 without TLS (RFC 9113, section 3.4); no method of HTTP/1.1 begins with them.
const PREFACE: &[u8] = b"PRI ";

/// A bound listener.
pub struct Listener {
    socket: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    network: Arc<Network>,
}

/// Binds all declared listeners.
pub fn bind(network: &Arc<Network>) -> Result<Vec<Listener>, Ending> {
    let declared = network.policy.listeners().iter().filter(|listener| listener.prot != Prot::Udp);
    let listeners: Vec<Listener> =
        declared.map(|declared| bind_one(network, declared)).collect::<Result<_, _>>()?;
    if listeners.is_empty() {
        return Err(Ending::Refused(
            "the workload serves HTTP, but its manifest declares no listener\n\
             hint: add to Enarx.toml:\n\n[[files]]\nkind = \"listen\"\nname = \"web\"\nprot = \"tls\"\nport = 8443"
                .to_owned(),
        ));
    }
    Ok(listeners)
}

fn bind_one(network: &Arc<Network>, declared: &Declared) -> Result<Listener, Ending> {
    let socket = open(declared).map_err(|error| {
        Ending::Refused(format!("{:?} cannot listen on {}: {error}", declared.name, declared.addr))
    })?;
    if let Ok(addr) = socket.local_addr() {
        network.listening(declared, addr);
    }
    let tls = (declared.prot == Prot::Tls).then(|| network.identity()).flatten().map(|identity| {
        let mut config = ServerConfig::clone(&identity.server);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    });
    Ok(Listener { socket, tls, network: network.clone() })
}

fn open(declared: &Declared) -> io::Result<TcpListener> {
    let socket = if declared.addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if declared.addr.is_ipv6() {
        // `::` is for IPv4 too.
        rustix::net::sockopt::set_ipv6_v6only(&socket, false)?;
    }
    socket.set_reuseaddr(true)?;
    socket.bind(declared.addr)?;
    socket.listen(BACKLOG)
}

impl Listener {
    /// Serves connections for ever.
    pub async fn serve(self, service: Arc<Service>) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let place = places.clone().acquire_owned().await;
            let stream = match self.socket.accept().await {
                Ok((socket, _)) => self.stream(socket),
                Err(error) => Err(error),
            };
            let Ok(stream) = stream else {
                sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let (service, scheme) = (service.clone(), self.scheme());
            tokio::spawn(async move {
                // How a connection fails is its client's affair.
                let _ = connection(stream, scheme, service).await;
                drop(place);
            });
        }
    }

    fn stream(&self, socket: TcpStream) -> io::Result<Stream> {
        socket.set_nodelay(true)?;
        rustix::net::sockopt::set_tcp_user_timeout(&socket, UNREAD_TIMEOUT)?;
        self.network.accepted(socket, self.tls.as_ref())
    }

    fn scheme(&self) -> Scheme {
        if self.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP }
    }
}

async fn connection(mut stream: Stream, scheme: Scheme, service: Arc<Service>) -> io::Result<()> {
    timeout(CLIENT_TIMEOUT, poll_fn(|cx| stream.poll_established(cx))).await??;
    let http2 = match stream.protocol() {
        Some(protocol) => protocol == b"h2",
        None if scheme == Scheme::HTTP => timeout(CLIENT_TIMEOUT, begins_http2(stream.socket())).await??,
        None => false,
    };
    let answer = service_fn(move |request| {
        let answering = service.clone().answer(request, scheme.clone());
        async move { Ok::<_, Infallible>(answering.await) }
    });
    let io = TokioIo::new(stream);
    let served = if http2 {
        http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(CLIENT_TIMEOUT)
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(HEAD_LIMIT as u32)
            .serve_connection(io, answer)
            .await
    } else {
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(CLIENT_TIMEOUT)
            .max_buf_size(HEAD_LIMIT)
            .serve_connection(io, answer)
            .await
    };
    served.map_err(io::Error::other)
}

/// Looks at the first bytes of a plain connection without taking them.
async fn begins_http2(socket: &TcpStream) -> io::Result<bool> {
    let mut first = [0; PREFACE.len()];
    let len = socket.peek(&mut first).await?;
    Ok(first[..len] == *PREFACE)
}
