//! A keep in a virtual machine: the runtime in ring 3 over our shim, in a process of its own.
//!
//! The process is this program executed again ([`crate::vmm`]). It protects the host from the workload twice, by the
//! machine's border and by the confinement of a process keep around it; without memory encryption it does not protect the
//! workload from the host.

use super::needs::Needs;
use super::{Confinement, DESCRIPTORS_MOST, Image, Keep, Launch, LaunchError, Streams, tell};
use crate::cache::Stamp;
use crate::sys::spawn::{Spawn, spawn};
use crate::vmm::plan::Size;
use crate::vmm::{CONTROL_LIMIT, Launched, NAME, Settings};
use abi::layout::THREADS;
use api::launch::frame;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::available_parallelism;

/// The device of KVM.
const DEVICE: &str = "/dev/kvm";
/// This program.
const SELF: &str = "/proc/self/exe";

/// Starts a keep.
pub fn launch(launch: Launch<'_>) -> Result<Keep<'_>, LaunchError> {
    // Before the keep can read the file.
    let stamp = Stamp::of(&launch.workload);
    let device = File::options().read(true).write(true).open(DEVICE);
    let device = device.map_err(|error| LaunchError::Machine(format!("{DEVICE} does not open: {error}")))?;
    let program = Image::open(Path::new(SELF)).map_err(|error| LaunchError::Machine(error.to_string()))?;
    let (channel, inside) = UnixStream::pair().map_err(LaunchError::Prepare)?;
    let (mut control, controlled) = UnixStream::pair().map_err(LaunchError::Prepare)?;
    let streams = Streams::declared(launch.manifest).map_err(LaunchError::Prepare)?;
    let mut descriptors = streams.and(inside.as_fd(), &launch);
    let first = CString::new(descriptors.len().to_string()).unwrap_or_default();
    descriptors.extend([launch.image.descriptor(), device.as_fd(), controlled.as_fd()]);
    let settings = Settings {
        // The page map would be this process's, not the keep's.
        needs: Needs { pagemap: false, ..Needs::of(launch.manifest, launch.order) },
        size: Size::of(&launch.manifest.limits),
        processors: available_parallelism().map_or(1, |count| count.get().min(THREADS) as u64),
    };
    let pid = spawn(&Spawn {
        image: &program,
        arguments: &[NAME, &first],
        descriptors: &descriptors,
        limits: &[(libc::RLIMIT_CORE, 0), (libc::RLIMIT_NOFILE, DESCRIPTORS_MOST)],
        landlock: None,
        pagemap: false,
        filter: None,
    })?;
    drop((inside, controlled));
    let confinement = frame::write(&mut control, &settings, CONTROL_LIMIT)
        .and_then(|()| frame::read(&mut control, CONTROL_LIMIT));
    let order = launch.order;
    let cache = launch.into_cache(stamp);
    let mut keep = Keep { pid, channel, confinement: Confinement::default(), cache, control: Some(control) };
    let why = match confinement {
        Ok(Some(Launched::Yes(confinement))) => {
            keep.confinement = confinement;
            return tell(keep, order);
        }
        Ok(Some(Launched::No(why))) => why,
        Ok(None) => "its process ended without a word".to_owned(),
        Err(error) => error.to_string(),
    };
    keep.stop();
    Err(LaunchError::Machine(why))
}
