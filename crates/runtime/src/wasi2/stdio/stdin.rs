//! The standard input of a component: this process's own, read when it is readable and only as far as it is asked for.
//!
//! The descriptor is shared with whoever started the keep and stays blocking; a read follows only a poll that said
//! it would not wait.

use crate::sys;
use bytes::Bytes;
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, ReadBuf};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdinStream};
use wasmtime_wasi::p2::{InputStream, Pollable, StreamError, StreamResult};

/// Most bytes read at once.
const READ_LIMIT: usize = 64 << 10;

/// A view on the standard input; all views read the same bytes.
#[derive(Clone, Default)]
pub struct Stdin(Arc<Source>);

#[derive(Default)]
struct Source {
    /// None: a file, which epoll refuses because it is always ready.
    watched: OnceLock<Option<AsyncFd<io::Stdin>>>,
}

impl Stdin {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        let watch = || sys::watch_stdin().ok();
        let Some(stdin) = self.0.watched.get_or_init(watch) else { return Poll::Ready(()) };
        loop {
            // An error here would come back from the read.
            let Ok(mut ready) = ready!(stdin.poll_read_ready(cx)) else { return Poll::Ready(()) };
            if is_readable() {
                return Poll::Ready(());
            }
            ready.clear_ready();
        }
    }
}

fn is_readable() -> bool {
    let stdin = io::stdin();
    let mut watched = [PollFd::new(&stdin, PollFlags::IN)];
    poll(&mut watched, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
}

fn read(limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(limit.min(READ_LIMIT));
    rustix::io::read(io::stdin(), spare_capacity(&mut bytes))?;
    Ok(bytes)
}

impl IsTerminal for Stdin {
    fn is_terminal(&self) -> bool {
        std::io::IsTerminal::is_terminal(&io::stdin())
    }
}

impl StdinStream for Stdin {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Stdin {
    async fn ready(&mut self) {
        poll_fn(|cx| self.poll_readable(cx)).await;
    }
}

impl InputStream for Stdin {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size == 0 || !is_readable() {
            return Ok(Bytes::new());
        }
        match read(size) {
            Ok(bytes) if bytes.is_empty() => Err(StreamError::Closed),
            Ok(bytes) => Ok(bytes.into()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Bytes::new()),
            Err(error) => Err(StreamError::LastOperationFailed(error.into())),
        }
    }
}

impl AsyncRead for Stdin {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_readable(cx));
        into.put_slice(&read(into.remaining())?);
        Poll::Ready(Ok(()))
    }
}
