//! The descriptors that `Enarx.toml` declares, found by name.

use std::net::{TcpListener, TcpStream};
use std::os::fd::FromRawFd;

/// The number of the descriptor with this name.
pub fn descriptor(name: &str) -> i32 {
    let names = std::env::var("FD_NAMES").expect("FD_NAMES");
    let position = names.split(':').position(|other| other == name);
    position.unwrap_or_else(|| panic!("no `{name}` in {names}")).try_into().expect("a small number")
}

/// The declared listener of this name. To be called once for each name.
pub fn listener(name: &str) -> TcpListener {
    // SAFETY: the descriptor is open and a listener because the manifest says so, and nobody else has taken it.
    unsafe { TcpListener::from_raw_fd(descriptor(name)) }
}

/// The declared connection of this name. To be called once for each name.
pub fn stream(name: &str) -> TcpStream {
    // SAFETY: as above.
    unsafe { TcpStream::from_raw_fd(descriptor(name)) }
}
