//! Life under systemd, or under whoever started the program: ready, reload, watchdog, stop.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sd_notify::NotifyState;
use std::io;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Runs a program's future on as many threads as there are processors.
pub fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(future))
}

/// Lets the process open as many descriptors as it may: the soft limit protects programs that use select(2), and ours do
/// not.
pub fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

/// Completes when the program is told to stop (SIGTERM, SIGINT).
pub async fn stopped() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Requests to read files again (SIGHUP).
pub(crate) struct Reloads(Option<tokio::signal::unix::Signal>);

impl Reloads {
    pub(crate) fn new() -> Self {
        Self(signal(SignalKind::hangup()).ok())
    }

    pub(crate) async fn next(&mut self) {
        match &mut self.0 {
            Some(signal) => {
                signal.recv().await;
            }
            None => std::future::pending().await,
        }
    }
}

/// Tells systemd, if it wants to know (sd_notify(3)).
pub(crate) fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "cannot tell systemd");
    }
}

/// Reloading begins; [`notify`] with `Ready` ends it.
pub(crate) fn reloading() {
    let now = NotifyState::monotonic_usec_now();
    notify(&[&[NotifyState::Reloading][..], now.ok().as_slice()].concat());
}

/// Feeds systemd's watchdog for as long as the runtime gets round to it.
pub(crate) async fn watchdog() {
    let Some(limit) = sd_notify::watchdog_enabled().filter(|limit| *limit > Duration::ZERO) else {
        return std::future::pending().await;
    };
    let mut ticks = tokio::time::interval(limit / 2);
    loop {
        ticks.tick().await;
        notify(&[NotifyState::Watchdog]);
    }
}
