//! A keep that is an ordinary process: the runtime as a confined child of this one.
//!
//! On Linux the child is confined by seccomp, Landlock and no-new-privileges, and has no descriptors, environment or
//! file system but what its manifest declares. Elsewhere it is a plain child process; [`Keep::confinement`] says so.
//! A process keep protects the host from the workload. It does not protect the workload from the host.

#[cfg_attr(target_os = "linux", path = "process/confine.rs")]
#[cfg_attr(not(target_os = "linux"), path = "process/confine_absent.rs")]
mod confine;
#[cfg(target_os = "linux")]
mod filter;
mod image;
mod needs;
mod serve;

pub use crate::sys::spawn::{SpawnError, Step};
pub use image::{Image, ImageError};
pub use serve::Event;

use super::Confinement;
use crate::cache::{Stamp, Store};
use crate::sys::spawn::{Spawn, spawn};
use api::launch::frame::{self, FrameError};
use api::launch::{Ending, ORDER_LIMIT, Order};
use api::manifest::{FileKind, Manifest};
use needs::Needs;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// Most descriptors the runtime may have open: enough for a busy server, few enough to bound the host's tables.
const DESCRIPTORS_MOST: u64 = 4096;
/// Bytes of native stack beside the WebAssembly stack: the host functions' own frames.
const NATIVE_STACK: u64 = 8 << 20;

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
    /// It could not be told what to run.
    #[error("cannot tell the runtime what to run")]
    Order(#[from] FrameError),
}

/// A running process keep.
pub struct Keep<'a> {
    pid: Pid,
    channel: UnixStream,
    confinement: Confinement,
    cache: Option<serve::Place<'a>>,
}

/// Starts a keep.
pub fn launch(launch: Launch<'_>) -> Result<Keep<'_>, LaunchError> {
    // Before the keep can read the file.
    let stamp = Stamp::of(&launch.workload);
    let needs = Needs::of(launch.manifest, launch.order);
    let confine = confine::Confine::build(&needs, launch.image, &launch.dirs)?;
    let (channel, inside) = UnixStream::pair().map_err(LaunchError::Prepare)?;
    let null = File::options().read(true).write(true).open("/dev/null").map_err(LaunchError::Prepare)?;
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    let declared = |kind: FileKind| launch.manifest.files.iter().any(|file| file.kind == kind);
    let if_declared = |kind, fd| if declared(kind) { fd } else { null.as_fd() };
    let mut descriptors: Vec<BorrowedFd<'_>> = vec![
        if_declared(FileKind::Stdin, stdin.as_fd()),
        if_declared(FileKind::Stdout, stdout.as_fd()),
        if_declared(FileKind::Stderr, stderr.as_fd()),
        inside.as_fd(),
        launch.workload.as_fd(),
    ];
    descriptors.extend(launch.dirs.iter().map(AsFd::as_fd));
    let limits = [
        (libc::RLIMIT_CORE, 0),
        (libc::RLIMIT_NOFILE, DESCRIPTORS_MOST),
        (libc::RLIMIT_STACK, NATIVE_STACK + launch.manifest.limits.stack),
    ];
    let pid = spawn(&Spawn {
        image: launch.image,
        descriptors: &descriptors,
        limits: &limits,
        #[cfg(target_os = "linux")]
        landlock: confine.landlock(),
        #[cfg(target_os = "linux")]
        pagemap: needs.pagemap,
        #[cfg(target_os = "linux")]
        filter: confine.filter(),
    })?;
    let cache = launch.cache.map(|store| serve::Place {
        store,
        workload: launch.workload,
        stamp,
        told: launch.order.known,
    });
    let mut keep = Keep { pid, channel, confinement: confine.report, cache };
    match frame::write(&mut keep.channel, launch.order, ORDER_LIMIT) {
        // A runtime that died before it read its order tells more by how it died.
        Ok(()) | Err(FrameError::Channel(_)) => Ok(keep),
        Err(error) => {
            keep.stop();
            Err(error.into())
        }
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
            serve::Told::Nothing => unannounced(status),
        }
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

fn signal_name(signal: i32) -> String {
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
