//! The epoch: every [`TICK`] a guest that computes without a pause gives way to the others, so that one request
//! neither holds up the rest nor outlives its time. Nothing ticks while there is nothing to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;
use wasmtime::Engine;

/// How long a guest may hold the thread.
const TICK: Duration = Duration::from_millis(10);
/// Ticks without work after which the clock stops: waking it again costs a request more than a tick does.
const IDLE_TICKS: u32 = 100;

/// A clock that runs while requests are in progress.
pub struct Clock {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Default)]
struct Shared {
    requests: AtomicUsize,
    stopped: AtomicBool,
}

/// A request in progress.
pub struct Running(Arc<Shared>);

/// A clock for an engine, stopped.
pub fn start(engine: Engine) -> Clock {
    let shared = Arc::new(Shared::default());
    let ticking = shared.clone();
    let thread = thread::spawn(move || tick(&engine, &ticking)).thread().clone();
    Clock { shared, thread }
}

impl Clock {
    /// Keeps the clock running until the value is dropped.
    pub fn run(&self) -> Running {
        self.shared.requests.fetch_add(1, Ordering::SeqCst);
        if self.shared.stopped.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Running(self.shared.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::SeqCst);
    }
}

fn tick(engine: &Engine, shared: &Shared) {
    let mut idle = IDLE_TICKS;
    loop {
        if shared.requests.load(Ordering::SeqCst) > 0 {
            idle = 0;
        } else if idle < IDLE_TICKS {
            idle += 1;
        } else {
            shared.stopped.store(true, Ordering::SeqCst);
            // A request that came before it could see the flag is seen here; one that comes later unparks.
            if shared.requests.load(Ordering::SeqCst) == 0 {
                thread::park();
            }
            shared.stopped.store(false, Ordering::SeqCst);
            continue;
        }
        thread::sleep(TICK);
        engine.increment_epoch();
    }
}
