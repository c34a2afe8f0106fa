//! A client that costs little: requests made once, answers read as far as needed.

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Opens connections.
#[derive(Clone)]
pub struct Client {
    connector: TlsConnector,
    address: SocketAddr,
}

impl Client {
    pub fn new(root: &[u8], address: SocketAddr) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(root.to_vec())).expect("a root");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut config = builder.expect("versions").with_root_certificates(roots).with_no_client_auth();
        // Each connection costs the whole handshake.
        config.resumption = rustls::client::Resumption::disabled();
        Self { connector: Arc::new(config).into(), address }
    }

    /// A TCP connection from this address of the loopback network.
    pub async fn connect_from(&self, from: IpAddr) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(from, 0))?;
        let stream = socket.connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    pub async fn encrypt(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from("localhost").expect("a name");
        self.connector.connect(name, stream).await
    }

    pub async fn open(&self) -> io::Result<TlsStream<TcpStream>> {
        self.encrypt(self.connect_from([127, 0, 0, 1].into()).await?).await
    }
}

/// A POST of a certification request.
pub fn post(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /v1/certificates?profile=lab HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/pkcs10\r\n\
         Accept: application/pkix-pkipath\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Sends a request and reads its answer; gives the status.
pub async fn exchange(stream: &mut TlsStream<TcpStream>, request: &[u8]) -> io::Result<u16> {
    tokio::time::timeout(Duration::from_secs(30), async {
        stream.write_all(request).await?;
        stream.flush().await?;
        answer(stream).await
    })
    .await
    .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn answer(stream: &mut TlsStream<TcpStream>) -> io::Result<u16> {
    let mut bytes = Vec::with_capacity(4096);
    let wrong = || io::Error::from(io::ErrorKind::InvalidData);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let status = head.get(9..12).and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
        while bytes.len() < end + 4 + length {
            if stream.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        return Ok(status);
    }
}

/// The value that this share of all is not above.
pub fn quantile(sorted: &[Duration], share: f64) -> Duration {
    sorted[((sorted.len() as f64 * share) as usize).min(sorted.len() - 1)]
}
