//! A keep that is an ordinary process: the runtime as a confined child of this one.
//!
//! On Linux the child is confined by seccomp, Landlock and no-new-privileges, and has no descriptors, environment or
//! file system but what its manifest declares. Elsewhere it is a plain child process; [`Keep::confinement`] says so.
//! A process keep protects the host from the workload. It does not protect the workload from the host.

use super::confine::Confine;
use super::needs::Needs;
use super::{DESCRIPTORS_MOST, Keep, Launch, LaunchError, NATIVE_STACK, Streams, tell};
use crate::cache::Stamp;
use crate::sys::spawn::{Spawn, spawn};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

/// Starts a keep.
pub fn launch(launch: Launch<'_>) -> Result<Keep<'_>, LaunchError> {
    // Before the keep can read the file.
    let stamp = Stamp::of(&launch.workload);
    let needs = Needs::of(launch.manifest, launch.order);
    let confine = Confine::build(&needs, launch.image, &launch.dirs)?;
    let (channel, inside) = UnixStream::pair().map_err(LaunchError::Prepare)?;
    let streams = Streams::declared(launch.manifest).map_err(LaunchError::Prepare)?;
    let descriptors = streams.and(inside.as_fd(), &launch);
    let limits = [
        (libc::RLIMIT_CORE, 0),
        (libc::RLIMIT_NOFILE, DESCRIPTORS_MOST),
        (libc::RLIMIT_STACK, NATIVE_STACK + launch.manifest.limits.stack),
    ];
    let pid = spawn(&Spawn {
        image: launch.image,
        arguments: &[c"enarx-runtime"],
        descriptors: &descriptors,
        limits: &limits,
        #[cfg(target_os = "linux")]
        landlock: confine.landlock(),
        #[cfg(target_os = "linux")]
        pagemap: needs.pagemap,
        #[cfg(target_os = "linux")]
        filter: Some(confine.filter()),
    })?;
    let order = launch.order;
    let cache = launch.into_cache(stamp);
    tell(Keep { pid, channel, confinement: confine.report, cache, control: None }, order)
}
