//! `tcp-socket`: a socket of the host that goes where the manifest lets it, and through TLS where the manifest says
//! so, without the component's knowing.
//!
//! The states are those of both generations of `wasi:sockets`; [`two`] and [`three`] give them their names.

mod options;
mod three;
mod two;

pub use three::link as link_0_3;
pub use two::link as link_0_2;

use crate::wasi2::network::Network;
use crate::wasi2::policy::{Listener, Peer, Transport};
use crate::wasi2::stream::Stream;
use api::manifest::Prot;
use rustix::io::Errno;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use wasmtime_wasi::sockets::ErrorCode;

/// Connections that may wait to be accepted, unless the component says otherwise: what Rust's library asks for.
const BACKLOG: u32 = 128;

/// A TCP socket of a component.
pub struct Tcp {
    network: Arc<Network>,
    family: Family,
    backlog: u32,
    state: State,
    /// The operation begun by a `start-` function of 0.2.
    step: Option<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Ipv4,
    Ipv6,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Bind,
    Connect,
    Listen,
}

enum State {
    Fresh(TcpSocket, Bound),
    Listening(Acceptor),
    Connecting(Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>),
    Connected(Connection),
    Failed(ErrorCode),
}

/// Where a fresh socket was bound.
enum Bound {
    No,
    /// Where it may only connect from.
    Anywhere,
    Listener(Listener),
}

/// A connection whose two ends are handed out once.
struct Connection {
    stream: Shared,
    receiver: Option<Shared>,
    sender: Option<Shared>,
}

/// A stream that its reader and its writer share.
type Shared = Arc<Mutex<Stream>>;

impl Tcp {
    fn new(network: Arc<Network>, family: Family) -> Result<Self, ErrorCode> {
        network.socket(Transport::Tcp)?;
        let socket = match family {
            Family::Ipv4 => TcpSocket::new_v4()?,
            Family::Ipv6 => TcpSocket::new_v6()?,
        };
        if family == Family::Ipv6 {
            // `wasi:sockets`: a socket of IPv6 is for IPv6 only.
            rustix::net::sockopt::set_ipv6_v6only(&socket, true).map_err(io::Error::from)?;
        }
        Ok(Self { network, family, backlog: BACKLOG, state: State::Fresh(socket, Bound::No), step: None })
    }

    fn bind(&mut self, addr: SocketAddr) -> Result<(), ErrorCode> {
        let State::Fresh(socket, bound @ Bound::No) = &mut self.state else {
            return Err(ErrorCode::InvalidState);
        };
        self.family.check(addr.ip())?;
        let listener = self.network.bind(Transport::Tcp, addr)?;
        // A socket on the same address that was closed a moment ago is no obstacle; so says `wasi:sockets`.
        socket.set_reuseaddr(true)?;
        socket.bind(addr)?;
        *bound = listener.map_or(Bound::Anywhere, Bound::Listener);
        Ok(())
    }

    fn is_bound(&self) -> bool {
        !matches!(self.state, State::Fresh(_, Bound::No))
    }

    /// Takes connections from now on, if the socket is bound where a listener is declared.
    fn listen(&mut self) -> Result<&Acceptor, ErrorCode> {
        if !self.is_bound() {
            self.bind(SocketAddr::new(self.family.unspecified(), 0))?;
        }
        let listener = match &self.state {
            State::Fresh(_, Bound::Listener(listener)) => listener.clone(),
            State::Fresh(socket, _) => {
                let refusal = self.network.policy.refuse_bind(Transport::Tcp, socket.local_addr()?);
                return Err(self.network.access_denied(refusal));
            }
            _ => return Err(ErrorCode::InvalidState),
        };
        let State::Fresh(socket, _) = self.take_state() else { return Err(ErrorCode::InvalidState) };
        let socket = socket.listen(self.backlog)?;
        self.network.listening(&listener, socket.local_addr()?);
        let (network, family, socket) = (self.network.clone(), self.family, Arc::new(socket));
        self.state = State::Listening(Acceptor { network, family, socket, listener, next: None });
        match &self.state {
            State::Listening(acceptor) => Ok(acceptor),
            _ => Err(ErrorCode::InvalidState),
        }
    }

    fn start_connect(&mut self, addr: SocketAddr) -> Result<(), ErrorCode> {
        if !matches!(self.state, State::Fresh(..)) {
            return Err(ErrorCode::InvalidState);
        }
        self.family.check(addr.ip())?;
        if addr.ip().to_canonical().is_unspecified() || addr.port() == 0 {
            return Err(ErrorCode::InvalidArgument);
        }
        let peer: Peer = self.network.connect(Transport::Tcp, addr)?;
        let State::Fresh(socket, _) = self.take_state() else { return Err(ErrorCode::InvalidState) };
        let network = self.network.clone();
        self.state = State::Connecting(Box::pin(async move {
            let socket = socket.connect(addr).await?;
            network.connected(socket, &peer)
        }));
        Ok(())
    }

