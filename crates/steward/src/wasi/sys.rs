//! The one thing that WASI 0.1 offers by number only: a listener that is open from the start.

#![expect(unsafe_code, reason = "a descriptor that is known by its number has no safe constructor")]

use std::io;
use std::net::TcpListener;
use std::os::fd::FromRawFd;

/// The listener with this number. To be called once.
pub fn listener(number: usize) -> io::Result<TcpListener> {
    let number = i32::try_from(number).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the keep opened this descriptor before the program started and named it as ours in `FD_NAMES`; nothing else
    // in this program takes a descriptor by number, so that it has no other owner.
    Ok(unsafe { TcpListener::from_raw_fd(number) })
}
