//! A TCP connection as a component sees it: bytes in both directions, with TLS in between where the manifest says so.
//!
//! A reader and a writer may wait for the same connection at once, and with TLS each may need the socket in both
//! directions; so whatever the socket becomes ready for wakes both.

pub mod tls;

use bytes::{BufMut, Bytes, BytesMut};
use std::io;
use std::net::Shutdown;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};
use tls::{PLAINTEXT_LIMIT, Tls};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes taken from a socket at a time.
const READ_LIMIT: usize = 64 << 10;
/// Bytes a writer may hand over at a time.
pub const WRITE_LIMIT: usize = PLAINTEXT_LIMIT;

/// A connection.
pub struct Stream {
    socket: TcpStream,
    tls: Option<Tls>,
    /// For the network, and not yet taken by the kernel.
    outgoing: Vec<u8>,
    /// How reading came to its end.
    ended: Option<io::Result<()>>,
    /// Nothing more will be written; the peer is told when everything has left.
    closing: bool,
    closed: bool,
    waiting: Arc<Waiting>,
    waker: Waker,
}

impl Stream {
    /// A connection over `socket`.
    pub fn new(socket: TcpStream, mut tls: Option<Tls>) -> Self {
        let mut outgoing = Vec::new();
        // A client speaks first. What is wrong with its configuration shows when it is spoken to.
        let ended = tls.as_mut().and_then(|tls| tls.process(&mut outgoing).err()).map(Err);
        if tls.is_some() {
            // Records are whole messages; Nagle's algorithm would only delay their last segment.
            let _ = socket.set_nodelay(true);
        }
        let waiting = Arc::new(Waiting::default());
        let waker = waiting.clone().into();
        Self { socket, tls, outgoing, ended, closing: false, closed: false, waiting, waker }
    }

    /// The socket below.
    pub const fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// The application protocol agreed on by TLS.
    pub fn protocol(&self) -> Option<&[u8]> {
        self.tls.as_ref().and_then(Tls::protocol)
    }

