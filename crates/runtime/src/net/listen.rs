//! Listening sockets.

use super::tls::Tls;
use super::{Readiness, Stream};
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::sockopt::set_tcp_nodelay;
use rustix::net::{SocketFlags, accept_with, listen};
use rustls::{ServerConfig, ServerConnection};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// Connections the kernel completes before the program accepts them; it takes at most its `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// A bound socket, whose connections are under TLS if the manifest says so.
pub struct Listener {
    socket: TcpListener,
    tls: Option<Arc<ServerConfig>>,
}

impl Listener {
    /// Binds and listens.
    pub fn bind(addr: &str, port: u16, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        let bound = TcpListener::bind((addr, port));
        let socket = match bound {
            // "Any address" of a host that has no IPv6.
            Err(error) if is_unspecified_v6(addr) && lacks_family(&error) => {
                TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?
            }
            bound => bound?,
        };
        socket.set_nonblocking(true)?;
        // WASI 0.1 has no socket options. Accepted sockets inherit this one: a program that writes its answer in
        // pieces does not wait for its peer's delayed acknowledgement.
        set_tcp_nodelay(&socket, true)?;
        listen(&socket, BACKLOG)?;
        Ok(Self { socket, tls })
    }

    /// Where it is bound.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Takes the next connection. Its TLS handshake is left to its first reads and writes, so that a slow client
    /// delays nobody else.
    pub fn accept(&self) -> Result<Stream, Errno> {
        let socket = loop {
            match accept_with(&self.socket, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                // The client is gone already: accept(2) says to take the next.
                Err(Errno::CONNABORTED) => {}
                accepted => break accepted?,
            }
        };
        let Some(config) = &self.tls else { return Ok(Stream::Tcp(socket)) };
        let session = ServerConnection::new(config.clone()).map_err(|_| Errno::NOMEM)?;
        Ok(Stream::Tls(Box::new(Tls::new(socket, session.into()))))
    }

    /// Whether a connection waits, now that `poll(2)` has `seen` this.
    pub fn ready(&self, seen: PollFlags) -> Readiness {
        if seen.is_empty() {
            return Readiness::Wait(PollFlags::IN);
        }
        Readiness::Ready { bytes: 1, hangup: false }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn is_unspecified_v6(addr: &str) -> bool {
    addr.parse().is_ok_and(|addr: IpAddr| addr.is_ipv6() && addr.is_unspecified())
}

fn lacks_family(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL))
}
