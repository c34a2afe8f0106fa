//! TLS between a socket and its reader and writer: records in, plaintext out, and back.
//!
//! rustls' unbuffered interface decides what every record means; this keeps the bytes. Received records are decrypted
//! as many at a time as one read of the socket brought; sent ones go to the socket from a buffer that all
//! connections of the thread share.

use bytes::BytesMut;
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::pki_types::ServerName;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{ClientConfig, ServerConfig};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// Plaintext sealed at a time: four full records.
pub const PLAINTEXT_LIMIT: usize = 64 << 10;
/// What sealing adds at most to [`PLAINTEXT_LIMIT`]: for each of five records a header, a nonce, a content type and a
/// tag (RFC 8446, section 5.2; RFC 5246, section 6.2.3.3).
const OVERHEAD: usize = 5 * 64;
/// Received bytes without a complete record in them, at most: a record of 2^14 bytes and its largest overhead
/// (RFC 5246, section 6.2.3), in handshakes a message of as many as rustls takes, 64 KiB.
const INCOMING_LIMIT: usize = (64 << 10) + (18 << 10);

/// Where records are sealed before they go to the socket, shared by all connections: they take turns.
pub type Bench = Arc<Mutex<Vec<u8>>>;

/// One side of a TLS connection.
pub struct Tls {
    session: Session,
    bench: Bench,
    /// Received and not yet understood.
    incoming: Vec<u8>,
    /// Understood and not yet read.
    plaintext: BytesMut,
    established: bool,
    /// The peer has said that nothing follows.
    closed: bool,
}

enum Session {
    Server(UnbufferedServerConnection),
    Client(UnbufferedClientConnection),
}

/// What a session waits for.
enum Step {
    /// Nothing: it has more to do.
    Again,
    /// More bytes from the peer.
    Receive,
    /// Nothing in particular: both sides may send.
    Established,
    /// As before, and the peer sends no more.
    PeerClosed,
}

