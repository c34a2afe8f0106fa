//! The standard streams of `enarx run`, and the stream that is none.

use super::abi::Filetype;
use super::abi::rights;
use super::errno::{Errno, Outcome};
use crate::limits::Output;
use crate::net::{Interest, Readiness};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{ioctl_fionread, readv, writev};
use std::io::{self, IoSlice, IoSliceMut, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};

/// A standard stream. It may be named by more than one descriptor, and closing one leaves it open.
pub struct Standard {
    source: Source,
    terminal: bool,
    /// The module would rather have `EAGAIN` than wait.
    pub nonblocking: bool,
}

/// Where its bytes come from or go to.
enum Source {
    Null,
    Stdin(io::Stdin),
    Stdout(io::Stdout),
    Stderr(io::Stderr),
}

impl Standard {
    /// Reads nothing, swallows everything.
    pub const fn null() -> Self {
        Self { source: Source::Null, terminal: false, nonblocking: false }
    }

    /// Standard input.
    pub fn stdin() -> Self {
        let stdin = io::stdin();
        Self { terminal: stdin.is_terminal(), source: Source::Stdin(stdin), nonblocking: false }
    }

    /// Standard output.
    pub fn stdout() -> Self {
        let stdout = io::stdout();
        Self { terminal: stdout.is_terminal(), source: Source::Stdout(stdout), nonblocking: false }
    }

    /// Standard error.
    pub fn stderr() -> Self {
        let stderr = io::stderr();
        Self { terminal: stderr.is_terminal(), source: Source::Stderr(stderr), nonblocking: false }
    }

    /// What it is: libraries take a character device for a terminal.
    pub const fn filetype(&self) -> Filetype {
        if self.terminal { Filetype::CharacterDevice } else { Filetype::Unknown }
    }

    /// What may be done with it.
    pub const fn rights(&self) -> u64 {
        let direction = match self.source {
            Source::Null => rights::FD_READ | rights::FD_WRITE,
            Source::Stdin(_) => rights::FD_READ,
            Source::Stdout(_) | Source::Stderr(_) => rights::FD_WRITE,
        };
        direction | rights::POLL_FD_READWRITE | rights::FD_FDSTAT_SET_FLAGS | rights::FD_FILESTAT_GET
    }

    /// Reads what is there, or waits for it.
    pub fn read(&self, buffers: &mut [IoSliceMut<'_>]) -> Outcome<usize> {
        let stdin = match &self.source {
            Source::Null => return Ok(0),
            Source::Stdin(stdin) => stdin.as_fd(),
            Source::Stdout(_) | Source::Stderr(_) => return Err(Errno::Badf.into()),
        };
        if self.nonblocking && !now(stdin, PollFlags::IN) {
            return Err(Errno::Again.into());
        }
        loop {
            match readv(stdin, buffers) {
                // Whoever else has this stream open may have made it non-blocking.
                Err(rustix::io::Errno::AGAIN) if !self.nonblocking => wait(stdin, PollFlags::IN)?,
                read => return Ok(read?),
            }
        }
    }

    /// Writes everything, unless it is non-blocking. `output` is charged for it.
    pub fn write(&self, buffers: &mut [IoSlice<'_>], output: &Output) -> Outcome<usize> {
        let len = buffers.iter().map(|buffer| buffer.len()).sum();
        let Some(stream) = self.written() else {
            return if matches!(self.source, Source::Null) { Ok(len) } else { Err(Errno::Badf.into()) };
        };
        if self.nonblocking && !now(stream, PollFlags::OUT) {
            return Err(Errno::Again.into());
        }
        output.charge(len)?;
        let (mut rest, mut done) = (buffers, 0);
        while done < len {
            match writev(stream, rest) {
                Ok(written) => {
                    done += written;
                    IoSlice::advance_slices(&mut rest, written);
                }
                Err(rustix::io::Errno::AGAIN) if !self.nonblocking => wait(stream, PollFlags::OUT)?,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) if done > 0 => break,
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(done)
    }

    /// The descriptor to poll; none: it never has to wait.
    pub fn polled(&self) -> Option<BorrowedFd<'_>> {
        match &self.source {
            Source::Null => None,
            Source::Stdin(stdin) => Some(stdin.as_fd()),
            Source::Stdout(_) | Source::Stderr(_) => self.written(),
        }
    }

    /// Whether `interest` is met, now that `poll(2)` has `seen` this.
    pub fn ready(&self, interest: Interest, seen: PollFlags) -> Readiness {
        let Some(stream) = self.polled() else {
            return Readiness::Ready { bytes: u64::from(interest == Interest::Write), hangup: false };
        };
        match interest {
            _ if seen.is_empty() => Readiness::Wait(match interest {
                Interest::Read => PollFlags::IN,
                Interest::Write => PollFlags::OUT,
            }),
            // A file on standard input cannot be asked on every kernel; a byte, or its end, is there.
            Interest::Read => {
                Readiness::Ready { bytes: ioctl_fionread(stream).unwrap_or(1), hangup: is_over(seen) }
            }
            Interest::Write => Readiness::Ready { bytes: 1, hangup: is_over(seen) },
        }
    }

    fn written(&self) -> Option<BorrowedFd<'_>> {
        match &self.source {
            Source::Null | Source::Stdin(_) => None,
            Source::Stdout(stdout) => Some(stdout.as_fd()),
            Source::Stderr(stderr) => Some(stderr.as_fd()),
        }
    }
}

fn is_over(seen: PollFlags) -> bool {
    seen.intersects(PollFlags::HUP | PollFlags::ERR)
}

fn now(stream: BorrowedFd<'_>, wanted: PollFlags) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(stream, wanted)];
    poll(&mut polled, Some(&super::clock::timespec(0))).is_ok_and(|ready| ready > 0)
}

fn wait(stream: BorrowedFd<'_>, wanted: PollFlags) -> Result<(), rustix::io::Errno> {
    poll(&mut [PollFd::from_borrowed_fd(stream, wanted)], None).map(drop)
}
