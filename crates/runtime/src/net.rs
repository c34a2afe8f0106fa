//! Sockets the manifest declares: the network is outside, TLS is inside.
//!
//! No socket ever blocks here. What cannot be done now answers `EAGAIN`; whoever has to wait asks [`Stream::ready`]
//! what for, and waits with `poll(2)`.

mod connect;
mod listen;
mod tls;

pub use connect::dial;
pub use listen::Listener;

use rustix::event::PollFlags;
use rustix::io::{Errno, ioctl_fionread, readv, writev};
use rustix::net::{RecvFlags, Shutdown, recv, shutdown};
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use tls::Tls;

/// A connected socket.
pub enum Stream {
    /// As the network sees it.
    Tcp(OwnedFd),
    /// Under TLS.
    Tls(Box<Tls>),
}

/// What a program waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Bytes, connections, or the end of them.
    Read,
    /// Room for bytes.
    Write,
}

/// Whether it has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// No.
    Ready {
        /// Bytes that can be read at least, or 1 where nobody can know.
        bytes: u64,
        /// Nothing more will come, and nothing more can be sent.
        hangup: bool,
    },
    /// Until `poll(2)` sees one of these.
    Wait(PollFlags),
}

impl Stream {
    /// Reads what is there. 0 is the end, unless the buffers are empty.
    pub fn read(&mut self, buffers: &mut [IoSliceMut<'_>]) -> Result<usize, Errno> {
        match self {
            Self::Tcp(socket) => readv(&*socket, buffers),
            Self::Tls(tls) => tls.read(buffers),
        }
    }

    /// Copies what the next read would read, and leaves it there.
    pub fn peek(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Self::Tcp(socket) => recv(&*socket, buffer, RecvFlags::PEEK).map(|(_, len)| len),
            Self::Tls(tls) => tls.peek(buffer),
        }
    }

    /// Writes what there is room for.
    pub fn write(&mut self, buffers: &[IoSlice<'_>]) -> Result<usize, Errno> {
        match self {
            Self::Tcp(socket) => writev(&*socket, buffers),
            Self::Tls(tls) => tls.write(buffers),
        }
    }

    /// Ends one direction or both.
    pub fn shutdown(&mut self, how: Shutdown) -> Result<(), Errno> {
        match self {
            Self::Tcp(socket) => shutdown(&*socket, how),
            Self::Tls(tls) => tls.shutdown(how),
        }
    }

    /// Ends it in good order before it is dropped; false if its peer is owed something yet.
    pub fn leave(&mut self) -> bool {
        match self {
            Self::Tcp(_) => true,
            Self::Tls(tls) => tls.leave(),
        }
    }

    /// Whether bytes the program has written still wait for room in the socket.
    pub fn owes(&self) -> bool {
        matches!(self, Self::Tls(tls) if tls.owes())
    }

    /// Sends such bytes as far as there is room.
    pub fn flush(&mut self) -> Result<(), Errno> {
        match self {
            Self::Tcp(_) => Ok(()),
            Self::Tls(tls) => tls.flush(),
        }
    }

    /// Whether `interest` is met, now that `poll(2)` has `seen` this.
    pub fn ready(&mut self, interest: Interest, seen: PollFlags) -> Readiness {
        match self {
            Self::Tcp(socket) => tcp_ready(socket.as_fd(), interest, seen),
            Self::Tls(tls) => tls.ready(interest, seen),
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Tls(tls) => tls.as_fd(),
        }
    }
}

fn tcp_ready(socket: BorrowedFd<'_>, interest: Interest, seen: PollFlags) -> Readiness {
    let wanted = match interest {
        Interest::Read => PollFlags::IN,
        Interest::Write => PollFlags::OUT,
    };
    if seen.is_empty() {
        return Readiness::Wait(wanted);
    }
    let bytes = match interest {
        Interest::Read => ioctl_fionread(socket).unwrap_or(0),
        Interest::Write => 1,
    };
    Readiness::Ready { bytes, hangup: seen.contains(PollFlags::HUP) }
}
