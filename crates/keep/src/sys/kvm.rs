//! Questions to `/dev/kvm`.
#![expect(unsafe_code, reason = "ioctl(2) has no safe form")]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// `KVM_GET_API_VERSION`, `_IO(0xAE, 0x00)` (Linux Documentation/virt/kvm/api.rst section 4.1).
const GET_API_VERSION: libc::c_ulong = 0xAE00;
/// `KVM_CREATE_VM`, `_IO(0xAE, 0x01)` (section 4.2).
const CREATE_VM: libc::c_ulong = 0xAE01;
/// `KVM_CHECK_EXTENSION`, `_IO(0xAE, 0x03)` (section 4.4).
const CHECK_EXTENSION: libc::c_ulong = 0xAE03;

/// The version of the KVM API; 12 since Linux 2.6.22.
pub(crate) fn api_version(kvm: &File) -> io::Result<libc::c_int> {
    ask(kvm, GET_API_VERSION, 0)
}

/// Makes a virtual machine of the default type and throws it away.
pub(crate) fn create_vm(kvm: &File) -> io::Result<()> {
    let fd = ask(kvm, CREATE_VM, 0)?;
    // SAFETY: KVM_CREATE_VM returned a new descriptor, which nobody else owns.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(())
}

/// What the kernel answers about a capability; 0: it has none.
pub(crate) fn capability(kvm: &File, number: libc::c_ulong) -> io::Result<libc::c_int> {
    ask(kvm, CHECK_EXTENSION, number)
}

fn ask(kvm: &File, request: libc::c_ulong, argument: libc::c_ulong) -> io::Result<libc::c_int> {
    // SAFETY: the three requests above take a number, not a pointer, so the kernel touches none of our memory.
    let answer = unsafe { libc::ioctl(kvm.as_raw_fd(), request as _, argument) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}
