//! When something last went over a connection, and how much is going on in it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Instant;

/// What goes on in one connection.
pub(crate) struct Activity {
    opened: Instant,
    /// Milliseconds after opening at which the last byte went either way.
    last: AtomicU64,
    /// Requests that are not answered to their last byte.
    in_flight: AtomicUsize,
    served: AtomicU64,
    most: u64,
    /// Told when the connection has served as many requests as it may.
    pub(crate) spent: Notify,
}

/// One request that is being answered.
pub(crate) struct InFlight(Arc<Activity>);

impl Activity {
    pub(crate) fn new(most: u64) -> Arc<Self> {
        let (last, in_flight, served) = (AtomicU64::new(0), AtomicUsize::new(0), AtomicU64::new(0));
        Arc::new(Self { opened: Instant::now(), last, in_flight, served, most, spent: Notify::new() })
    }

    /// Counts a request.
    pub(crate) fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Relaxed);
        if self.served.fetch_add(1, Relaxed) + 1 == self.most {
            self.spent.notify_one();
        }
        InFlight(self.clone())
    }

    /// How long nothing has gone either way.
    pub(crate) fn quiet(&self) -> Duration {
        self.opened.elapsed().saturating_sub(Duration::from_millis(self.last.load(Relaxed)))
    }

    /// Whether a request is being answered.
    pub(crate) fn is_busy(&self) -> bool {
        self.in_flight.load(Relaxed) > 0
    }

    fn progress(&self) {
        self.last.store(self.opened.elapsed().as_millis() as u64, Relaxed);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

/// A stream that notes when bytes go.
pub(crate) struct Watched<S> {
    pub(crate) stream: S,
    pub(crate) activity: Arc<Activity>,
}

impl<S> Watched<S> {
    fn note(&self, progress: bool) {
        if progress {
            self.activity.progress();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.note(buf.filled().len() > before);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note(matches!(polled, Poll::Ready(Ok(1..))));
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note(matches!(polled, Poll::Ready(Ok(1..))));
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
