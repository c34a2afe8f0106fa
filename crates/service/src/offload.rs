//! Work that would hold up the I/O threads, on a few threads of its own.
//!
//! The queue is short and bounded. Who finds it full is told at once, so that overload is an answer and not a wait, and
//! so that whoever asks for health is served meanwhile.

use crate::problem::Problem;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// The threads.
#[derive(Clone)]
pub struct Offload {
    queue: SyncSender<Job>,
}

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OffloadError {
    /// The queue is full.
    #[error("too much is waiting already")]
    Busy,
    /// The work panicked.
    #[error("the work failed by a fault of the program")]
    Panicked,
}

impl Offload {
    /// Starts `threads` threads, for which at most `waiting` jobs wait.
    pub fn start(name: &str, threads: usize, waiting: usize) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(waiting);
        let jobs = Arc::new(Mutex::new(jobs));
        for index in 0..threads.max(1) {
            let jobs = jobs.clone();
            std::thread::Builder::new().name(format!("{name}-{index}")).spawn(move || work(&jobs))?;
        }
        Ok(Self { queue })
    }

    /// Runs `job` there. Whether there is room is known at once, before the first poll.
    pub fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = Result<T, OffloadError>> + Send {
        let (answer, result) = oneshot::channel();
        let span = tracing::Span::current();
        let queued = self.queue.try_send(Box::new(move || {
            // Nobody waits any more: the caller's deadline passed while the job stood in the queue.
            if !answer.is_closed() {
                let _ = answer.send(span.in_scope(job));
            }
        }));
        async move {
            queued.map_err(|_| OffloadError::Busy)?;
            result.await.map_err(|_| OffloadError::Panicked)
        }
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // The caller sees the panic as an answer that never comes; the thread is for the next job.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
    }
}

impl From<OffloadError> for Problem {
    fn from(error: OffloadError) -> Self {
        match error {
            OffloadError::Busy => Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy")
                .detail(error.to_string())
                .hint("try again later")
                .retry_after(Duration::from_secs(1)),
            OffloadError::Panicked => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "fault").detail(error.to_string())
            }
        }
    }
}

impl IntoResponse for OffloadError {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[tokio::test]
    async fn a_full_queue_is_told_at_once() {
        let offload = Offload::start("test", 1, 1).expect("a thread");
        let (release, held) = channel::<()>();
        let (started, begun) = channel();
        let first = offload.run(move || {
            started.send(()).expect("the test waits");
            held.recv().is_ok()
        });
        begun.recv().expect("the first job runs");
        let second = offload.run(|| 2);
        assert_eq!(offload.run(|| 3).await, Err(OffloadError::Busy));
        release.send(()).expect("the first job waits");
        assert_eq!(first.await, Ok(true));
        assert_eq!(second.await, Ok(2));
    }

    #[tokio::test]
    async fn a_panic_ends_the_job_not_the_thread() {
        let offload = Offload::start("test", 1, 4).expect("a thread");
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let failed = offload.run(|| panic!("on purpose")).await;
        std::panic::set_hook(hook);
        assert_eq!(failed, Err::<(), _>(OffloadError::Panicked));
        assert_eq!(offload.run(|| 1).await, Ok(1));
    }
}