    fn poll_connected(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ErrorCode>> {
        if let State::Connecting(connecting) = &mut self.state {
            self.state = match ready!(connecting.as_mut().poll(cx)) {
                Ok(stream) => State::connected(stream),
                Err(error) => State::Failed(error.into()),
            };
        }
        Poll::Ready(match &self.state {
            State::Connected(_) => Ok(()),
            State::Failed(error) => Err(*error),
            _ => Err(ErrorCode::InvalidState),
        })
    }

    /// The receiving end, once.
    fn receiver(&mut self) -> Result<Shared, ErrorCode> {
        self.connection()?.receiver.take().ok_or(ErrorCode::InvalidState)
    }

    /// The sending end, once.
    fn sender(&mut self) -> Result<Shared, ErrorCode> {
        self.connection()?.sender.take().ok_or(ErrorCode::InvalidState)
    }

    const fn connection(&mut self) -> Result<&mut Connection, ErrorCode> {
        match &mut self.state {
            State::Connected(connection) => Ok(connection),
            State::Failed(error) => Err(*error),
            _ => Err(ErrorCode::InvalidState),
        }
    }

    fn local_address(&self) -> Result<SocketAddr, ErrorCode> {
        Ok(match &self.state {
            State::Fresh(_, Bound::No) | State::Connecting(_) => return Err(ErrorCode::InvalidState),
            State::Fresh(socket, _) => socket.local_addr()?,
            State::Listening(acceptor) => acceptor.socket.local_addr()?,
            State::Connected(connection) => lock(&connection.stream).socket().local_addr()?,
            State::Failed(error) => return Err(*error),
        })
    }

    fn remote_address(&self) -> Result<SocketAddr, ErrorCode> {
        match &self.state {
            State::Connected(connection) => Ok(lock(&connection.stream).socket().peer_addr()?),
            State::Failed(error) => Err(*error),
            _ => Err(ErrorCode::InvalidState),
        }
    }

    const fn is_listening(&self) -> bool {
        matches!(self.state, State::Listening(_))
    }

    fn take_state(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Failed(ErrorCode::Other))
    }
}

impl State {
    fn connected(stream: Stream) -> Self {
        let stream = Arc::new(Mutex::new(stream));
        let (receiver, sender) = (Some(stream.clone()), Some(stream.clone()));
        Self::Connected(Connection { stream, receiver, sender })
    }
}

/// A declared listener that takes connections.
struct Acceptor {
    network: Arc<Network>,
    family: Family,
    socket: Arc<TcpListener>,
    listener: Listener,
    /// A connection that was waited for and not yet taken.
    next: Option<io::Result<TcpStream>>,
}

impl Acceptor {
    /// Another one for the same socket.
    fn share(&self) -> Self {
        let (network, socket, listener) = (self.network.clone(), self.socket.clone(), self.listener.clone());
        Self { network, family: self.family, socket, listener, next: None }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.next.is_none() {
            self.next = Some(ready!(self.socket.poll_accept(cx)).map(|(socket, _)| socket));
        }
        Poll::Ready(())
    }

    /// The next connection, or a socket that says what went wrong with it.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Tcp> {
        ready!(self.poll_ready(cx));
        let accepted = self.next.take().unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()));
        let identity = (self.listener.prot == Prot::Tls).then(|| self.network.identity()).flatten();
        let tls = identity.map(|identity| &identity.server);
        let stream = accepted.and_then(|socket| self.network.accepted(socket, tls));
        let state = match stream {
            Ok(stream) => State::connected(stream),
            Err(error) => State::Failed(accept_error(error)),
        };
        Poll::Ready(Tcp {
            network: self.network.clone(),
            family: self.family,
            backlog: BACKLOG,
            state,
            step: None,
        })
    }
}

/// Linux reports through `accept` what happened to the new connection meanwhile (accept(2)).
fn accept_error(error: io::Error) -> ErrorCode {
    match Errno::from_io_error(&error) {
        Some(
            Errno::CONNRESET
            | Errno::HOSTDOWN
            | Errno::HOSTUNREACH
            | Errno::NETDOWN
            | Errno::NETRESET
            | Errno::NETUNREACH
            | Errno::NONET
            | Errno::NOPROTOOPT
            | Errno::OPNOTSUPP
            | Errno::PROTO,
        ) => ErrorCode::ConnectionAborted,
        _ => error.into(),
    }
}

/// Lets what a stream still has to send leave by itself.
fn send_rest(network: &Network, stream: &Shared) {
    let mut guard = lock(stream);
    if guard.poll_sent(&mut Context::from_waker(std::task::Waker::noop())).is_pending() {
        drop(guard);
        let stream = stream.clone();
        network.send_rest(async move {
            // What cannot be sent, nobody is left to be told.
            let _ = std::future::poll_fn(|cx| lock(&stream).poll_sent(cx)).await;
        });
    }
}

fn lock(stream: &Shared) -> MutexGuard<'_, Stream> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Family {
    const fn unspecified(self) -> IpAddr {
        match self {
            Self::Ipv4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Self::Ipv6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        }
    }

    /// Refuses an address of another family, one for many hosts, and one of IPv4 written as IPv6.
    fn check(self, ip: IpAddr) -> Result<(), ErrorCode> {
        let fits = match ip {
            IpAddr::V4(ip) => self == Self::Ipv4 && !ip.is_multicast() && !ip.is_broadcast(),
            IpAddr::V6(ip) => self == Self::Ipv6 && !ip.is_multicast() && !embeds_ipv4(ip),
        };
        if fits { Ok(()) } else { Err(ErrorCode::InvalidArgument) }
    }
}

/// IPv4-mapped, or IPv4-compatible (RFC 4291, section 2.5.5).
fn embeds_ipv4(ip: Ipv6Addr) -> bool {
    ip.to_ipv4_mapped().is_some()
        || (matches!(ip.segments(), [0, 0, 0, 0, 0, 0, ..]) && !ip.is_unspecified() && !ip.is_loopback())
}