    /// Waits for the end of the TLS handshake.
    pub fn poll_established(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.tls.as_ref().is_some_and(|tls| !tls.is_established()) {
            match self.end() {
                Some(Ok(())) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => ready!(self.poll_receive(cx)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Waits until something can be read: bytes, the end, or an error.
    pub fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.ended.is_some() {
                return Poll::Ready(());
            }
            match &self.tls {
                Some(tls) if tls.has_plaintext() => return Poll::Ready(()),
                Some(_) => ready!(self.poll_receive(cx)),
                None => {
                    self.waiting.reader(cx);
                    return self.socket.poll_read_ready(&mut Context::from_waker(&self.waker)).map(drop);
                }
            }
        }
    }

    /// Reads up to `limit` bytes, which is not zero; none at the end.
    pub fn poll_read_bytes(&mut self, cx: &mut Context<'_>, limit: usize) -> Poll<io::Result<Bytes>> {
        loop {
            if let Some(tls) = &mut self.tls
                && tls.has_plaintext()
            {
                let len = tls.plaintext().len().min(limit);
                return Poll::Ready(Ok(tls.plaintext().split_to(len).freeze()));
            }
            if let Some(end) = self.end() {
                return Poll::Ready(end.map(|()| Bytes::new()));
            }
            if self.tls.is_some() {
                ready!(self.poll_receive(cx));
                continue;
            }
            self.waiting.reader(cx);
            let cx = &mut Context::from_waker(&self.waker);
            ready!(self.socket.poll_read_ready(cx))?;
            let limit = limit.min(READ_LIMIT);
            let mut bytes = BytesMut::with_capacity(limit);
            match ready!(pin!(self.socket.read_buf(&mut (&mut bytes).limit(limit))).poll(cx)) {
                Ok(0) => self.ended = Some(Ok(())),
                Ok(_) => return Poll::Ready(Ok(bytes.freeze())),
                Err(error) => self.ended = Some(Err(error)),
            }
        }
    }

    /// Waits until [`WRITE_LIMIT`] bytes may be written.
    pub fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closing {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        ready!(self.poll_established(cx))?;
        ready!(self.poll_sent(cx))?;
        self.waiting.writer(cx);
        self.socket.poll_write_ready(&mut Context::from_waker(&self.waker))
    }

    /// Takes up to [`WRITE_LIMIT`] bytes, once everything before has left.
    pub fn poll_write_bytes(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.closing {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        ready!(self.poll_established(cx))?;
        ready!(self.poll_sent(cx))?;
        let bytes = &bytes[..bytes.len().min(WRITE_LIMIT)];
        self.write(bytes)?;
        Poll::Ready(Ok(bytes.len()))
    }

    /// Writes up to [`WRITE_LIMIT`] bytes after [`Stream::poll_writable`]; what the kernel does not take is kept.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.closing {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let Self { socket, outgoing, waker, .. } = self;
        let send = |bytes: &[u8]| {
            let sent = match Pin::new(socket).poll_write(&mut Context::from_waker(waker), bytes) {
                Poll::Ready(sent) => sent?,
                Poll::Pending => 0,
            };
            outgoing.extend_from_slice(&bytes[sent..]);
            Ok(())
        };
        match &mut self.tls {
            Some(tls) => tls.seal(bytes, send)?,
            None => send(bytes),
        }
    }

    /// Whether everything written has left.
    pub const fn is_sent(&self) -> bool {
        self.outgoing.is_empty()
    }

    /// Waits until everything written has left, and the end of writing with it.
    pub fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.outgoing.is_empty() {
            self.waiting.writer(cx);
        }
        let mut sent = 0;
        let result = loop {
            if sent == self.outgoing.len() {
                break Poll::Ready(Ok(()));
            }
            let context = &mut Context::from_waker(&self.waker);
            match Pin::new(&mut self.socket).poll_write(context, &self.outgoing[sent..]) {
                Poll::Ready(Ok(len)) => sent += len,
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        self.outgoing.drain(..sent);
        if self.outgoing.is_empty() {
            self.outgoing = Vec::new();
            if self.closing && !self.closed {
                self.closed = true;
                let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Write);
            }
        }
        result
    }

    /// Ends one or both directions. What was written still leaves, by [`Stream::poll_sent`].
    pub fn shutdown(&mut self, how: Shutdown) {
        if how != Shutdown::Write && self.ended.is_none() {
            self.ended = Some(Ok(()));
        }
        if how != Shutdown::Read && !self.closing {
            self.closing = true;
            if let Some(tls) = &mut self.tls {
                tls.close(&mut self.outgoing);
            }
        }
        self.waiting.wake_by_ref();
    }

    /// Receives once for TLS, and answers what has to be answered. Returns when there is something new to look at.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // A message that cannot leave yet wakes us when it can; an error of the socket comes back from reading it.
        let _ = self.poll_sent(cx);
        self.waiting.reader(cx);
        let Some(tls) = &mut self.tls else { return Poll::Ready(()) };
        if tls.is_closed() {
            self.ended = Some(Ok(()));
            return Poll::Ready(());
        }
        let context = &mut Context::from_waker(&self.waker);
        if let Err(error) = ready!(self.socket.poll_read_ready(context)) {
            self.ended = Some(Err(error));
            return Poll::Ready(());
        }
        tls.incoming().reserve(READ_LIMIT);
        let received = pin!(self.socket.read_buf(tls.incoming())).poll(context);
        let ended = match received {
            Poll::Ready(Ok(1..)) => tls.process(&mut self.outgoing).err(),
            // Without a close_notify an attacker may have cut the connection (RFC 8446, section 6.1).
            Poll::Ready(Ok(0)) => Some(io::ErrorKind::UnexpectedEof.into()),
            Poll::Ready(Err(error)) => Some(error),
            Poll::Pending => {
                tls.incoming().shrink_to_fit();
                return Poll::Pending;
            }
        };
        if let Some(error) = ended {
            self.ended = Some(Err(error));
        }
        let _ = self.poll_sent(cx);
        Poll::Ready(())
    }

    /// How reading ended: an error once, then the end.
    fn end(&mut self) -> Option<io::Result<()>> {
        self.ended.as_mut().map(|end| std::mem::replace(end, Ok(())))
    }
}

/// For servers and clients of HTTP, which read and write in one task.
impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.tls.is_none() {
            return Pin::new(&mut self.socket).poll_read(cx, into);
        }
        if into.remaining() > 0 {
            into.put_slice(&ready!(self.poll_read_bytes(cx, into.remaining()))?);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_bytes(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_sent(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shutdown(Shutdown::Write);
        self.poll_sent(cx)
    }
}

/// Who waits for a connection.
#[derive(Default)]
struct Waiting(Mutex<(Option<Waker>, Option<Waker>)>);

impl Waiting {
    fn reader(&self, cx: &Context<'_>) {
        renew(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).0, cx);
    }

    fn writer(&self, cx: &Context<'_>) {
        renew(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).1, cx);
    }
}

fn renew(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *slot = Some(cx.waker().clone()),
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        [waiting.0, waiting.1].into_iter().flatten().for_each(Waker::wake);
    }
}
