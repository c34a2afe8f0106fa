//! One PKCS#11 library: loaded once, used by many threads, started anew when its tokens are lost.
//!
//! Nobody may be inside a library when it is finalised (PKCS#11 version 3.0 section 5.4.2), so that who uses it enters and
//! leaves, and who restarts it waits until all have left.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};

use super::super::SigningError;

/// The libraries of a process, by their paths: production and lab may share one.
#[derive(Debug, Default)]
pub struct Libraries(Mutex<BTreeMap<PathBuf, Arc<Library>>>);

/// A library.
#[derive(Debug)]
pub struct Library {
    path: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    context: Option<Pkcs11>,
    /// How often it was started.
    start: u64,
    /// How many threads are inside.
    inside: usize,
    /// Whether it is being restarted.
    closed: bool,
    /// When it was last started anew.
    restarted: Option<Instant>,
}

/// A stay in the library.
pub(super) struct Entered<'a> {
    library: &'a Library,
    context: Pkcs11,
    start: u64,
}

/// How long anybody waits for a library; who asks a Steward waits no longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The least time between two restarts: a token that stays away must not keep everybody busy.
const RESPITE: Duration = Duration::from_secs(1);

impl Libraries {
    /// The library at this path, started if it was not yet.
    pub fn get(&self, path: &Path) -> Result<Arc<Library>, SigningError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(library) = known.get(path) {
            return Ok(library.clone());
        }
        let state =
            State { context: Some(start(path)?), start: 0, inside: 0, closed: false, restarted: None };
        let library =
            Arc::new(Library { path: path.into(), state: Mutex::new(state), changed: Condvar::new() });
        known.insert(path.into(), library.clone());
        Ok(library)
    }
}

impl Library {
    /// Enters, which waits while the library is being restarted.
    pub(super) fn enter(&self) -> Result<Entered<'_>, SigningError> {
        let mut state = self.wait(self.state(), |state| state.closed)?;
        let absent = || SigningError::Token(format!("{} did not start again", self.path.display()));
        let context = match state.context.clone() {
            Some(context) => context,
            // A restart that failed is made up for here.
            None if state.may_restart() => {
                state.restarted = Some(Instant::now());
                state.start += 1;
                state.context.insert(start(&self.path)?).clone()
            }
            None => return Err(absent()),
        };
        state.inside += 1;
        Ok(Entered { library: self, context, start: state.start })
    }

    /// Starts the library anew, unless somebody has since `seen`.
    pub(super) fn restart(&self, seen: u64) -> Result<(), SigningError> {
        let mut state = self.wait(self.state(), |state| state.closed)?;
        if state.start != seen {
            return Ok(());
        }
        if !state.may_restart() {
            return Err(SigningError::Token("it is lost, and was looked for a moment ago".into()));
        }
        state.closed = true;
        let emptied = self.wait(state, |state| state.inside > 0);
        let mut state = match emptied {
            Ok(state) => state,
            Err(busy) => {
                self.state().closed = false;
                self.changed.notify_all();
                return Err(busy);
            }
        };
        state.closed = false;
        state.start += 1;
        state.restarted = Some(Instant::now());
        if let Some(context) = state.context.take() {
            // A library that cannot be finalised is tried to be initialised nevertheless.
            let _ = context.finalize();
        }
        let started = start(&self.path).map(|context| state.context = Some(context));
        self.changed.notify_all();
        started
    }

    /// Waits while `busy`, and not for ever.
    fn wait<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        busy: impl Fn(&State) -> bool,
    ) -> Result<MutexGuard<'a, State>, SigningError> {
        let waited = self.changed.wait_timeout_while(state, PATIENCE, |state| busy(state));
        let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        match timeout.timed_out() {
            true => Err(SigningError::Busy { seconds: PATIENCE.as_secs() }),
            false => Ok(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn may_restart(&self) -> bool {
        self.restarted.is_none_or(|at| at.elapsed() >= RESPITE)
    }
}

impl Entered<'_> {
    pub(super) fn context(&self) -> &Pkcs11 {
        &self.context
    }

    /// Which start of the library this is.
    pub(super) fn start(&self) -> u64 {
        self.start
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.library.state().inside -= 1;
        self.library.changed.notify_all();
    }
}

fn start(path: &Path) -> Result<Pkcs11, SigningError> {
    let failed = |error: Error| SigningError::Token(format!("{}: {error}", path.display()));
    let context = Pkcs11::new(path).map_err(failed)?;
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(context),
        Err(error) => Err(failed(error)),
    }
}
