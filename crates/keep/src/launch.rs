//! Starting a keep, and serving it to its end.

#[cfg_attr(target_os = "linux", path = "launch/confine.rs")]
#[cfg_attr(not(target_os = "linux"), path = "launch/confine_absent.rs")]
pub(crate) mod confine;
#[cfg(target_os = "linux")]
pub(crate) mod filter;
mod image;
#[cfg_attr(all(target_os = "linux", target_arch = "x86_64"), path = "launch/kvm.rs")]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), path = "launch/kvm_absent.rs")]
pub mod kvm;
pub(crate) mod needs;
pub mod process;
mod serve;

pub use crate::sys::spawn::{SpawnError, Step};
pub use image::{Image, ImageError};
pub use serve::Event;

use crate::cache::{Stamp, Store};
use api::launch::frame::{self, FrameError};
use api::launch::{Ending, NOTICE_LIMIT, ORDER_LIMIT, Order};
use api::manifest::{FileKind, Manifest};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::File;
use std::io::{self, Stderr, Stdin, Stdout};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// Most descriptors the runtime may have open: enough for a busy server, few enough to bound the host's tables.
const DESCRIPTORS_MOST: u64 = 4096;
/// Bytes of native stack beside the WebAssembly stack: the host functions' own frames.
const NATIVE_STACK: u64 = 8 << 20;

/// What holds a keep back, as enforced on this host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Confinement {
    /// Each protection in force, in words.
    pub enforced: Vec<String>,
    /// Each protection this host does not offer, in words.
    pub missing: Vec<String>,
}

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.enforced.join(", "))?;
        if !self.missing.is_empty() {
            write!(f, "; without {}", self.missing.join(", "))?;
        }
        Ok(())
    }
}

/// What is to be launched.
pub struct Launch<'a> {
    /// The runtime.
    pub image: &'a Image,
    /// The manifest, for what the keep must be allowed; its text travels in the order.
    pub manifest: &'a Manifest,
    /// What the runtime is told.
    pub order: &'a Order,
    /// The workload's bytes.
    pub workload: File,
    /// Preopened directories, as in the order.
    pub dirs: Vec<OwnedFd>,
    /// The compile cache, if there is one.
    pub cache: Option<&'a Store>,
}

impl<'a> Launch<'a> {
    /// The compile cache and the file whose code is looked up there, once the keep has what it needs.
    fn into_cache(self, stamp: Option<Stamp>) -> Option<serve::Place<'a>> {
        let (workload, told) = (self.workload, self.order.known);
        self.cache.map(|store| serve::Place { store, workload, stamp, told })
    }
}

/// A keep that did not start.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Its means of confinement or communication could not be made.
    #[error("cannot prepare the keep")]
    Prepare(#[source] io::Error),
    /// Its confinement is not one this system takes.
    #[error("cannot build the keep's confinement")]
    Confine(#[from] confine::ConfineError),
    /// Its process did not start.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// Its virtual machine could not be made.
    #[error("cannot make a virtual machine for the keep: {0}")]
    Machine(String),
    /// It could not be told what to run.
    #[error("cannot tell the runtime what to run")]
    Order(#[from] FrameError),
}

/// A running keep.
pub struct Keep<'a> {
    pid: Pid,
    channel: UnixStream,
    confinement: Confinement,
    cache: Option<serve::Place<'a>>,
    /// From where its virtual machine tells how it failed.
    control: Option<UnixStream>,
}

/// Tells a keep just started what to run.
fn tell<'a>(mut keep: Keep<'a>, order: &Order) -> Result<Keep<'a>, LaunchError> {
    match frame::write(&mut keep.channel, order, ORDER_LIMIT) {
        // A runtime that died before it read its order tells more by how it died.
        Ok(()) | Err(FrameError::Channel(_)) => Ok(keep),
        Err(error) => {
            keep.stop();
            Err(error.into())
        }
    }
}

/// The standard streams as a manifest declares them: what it does not, is empty.
struct Streams {
    null: File,
    stdin: Option<Stdin>,
    stdout: Option<Stdout>,
    stderr: Option<Stderr>,
}