impl Tls {
    /// The side that was connected to.
    pub fn server(config: Arc<ServerConfig>, bench: Bench) -> io::Result<Self> {
        let session = UnbufferedServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Self::new(Session::Server(session), bench))
    }

    /// The side that connects, to a peer that has to prove `name`.
    pub fn client(config: Arc<ClientConfig>, name: ServerName<'static>, bench: Bench) -> io::Result<Self> {
        let session = UnbufferedClientConnection::new(config, name).map_err(io::Error::other)?;
        Ok(Self::new(Session::Client(session), bench))
    }

    fn new(session: Session, bench: Bench) -> Self {
        let (incoming, plaintext) = (Vec::new(), BytesMut::new());
        Self { session, bench, incoming, plaintext, established: false, closed: false }
    }

    /// Whether the handshake is over.
    pub const fn is_established(&self) -> bool {
        self.established
    }

    /// Whether the peer has closed its direction.
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// The application protocol both sides agreed on.
    pub fn protocol(&self) -> Option<&[u8]> {
        match &self.session {
            Session::Server(session) => session.alpn_protocol(),
            Session::Client(session) => session.alpn_protocol(),
        }
    }

    /// Where the next bytes from the socket belong.
    pub const fn incoming(&mut self) -> &mut Vec<u8> {
        &mut self.incoming
    }

    /// What was received and not yet read.
    pub const fn plaintext(&mut self) -> &mut BytesMut {
        &mut self.plaintext
    }

    /// Whether there is any.
    pub fn has_plaintext(&self) -> bool {
        !self.plaintext.is_empty()
    }

    /// Understands all complete records received so far. What has to be sent because of them, the handshake's
    /// messages and alerts among it, goes to the end of `outgoing`.
    pub fn process(&mut self, outgoing: &mut Vec<u8>) -> io::Result<()> {
        let mut used = 0;
        let result = loop {
            match self.step(&mut used, outgoing) {
                Ok(Step::Again) => {}
                Ok(Step::Receive) => break Ok(()),
                Ok(Step::Established) => {
                    self.established = true;
                    break Ok(());
                }
                Ok(Step::PeerClosed) => self.closed = true,
                Err(error) => {
                    // One more step brings out the alert that tells the peer.
                    let _ = self.step(&mut used, outgoing);
                    break Err(io::Error::new(io::ErrorKind::ConnectionAborted, error));
                }
            }
        };
        self.incoming.drain(..used);
        if self.incoming.is_empty() {
            // An idle connection keeps no buffer.
            self.incoming = Vec::new();
        }
        if result.is_ok() && self.incoming.len() > INCOMING_LIMIT {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a TLS message without an end"));
        }
        result
    }

    /// Seals `plaintext`, [`PLAINTEXT_LIMIT`] bytes at most, and passes the records to `send`.
    pub fn seal<T>(&mut self, plaintext: &[u8], send: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        let mut bench = self.bench.lock().unwrap_or_else(PoisonError::into_inner);
        bench.resize(PLAINTEXT_LIMIT + OVERHEAD, 0);
        let incoming = &mut self.incoming;
        let len = match &mut self.session {
            Session::Server(session) => seal(session.process_tls_records(incoming), plaintext, &mut bench)?,
            Session::Client(session) => seal(session.process_tls_records(incoming), plaintext, &mut bench)?,
        };
        Ok(send(&bench[..len]))
    }

    /// Tells the peer, at the end of `outgoing`, that nothing follows.
    pub fn close(&mut self, outgoing: &mut Vec<u8>) {
        let mut alert = [0; 128];
        let len = match &mut self.session {
            Session::Server(session) => close(session.process_tls_records(&mut self.incoming), &mut alert),
            Session::Client(session) => close(session.process_tls_records(&mut self.incoming), &mut alert),
        };
        outgoing.extend_from_slice(&alert[..len]);
    }

    fn step(&mut self, used: &mut usize, outgoing: &mut Vec<u8>) -> Result<Step, rustls::Error> {
        let records = &mut self.incoming[*used..];
        match &mut self.session {
            Session::Server(session) => {
                let status: UnbufferedStatus<'_, '_, ServerConnectionData> =
                    session.process_tls_records(records);
                step(status, used, &mut self.plaintext, outgoing)
            }
            Session::Client(session) => {
                let status: UnbufferedStatus<'_, '_, ClientConnectionData> =
                    session.process_tls_records(records);
                step(status, used, &mut self.plaintext, outgoing)
            }
        }
    }
}

fn step<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    used: &mut usize,
    plaintext: &mut BytesMut,
    outgoing: &mut Vec<u8>,
) -> Result<Step, rustls::Error> {
    *used += status.discard;
    Ok(match status.state? {
        ConnectionState::ReadTraffic(mut traffic) => {
            while let Some(record) = traffic.next_record() {
                let record = record?;
                *used += record.discard;
                plaintext.extend_from_slice(record.payload);
            }
            Step::Again
        }
        ConnectionState::EncodeTlsData(mut message) => {
            let start = outgoing.len();
            let needed = match message.encode(&mut []) {
                Err(EncodeError::InsufficientSize(needed)) => needed.required_size,
                _ => 0,
            };
            outgoing.resize(start + needed, 0);
            let _ = message.encode(&mut outgoing[start..]);
            Step::Again
        }
        ConnectionState::TransmitTlsData(transmit) => {
            // `outgoing` leaves in order whatever follows it.
            transmit.done();
            Step::Again
        }
        ConnectionState::PeerClosed => Step::PeerClosed,
        ConnectionState::WriteTraffic(_) | ConnectionState::Closed => Step::Established,
        ConnectionState::BlockedHandshake => Step::Receive,
        // Early data is not enabled, and nothing else exists in rustls 0.23.
        _ => return Err(rustls::Error::General("an unexpected state".to_owned())),
    })
}

fn seal<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    plaintext: &[u8],
    sealed: &mut [u8],
) -> io::Result<usize> {
    match status.state.map_err(io::Error::other)? {
        ConnectionState::WriteTraffic(mut traffic) => match traffic.encrypt(plaintext, sealed) {
            Ok(len) => Ok(len),
            Err(EncryptError::InsufficientSize(_)) => Err(io::ErrorKind::OutOfMemory.into()),
            Err(EncryptError::EncryptExhausted) => Err(io::ErrorKind::ConnectionAborted.into()),
        },
        _ => Err(io::ErrorKind::NotConnected.into()),
    }
}

