//! Starts the runtime as a child, on Unix systems whose confinement we do not use.
#![expect(unsafe_code, reason = "what a child does before it executes a program has no safe form")]

use crate::launch::Image;
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::Pid;
use std::ffi::{CStr, OsStr};
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Descriptors from here on are copies that the child closes by executing the program.
const ABOVE: RawFd = 128;

/// The number of a resource limit.
type Resource = libc::c_int;

/// How a child is to be.
pub(crate) struct Spawn<'a> {
    /// The program.
    pub image: &'a Image,
    /// Its name.
    pub arguments: &'a [&'a CStr],
    /// Its descriptors: position is number. It has no others.
    pub descriptors: &'a [BorrowedFd<'a>],
    /// Resource limits, soft and hard, each lowered to the hard limit in force.
    pub limits: &'a [(Resource, u64)],
}

/// A child that did not start.
#[derive(Debug, thiserror::Error)]
#[error("{step}")]
pub struct SpawnError {
    /// What failed.
    pub step: Step,
    /// Why.
    pub source: io::Error,
}

/// A step on the way to a running child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Preparing its descriptors.
    Descriptors,
    /// Making it and executing the program.
    Execute,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Descriptors => "cannot prepare the keep's descriptors",
            Self::Execute => "cannot execute the keep's runtime image",
        })
    }
}

/// Starts a child.
pub(crate) fn spawn(order: &Spawn<'_>) -> Result<Pid, SpawnError> {
    let failed = |step| move |source: io::Error| SpawnError { step, source };
    let above =
        |fd: &BorrowedFd<'_>| fcntl_dupfd_cloexec(fd, ABOVE).map_err(|e| failed(Step::Descriptors)(e.into()));
    let sources: Vec<OwnedFd> = order.descriptors.iter().map(above).collect::<Result<_, _>>()?;
    let raw: Vec<RawFd> = sources.iter().map(AsRawFd::as_raw_fd).collect();
    let limits = order.limits.to_vec();
    let mut command = Command::new(order.image.path());
    command.env_clear();
    if let Some(name) = order.arguments.first() {
        command.arg0(OsStr::from_bytes(name.to_bytes()));
    }
    // SAFETY: the closure makes system calls on numbers it owns, and allocates nothing.
    unsafe {
        command.pre_exec(move || {
            for (target, source) in (0..).zip(&raw) {
                succeeded(libc::dup2(*source, target))?;
            }
            let mut most: libc::rlimit = std::mem::zeroed();
            succeeded(libc::getrlimit(libc::RLIMIT_NOFILE, &mut most))?;
            for fd in raw.len() as RawFd..RawFd::try_from(most.rlim_cur).unwrap_or(RawFd::from(i16::MAX)) {
                libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
            }
            limits.iter().try_for_each(|(resource, most)| limit(*resource, *most))
        });
    }
    let child = command.spawn().map_err(failed(Step::Execute))?;
    Ok(Pid::from_child(&child))
}

fn limit(resource: Resource, most: u64) -> io::Result<()> {
    // SAFETY: the structure is plain numbers, and lives across the calls.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        succeeded(libc::getrlimit(resource, &mut limit))?;
        limit.rlim_max = limit.rlim_max.min(most);
        limit.rlim_cur = limit.rlim_max;
        succeeded(libc::setrlimit(resource, &limit))
    }
}

fn succeeded(result: libc::c_int) -> io::Result<()> {
    if result >= 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
