//! Sockets: TCP, sockets of the file system, and those that systemd hands over.

use listenfd::ListenFd;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, UnixListener};

/// Connections that the kernel holds before we take them.
const BACKLOG: u32 = 4096;
/// Owner and group may connect.
const SOCKET_MODE: u32 = 0o660;

/// Where to listen: `address:port`, `unix:/path`, or `systemd` for every socket that systemd hands over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Endpoint {
    /// TCP.
    Tcp(String),
    /// A socket of the file system.
    Unix(PathBuf),
    /// What systemd hands over (sd_listen_fds(3)).
    Systemd,
}

/// An open socket.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A socket of the file system.
    Unix(UnixListener),
}

/// One accepted connection.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A socket that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be listened on.
    #[error("cannot listen on `{endpoint}`")]
    Bind {
        /// Which.
        endpoint: Endpoint,
        /// Why.
        source: io::Error,
    },
    /// systemd handed nothing over.
    #[error("systemd handed no socket over")]
    NoneHandedOver,
}

impl ListenError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoneHandedOver => Some("start the program through its .socket unit, or change `listen`"),
            Self::Bind { source, .. } => match source.kind() {
                io::ErrorKind::AddrInUse => Some("another program listens there; stop it or change `listen`"),
                io::ErrorKind::PermissionDenied => {
                    Some("ports below 1024 need CAP_NET_BIND_SERVICE or socket activation")
                }
                _ => None,
            },
        }
    }
}

impl TryFrom<String> for Endpoint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "systemd" {
            return Ok(Self::Systemd);
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::Unix(path.into()));
        }
        let port = text.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        match port {
            Some(_) => Ok(Self::Tcp(text)),
            None => Err(format!("`{text}` is neither address:port nor unix:/path nor systemd")),
        }
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.to_string()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Systemd => f.write_str("systemd"),
        }
    }
}

/// Opens the sockets of all endpoints. Must run inside the runtime.
pub fn open(endpoints: &[Endpoint]) -> Result<Vec<Listener>, ListenError> {
    let mut listeners = Vec::new();
    for endpoint in endpoints {
        let failed = |source| ListenError::Bind { endpoint: endpoint.clone(), source };
        match endpoint {
            Endpoint::Tcp(address) => listeners.extend(tcp(address).map_err(failed)?),
            Endpoint::Unix(path) => listeners.push(unix(path).map_err(failed)?),
            Endpoint::Systemd => listeners.extend(handed_over().map_err(failed)?),
        }
    }
    if listeners.is_empty() && !endpoints.is_empty() {
        return Err(ListenError::NoneHandedOver);
    }
    Ok(listeners)
}

impl Listener {
    /// The next connection, and its address if it has one.
    pub async fn accept(&self) -> io::Result<(Box<dyn Stream>, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok((Box::new(stream), Some(address)))
            }
            Self::Unix(listener) => Ok((Box::new(listener.accept().await?.0), None)),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(listener) => match listener.local_addr() {
                Ok(address) => write!(f, "{address}"),
                Err(_) => f.write_str("a TCP socket"),
            },
            Self::Unix(listener) => {
                let address = listener.local_addr().ok();
                match address.as_ref().and_then(|address| address.as_pathname()) {
                    Some(path) => write!(f, "unix:{}", path.display()),
                    None => f.write_str("a local socket"),
                }
            }
        }
    }
}

/// A name may stand for several addresses; each is listened on.
fn tcp(address: &str) -> io::Result<Vec<Listener>> {
    let listen = |address: SocketAddr| {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG).map(Listener::Tcp)
    };
    address.to_socket_addrs()?.map(listen).collect()
}

fn unix(path: &Path) -> io::Result<Listener> {
    // Left behind by a process that was killed; anything but a socket is not ours to remove.
    if std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket()) {
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
    Ok(Listener::Unix(listener))
}

fn handed_over() -> io::Result<Vec<Listener>> {
    let mut sockets = ListenFd::from_env();
    let mut listeners = Vec::new();
    for index in 0..sockets.len() {
        if let Ok(Some(listener)) = sockets.take_tcp_listener(index) {
            listener.set_nonblocking(true)?;
            listeners.push(Listener::Tcp(TcpListener::from_std(listener)?));
        } else if let Some(listener) = sockets.take_unix_listener(index)? {
            listener.set_nonblocking(true)?;
            listeners.push(Listener::Unix(UnixListener::from_std(listener)?));
        }
    }
    Ok(listeners)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_and_written() {
        fn check(text: &str, expected: Option<Endpoint>) {
            let read = Endpoint::try_from(text.to_owned()).ok();
            assert_eq!(read, expected, "{text}");
            if let Some(endpoint) = read {
                assert_eq!(endpoint.to_string(), text);
            }
        }
        check("[::]:443", Some(Endpoint::Tcp("[::]:443".to_owned())));
        check("localhost:0", Some(Endpoint::Tcp("localhost:0".to_owned())));
        check("unix:/run/x.sock", Some(Endpoint::Unix("/run/x.sock".into())));
        check("systemd", Some(Endpoint::Systemd));
        check("localhost", None);
        check("localhost:http", None);
    }

    #[tokio::test]
    async fn a_socket_left_behind_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let endpoint = [Endpoint::Unix(folder.path().join("x.sock"))];
        let first = open(&endpoint).expect("nobody listens there");
        assert!(
            matches!(open(&endpoint), Err(ListenError::Bind { source, .. }) if source.kind() == io::ErrorKind::AddrInUse)
        );
        drop(first);
        open(&endpoint).expect("the one who listened is gone");
    }
}
