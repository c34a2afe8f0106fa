//! Clients and servers that keeps talk to.

use crate::run::DEADLINE;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, ServerConfig, ServerConnection,
    SignatureScheme, StreamOwned, SupportedProtocolVersion,
};
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread;

/// A TLS connection of a test to a keep.
pub type Client = StreamOwned<ClientConnection, TcpStream>;
/// A TLS connection of a keep to a test.
pub type Server = StreamOwned<ServerConnection, TcpStream>;

/// Connects, by TLS 1.3, to whoever is there.
pub fn connect(address: SocketAddr) -> Client {
    connect_with(address, &[&rustls::version::TLS13], &[])
}

/// Connects with these protocol versions and application protocols to whoever is there.
pub fn connect_with(
    address: SocketAddr,
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[&[u8]],
) -> Client {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone());
    let builder = builder.with_protocol_versions(versions).expect("versions of this provider");
    let anyone = Arc::new(Anyone(provider));
    let mut config = builder.dangerous().with_custom_certificate_verifier(anyone).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a client");
    StreamOwned::new(connection, connect_plain(address))
}

/// Says goodbye as TLS wants it, and nothing else; before that, hello, if that was not said yet.
pub fn leave(mut stream: Client) {
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).expect("a handshake");
    }
    stream.conn.send_close_notify();
    stream.flush().expect("a peer that reads");
}

/// Connects without TLS.
pub fn connect_plain(address: SocketAddr) -> TcpStream {
    bounded(TcpStream::connect(reachable(address)).expect("a listening keep"))
}

/// A listener for a keep to connect to.
pub fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

/// Waits for a keep to connect.
pub fn accept(listener: &TcpListener) -> TcpStream {
    let (sender, receiver) = mpsc::channel();
    let listener = listener.try_clone().expect("a second handle");
    thread::spawn(move || sender.send(listener.accept()));
    let accepted = receiver.recv_timeout(DEADLINE).expect("a connection of the keep in time");
    bounded(accepted.expect("a connection of the keep").0)
}

/// A stream on which nothing lasts longer than a test may.
fn bounded(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    stream.set_write_timeout(Some(DEADLINE)).expect("a deadline");
    stream
}

/// The address to connect to for a listener bound here: "every address" is reached by the loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => (std::net::Ipv4Addr::LOCALHOST, v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => (std::net::Ipv6Addr::LOCALHOST, v6.port()).into(),
        other => other,
    }
}

/// A server with a certificate of its own making for `localhost`.
pub struct Authority {
    /// Its certificate, for those who shall trust it.
    pub pem: String,
    config: Arc<ServerConfig>,
}

impl Authority {
    /// Makes key and certificate.
    pub fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.expect("versions of this provider").with_no_client_auth();
        let config =
            builder.with_single_cert(vec![made.cert.der().clone()], key).expect("key and certificate");
        Self { pem: made.cert.pem(), config: Arc::new(config) }
    }

    /// Serves one accepted connection.
    pub fn serve(&self, stream: TcpStream) -> Server {
        StreamOwned::new(ServerConnection::new(self.config.clone()).expect("a server"), stream)
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// Accepts every certificate: who a keep is, is another test's question.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
