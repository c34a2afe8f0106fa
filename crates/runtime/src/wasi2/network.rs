//! A component's way to the network: its policy, the names it resolved, the identity its TLS connections carry, and
//! the bytes still on their way out.

use crate::host::Host;
use crate::identity::Identity;
use crate::wasi2::policy::{Listener, Names, Peer, Policy, Refusal, Senders, Transport};
use crate::wasi2::stream::Stream;
use crate::wasi2::stream::tls::{Bench, Tls};
use crate::workload::Workload;
use api::launch::Ending;
use api::manifest::Prot;
use rustls::ServerConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use wasmtime_wasi::sockets::ErrorCode;

/// How long a workload that has ended waits for its last bytes to leave.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);
/// Addresses taken from one answer of the resolver.
const ANSWER_LIMIT: usize = 32;

/// The network as one workload may use it.
pub struct Network {
    /// What it declared.
    pub policy: Policy,
    host: Arc<Host>,
    identity: Option<Identity>,
    names: Mutex<Names>,
    senders: Mutex<Senders>,
    leaving: Mutex<JoinSet<()>>,
    bench: Bench,
}

impl Network {
    /// The network of a workload.
    pub fn new(workload: &Workload) -> Result<Self, Ending> {
        Ok(Self {
            policy: Policy::new(&workload.manifest.files).map_err(Ending::Refused)?,
            host: workload.host.clone(),
            identity: workload.identity.clone(),
            names: Mutex::default(),
            senders: Mutex::default(),
            leaving: Mutex::default(),
            bench: Bench::default(),
        })
    }

    /// Tells the host what was refused.
    pub fn deny(&self, refusal: Refusal) {
        self.host.deny(refusal.operation, refusal.rule);
    }

    /// Tells the host that a declared listener is bound.
    pub fn listening(&self, listener: &Listener, addr: SocketAddr) {
        self.host.listening(&listener.name, listener.prot, addr);
    }

    /// The way to the host.
    pub const fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// The keep's TLS configurations; every manifest that declares TLS has them.
    pub const fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Asks whether a socket may be made.
    pub fn socket(&self, transport: Transport) -> Result<(), ErrorCode> {
        self.policy.socket(transport).map_err(|refusal| self.access_denied(refusal))
    }

    /// Asks where a socket may be bound.
    pub fn bind(&self, transport: Transport, addr: SocketAddr) -> Result<Option<Listener>, ErrorCode> {
        let listener = self.policy.bind(transport, addr);
        listener.map(Option::<&Listener>::cloned).map_err(|refusal| self.access_denied(refusal))
    }

    /// Asks which declared peer `addr` belongs to.
    pub fn connect(&self, transport: Transport, addr: SocketAddr) -> Result<Peer, ErrorCode> {
        let peer = self.policy.connect(transport, addr, &lock(&self.names)).cloned();
        peer.map_err(|refusal| self.access_denied(refusal))
    }

    /// Reports a refusal, and gives what the component is told.
    pub fn access_denied(&self, refusal: Refusal) -> ErrorCode {
        self.deny(refusal);
        ErrorCode::AccessDenied
    }

    /// Resolves a declared name, and remembers the answer.
    pub async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        self.policy.resolve(name).map_err(|refusal| {
            self.deny(refusal);
            ResolveError::Denied
        })?;
        let addresses = look_up(name).await?;
        lock(&self.names).remember(name, &addresses);
        Ok(addresses)
    }

    /// A connection taken from a listener, with TLS if there is a configuration for it.
    pub fn accepted(&self, socket: TcpStream, tls: Option<&Arc<ServerConfig>>) -> io::Result<Stream> {
        let tls = tls.map(|config| Tls::server(config.clone(), self.bench.clone())).transpose()?;
        Ok(Stream::new(socket, tls))
    }

    /// A connection to a declared peer, which with TLS has to prove its name.
    pub fn connected(&self, socket: TcpStream, peer: &Peer) -> io::Result<Stream> {
        let tls = match (peer.prot, &self.identity) {
            (Prot::Tls, Some(identity)) => {
                let name = ServerName::try_from(peer.host.clone()).map_err(io::Error::other)?;
                Some(Tls::client(identity.client.clone(), name, self.bench.clone())?)
            }
            _ => None,
        };
        Ok(Stream::new(socket, tls))
    }

    /// Tells the host where datagrams are received, if a listener is declared for that.
    pub fn listening_for_datagrams(&self, addr: SocketAddr) {
        if let Ok(Some(listener)) = self.policy.bind(Transport::Udp, addr) {
            self.listening(listener, addr);
        }
    }

    /// Whether a datagram from `addr` reaches the component, which may then answer it.
    pub fn hears(&self, addr: SocketAddr) -> bool {
        if self.policy.listeners().iter().any(|listener| listener.prot == Prot::Udp) {
            lock(&self.senders).remember(addr);
            return true;
        }
        self.policy.connect(Transport::Udp, addr, &lock(&self.names)).is_ok()
    }

    /// Whether a datagram from `addr` has reached the component.
    pub fn has_heard(&self, addr: SocketAddr) -> bool {
        lock(&self.senders).contains(addr)
    }

    /// Sends the rest of a stream in the background.
    pub fn send_rest(&self, sending: impl Future<Output = ()> + Send + 'static) {
        let mut leaving = lock(&self.leaving);
        while leaving.try_join_next().is_some() {}
        leaving.spawn(sending);
    }

    /// Waits, for a while, until everything written has left.
    pub async fn flush(&self) {
        let mut leaving = std::mem::take(&mut *lock(&self.leaving));
        let _ =
            tokio::time::timeout(FLUSH_LIMIT, async { while leaving.join_next().await.is_some() {} }).await;
    }
}

/// Why a name has no addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResolveError {
    /// The manifest does not declare it.
    Denied,
    /// Nobody knows it.
    Unknown,
}

async fn look_up(name: &str) -> Result<Vec<IpAddr>, ResolveError> {
    if let Ok(ip) = name.trim_start_matches('[').trim_end_matches(']').parse() {
        return Ok(vec![ip]);
    }
    // RFC 6761, section 6.3: a name that never needs a resolver.
    if name.eq_ignore_ascii_case("localhost") {
        return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    let found = tokio::net::lookup_host((name, 0)).await.map_err(|_| ResolveError::Unknown)?;
    Ok(found.map(|addr| addr.ip().to_canonical()).take(ANSWER_LIMIT).collect())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
