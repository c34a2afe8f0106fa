//! Connections the manifest declares, made before the program starts.

use super::Stream;
use super::tls::Tls;
use rustix::event::{PollFd, Timespec, poll};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long one address may take to answer, and then how long the TLS handshake.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The name means nothing.
    #[error("its address is not known: {0}")]
    Unknown(io::Error),
    /// None of its addresses answers.
    #[error("{1} ({0})")]
    Unreachable(SocketAddr, io::Error),
    /// Not a name a certificate can be checked against.
    #[error("`{0}` is not a host name that TLS can verify")]
    Name(String),
    /// The handshake failed.
    #[error("no TLS with it: {0}")]
    Tls(String),
    /// The handshake did not end in time.
    #[error("no TLS with it within {PATIENCE:?}")]
    Silent,
}

/// Connects, and completes the TLS handshake: a peer that cannot prove its name is refused before the program runs.
pub fn dial(host: &str, port: u16, tls: Option<Arc<ClientConfig>>) -> Result<Stream, DialError> {
    let socket = connect(host, port)?;
    let Some(config) = tls else { return Ok(Stream::Tcp(socket.into())) };
    let name = ServerName::try_from(host.to_owned()).map_err(|_| DialError::Name(host.to_owned()))?;
    let session = ClientConnection::new(config, name).map_err(|error| DialError::Tls(error.to_string()))?;
    let mut tls = Tls::new(socket.into(), session.into());
    let end = Instant::now() + PATIENCE;
    while let Err(error) = tls.handshake() {
        let Some(wanted) = tls.handshake_waits_for(error) else {
            return Err(DialError::Tls(tls.complaint(error)));
        };
        let left = end.checked_duration_since(Instant::now()).ok_or(DialError::Silent)?;
        let timeout = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        let _ = poll(&mut [PollFd::from_borrowed_fd(tls.as_fd(), wanted)], Some(&timeout));
    }
    Ok(Stream::Tls(Box::new(tls)))
}

fn connect(host: &str, port: u16) -> Result<TcpStream, DialError> {
    let mut failure = DialError::Unknown(io::ErrorKind::NotFound.into());
    for addr in resolve(host, port).map_err(DialError::Unknown)? {
        match TcpStream::connect_timeout(&addr, PATIENCE) {
            Ok(socket) => {
                socket.set_nonblocking(true).map_err(DialError::Unknown)?;
                // As for accepted sockets: the program cannot ask for it.
                socket.set_nodelay(true).map_err(DialError::Unknown)?;
                return Ok(socket);
            }
            Err(error) => failure = DialError::Unreachable(addr, error),
        }
    }
    Err(failure)
}

/// A keep sees no `/etc/hosts`: the one name that needs no server is known here.
fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if host == "localhost" {
        return Ok(vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]);
    }
    Ok((host, port).to_socket_addrs()?.collect())
}