fn close<Data>(status: UnbufferedStatus<'_, '_, Data>, alert: &mut [u8]) -> usize {
    match status.state {
        Ok(ConnectionState::WriteTraffic(mut traffic)) => traffic.queue_close_notify(alert).unwrap_or(0),
        // Before the end of the handshake there is nothing to close.
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::RootCertStore;
    use rustls::crypto::aws_lc_rs::default_provider;
    use rustls::pki_types::PrivatePkcs8KeyDer;

    /// The two ends of a connection, before they have exchanged anything.
    fn pair(name: &'static str) -> (Tls, Tls) {
        let made = rcgen::generate_simple_self_signed(vec!["keep.example".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
        let provider = Arc::new(default_provider());
        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let bench = Bench::default();
        let server = Tls::server(Arc::new(server), bench.clone()).unwrap();
        let name = ServerName::try_from(name).unwrap();
        (Tls::client(Arc::new(client), name, bench).unwrap(), server)
    }

    /// Passes bytes in pieces of `piece` until neither side has anything to say.
    fn talk(client: &mut Tls, server: &mut Tls, piece: usize) -> io::Result<()> {
        let mut outgoing = Vec::new();
        client.process(&mut outgoing)?;
        let mut sides = [server, client];
        while !outgoing.is_empty() {
            let mut answer = Vec::new();
            for bytes in outgoing.chunks(piece) {
                sides[0].incoming().extend_from_slice(bytes);
                sides[0].process(&mut answer)?;
            }
            outgoing = answer;
            sides.reverse();
        }
        Ok(())
    }

    #[test]
    fn records_survive_any_fragmentation() {
        for piece in [1, 7, 1000, 1 << 20] {
            let (mut client, mut server) = pair("keep.example");
            talk(&mut client, &mut server, piece).unwrap();
            assert!(client.is_established() && server.is_established());
            let text: Vec<u8> = (0..PLAINTEXT_LIMIT).map(|n| n.to_le_bytes()[0]).collect();
            let records = client.seal(&text, <[u8]>::to_vec).unwrap();
            assert!(records.len() <= PLAINTEXT_LIMIT + OVERHEAD);
            for bytes in records.chunks(piece) {
                server.incoming().extend_from_slice(bytes);
                server.process(&mut Vec::new()).unwrap();
            }
            assert_eq!(*server.plaintext(), text);
            assert!(server.incoming().is_empty() && !server.is_closed());
        }
    }

    #[test]
    fn one_direction_closes_without_the_other() {
        let (mut client, mut server) = pair("keep.example");
        talk(&mut client, &mut server, 1 << 20).unwrap();
        let mut alert = Vec::new();
        client.close(&mut alert);
        server.incoming().extend_from_slice(&alert);
        server.process(&mut Vec::new()).unwrap();
        assert!(server.is_closed());
        let answer = server.seal(b"still here", <[u8]>::to_vec).unwrap();
        client.incoming().extend_from_slice(&answer);
        client.process(&mut Vec::new()).unwrap();
        assert_eq!(&client.plaintext()[..], b"still here");
    }

    #[test]
    fn a_peer_of_another_name_and_a_forged_record_are_refused() {
        let (mut client, mut server) = pair("other.example");
        assert!(talk(&mut client, &mut server, 1 << 20).is_err());
        let (mut client, mut server) = pair("keep.example");
        talk(&mut client, &mut server, 1 << 20).unwrap();
        let mut records = client.seal(b"text", <[u8]>::to_vec).unwrap();
        *records.last_mut().unwrap() ^= 1;
        server.incoming().extend_from_slice(&records);
        let mut alert = Vec::new();
        assert!(server.process(&mut alert).is_err());
        assert!(!alert.is_empty(), "the peer is told");
    }
}