impl Streams {
    fn declared(manifest: &Manifest) -> io::Result<Self> {
        let declared = |kind: FileKind| manifest.files.iter().any(|file| file.kind == kind);
        Ok(Self {
            null: File::options().read(true).write(true).open("/dev/null")?,
            stdin: declared(FileKind::Stdin).then(io::stdin),
            stdout: declared(FileKind::Stdout).then(io::stdout),
            stderr: declared(FileKind::Stderr).then(io::stderr),
        })
    }

    /// The descriptors of a runtime: position is number.
    fn and<'a>(&'a self, channel: BorrowedFd<'a>, launch: &'a Launch<'_>) -> Vec<BorrowedFd<'a>> {
        let null = self.null.as_fd();
        let mut descriptors = vec![
            self.stdin.as_ref().map_or(null, AsFd::as_fd),
            self.stdout.as_ref().map_or(null, AsFd::as_fd),
            self.stderr.as_ref().map_or(null, AsFd::as_fd),
            channel,
            launch.workload.as_fd(),
        ];
        descriptors.extend(launch.dirs.iter().map(AsFd::as_fd));
        descriptors
    }
}

impl Keep<'_> {
    /// What holds this keep back.
    pub const fn confinement(&self) -> &Confinement {
        &self.confinement
    }

    /// Serves the keep to its end, reporting what it tells meanwhile.
    pub fn run(mut self, report: &mut dyn FnMut(Event)) -> Ending {
        let told = serve::serve(&mut self.channel, self.cache.as_ref(), report);
        let status = self.stop();
        match told {
            serve::Told::Ended(ending) => ending,
            serve::Told::Nonsense(error) => {
                Ending::Failed(format!("the runtime broke the protocol: {error}"))
            }
            serve::Told::Nothing => self.complaint().unwrap_or_else(|| unannounced(status)),
        }
    }

    /// What its virtual machine said last, if it has one.
    fn complaint(&mut self) -> Option<Ending> {
        let complaint: String = frame::read(self.control.as_mut()?, NOTICE_LIMIT).ok()??;
        Some(Ending::Failed(complaint))
    }

    /// Ends the process, if it still runs, and collects it. A process that ended before keeps its own status.
    fn stop(&mut self) -> Option<rustix::process::WaitStatus> {
        let _ = kill_process(self.pid, Signal::KILL);
        let collected = rustix::io::retry_on_intr(|| waitpid(Some(self.pid), WaitOptions::empty()));
        collected.ok().flatten().map(|(_, status)| status)
    }
}

/// The ending of a runtime that did not announce one.
fn unannounced(status: Option<rustix::process::WaitStatus>) -> Ending {
    let Some(status) = status else { return Ending::Failed("the runtime's process is lost".to_owned()) };
    if let Some(code) = status.exit_status() {
        return Ending::Failed(format!("the runtime exited with code {code} without saying why"));
    }
    match status.terminating_signal() {
        Some(libc::SIGSYS) => Ending::Denied(
            "it made a system call that no keep may make (the kernel's log tells which)".to_owned(),
        ),
        Some(libc::SIGKILL) => {
            Ending::Failed("the runtime was killed, perhaps because the host ran out of memory".to_owned())
        }
        Some(signal) => Ending::Failed(format!("the runtime died of {}", signal_name(signal))),
        None => Ending::Failed("the runtime stopped".to_owned()),
    }
}

/// A signal's name.
pub(crate) fn signal_name(signal: i32) -> String {
    match signal {
        libc::SIGABRT => "SIGABRT".to_owned(),
        libc::SIGBUS => "SIGBUS".to_owned(),
        libc::SIGILL => "SIGILL".to_owned(),
        libc::SIGSEGV => "SIGSEGV".to_owned(),
        libc::SIGTERM => "SIGTERM".to_owned(),
        libc::SIGXCPU => "SIGXCPU".to_owned(),
        libc::SIGXFSZ => "SIGXFSZ".to_owned(),
        _ => format!("signal {signal}"),
    }
}
