//! The standard streams of components, as the manifest's first three files say. What is written to them counts
//! towards the workload's output and goes out at once, without a buffer of ours.

mod stdin;

use crate::limits::{LimitReached, Output};
use api::manifest::{FileKind, Manifest};
use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use stdin::Stdin;
use tokio::io::AsyncWrite;
use tokio::sync::Notify;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi::{WasiCtxBuilder, async_trait};

/// Bytes a component may write at a time.
const PERMIT: usize = 64 << 10;

/// A workload's standard streams.
pub struct Stdio {
    stdin: Option<Stdin>,
    stdout: Sink,
    stderr: Sink,
}

impl Stdio {
    /// The streams of a manifest: what is not declared reads nothing and swallows everything.
    pub fn new(manifest: &Manifest) -> Self {
        let kind = |position: usize| manifest.files.get(position).map(|file| &file.kind);
        let budget = Arc::new(Budget { output: Output::new(&manifest.limits), reached: Notify::new() });
        let sink = |position| Sink {
            target: match kind(position) {
                Some(FileKind::Stdout) => Target::Stdout,
                Some(FileKind::Stderr) => Target::Stderr,
                _ => Target::Null,
            },
            budget: budget.clone(),
        };
        Self {
            stdin: matches!(kind(0), Some(FileKind::Stdin)).then(Stdin::default),
            stdout: sink(1),
            stderr: sink(2),
        }
    }

    /// Gives a component all three.
    pub fn give(&self, wasi: &mut WasiCtxBuilder) {
        if let Some(stdin) = &self.stdin {
            wasi.stdin(stdin.clone());
        }
        wasi.stdout(self.stdout.clone()).stderr(self.stderr.clone());
    }

    /// Waits until the output has reached its limit.
    pub async fn exhausted(&self) -> LimitReached {
        let budget = &self.stdout.budget;
        loop {
            budget.reached.notified().await;
            if let Err(reached) = budget.output.charge(0) {
                return reached;
            }
        }
    }
}

/// What both output streams may still write.
struct Budget {
    output: Output,
    reached: Notify,
}

/// Where written bytes go.
#[derive(Clone, Copy)]
enum Target {
    Null,
    Stdout,
    Stderr,
}

/// A stream a component writes to.
#[derive(Clone)]
struct Sink {
    target: Target,
    budget: Arc<Budget>,
}

impl Sink {
    /// Writes everything. The keep waits with its component for a reader that does not read.
    fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        match self.target {
            Target::Null => Ok(()),
            Target::Stdout => write_all(io::stdout().as_fd(), bytes),
            Target::Stderr => write_all(io::stderr().as_fd(), bytes),
        }
    }

    fn charge(&self, bytes: usize) -> Result<(), LimitReached> {
        let charged = match self.target {
            Target::Null => Ok(()),
            Target::Stdout | Target::Stderr => self.budget.output.charge(bytes),
        };
        charged.inspect_err(|_| self.budget.reached.notify_one())
    }
}

fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            // Whoever shares the descriptor may have made it non-blocking.
            Err(Errno::AGAIN) => {
                poll(&mut [PollFd::new(&to, PollFlags::OUT)], None)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

impl IsTerminal for Sink {
    fn is_terminal(&self) -> bool {
        match self.target {
            Target::Null => false,
            Target::Stdout => io::IsTerminal::is_terminal(&io::stdout()),
            Target::Stderr => io::IsTerminal::is_terminal(&io::stderr()),
        }
    }
}

impl StdoutStream for Sink {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Sink {
    async fn ready(&mut self) {}
}

impl OutputStream for Sink {
    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PERMIT)
    }

    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.charge(bytes.len()).map_err(|reached| StreamError::Trap(reached.into()))?;
        self.write_all(&bytes).map_err(failure)
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }
}

fn failure(error: io::Error) -> StreamError {
    match error.kind() {
        io::ErrorKind::BrokenPipe => StreamError::Closed,
        _ => StreamError::LastOperationFailed(error.into()),
    }
}

impl AsyncWrite for Sink {
    /// At the output's limit this never returns: whoever runs the component waits for [`Stdio::exhausted`] too.
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.charge(bytes.len()) {
            Ok(()) => Poll::Ready(self.write_all(bytes).map(|()| bytes.len())),
            Err(_) => Poll::Pending,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
