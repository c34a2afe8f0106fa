//! Descriptors that this process was started with, or that a keep names.
#![expect(unsafe_code, reason = "a number becomes a descriptor")]

use rustix::io::{Errno, fcntl_dupfd_cloexec};
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};

/// Takes over the descriptors from this number on.
pub(crate) fn inherit<const N: usize>(first: i32) -> [OwnedFd; N] {
    // SAFETY: called once, first thing in a process whose descriptors its launcher placed for this; if one is missing,
    // operations on it answer EBADF.
    std::array::from_fn(|index| unsafe { OwnedFd::from_raw_fd(first + index as i32) })
}

/// Copies of descriptors that stay where they are.
pub(crate) fn copies(numbers: std::ops::Range<i32>) -> io::Result<Vec<OwnedFd>> {
    let copy = |number| {
        // SAFETY: the launcher placed these; nobody closes them before the keep runs.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        Ok(fcntl_dupfd_cloexec(descriptor, 0)?)
    };
    numbers.map(copy).collect()
}

/// A descriptor that the keep has, for the time of one call.
pub(crate) fn borrowed<'a>(number: u64) -> Result<BorrowedFd<'a>, Errno> {
    let number = i32::try_from(number).map_err(|_| Errno::BADF)?;
    // SAFETY: not -1. Another thread of the keep may close it meanwhile: then the call fails or reaches another of the
    // keep's descriptors, as in any program that does so.
    Ok(unsafe { BorrowedFd::borrow_raw(number) })
}
