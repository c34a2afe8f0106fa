//! Descriptors, and the calls that work on any of them.

use super::abi::{Filetype, fdflags, rights};
use super::clock;
use super::dir::Directory;
use super::errno::{Errno, Outcome};
use super::file::File;
use super::memory::Memory;
use super::process::Process;
use super::socket::Socket;
use super::stdio::Standard;
use crate::net::{Interest, Readiness, Stream};
use crate::workload::Workload;
use api::launch::Ending;
use api::manifest::FileKind;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::time::ClockId;
use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd};

/// Most descriptors at once; the host's own limit may be lower.
const DESCRIPTORS: usize = 4096;
/// Closed sockets that still owe bytes to their peers; the next one is closed with what it owes.
const LEAVING: usize = 256;
/// How long a process that has ended waits for its peers to take what it wrote.
const FAREWELL: u64 = 5_000_000_000;

/// What stands behind a descriptor.
pub enum Descriptor {
    Standard(Standard),
    Socket(Socket),
    File(File),
    Directory(Directory),
}

/// A process's descriptors, by number.
pub struct Table {
    slots: Vec<Option<Descriptor>>,
    leaving: Vec<Stream>,
}

impl Table {
    /// The descriptors of the manifest's `files`, then the preopened directories.
    pub fn new(workload: Workload) -> Result<Self, Ending> {
        let Workload { host, manifest, dirs, identity, .. } = workload;
        let mut slots = Vec::with_capacity(manifest.files.len() + dirs.len() + 16);
        for (number, file) in manifest.files.iter().enumerate() {
            slots.push(Some(match &file.kind {
                FileKind::Null => Descriptor::Standard(Standard::null()),
                FileKind::Stdin => Descriptor::Standard(Standard::stdin()),
                FileKind::Stdout => Descriptor::Standard(Standard::stdout()),
                FileKind::Stderr => Descriptor::Standard(Standard::stderr()),
                FileKind::Listen { .. } | FileKind::Connect { .. } => {
                    let socket = Socket::open(&host, file, identity.as_ref()).map_err(|why| {
                        Ending::Refused(format!("files[{number}] (`{}`): {why}", file.name))
                    })?;
                    Descriptor::Socket(socket)
                }
            }));
        }
        slots.extend(
            dirs.into_iter().map(|(fd, dir)| Some(Descriptor::Directory(Directory::preopened(fd, dir)))),
        );
        Ok(Self { slots, leaving: Vec::new() })
    }

    /// These descriptors.
    #[cfg(test)]
    pub fn of(descriptors: Vec<Descriptor>) -> Self {
        Self { slots: descriptors.into_iter().map(Some).collect(), leaving: Vec::new() }
    }

    /// What stands behind `fd`.
    pub fn get(&mut self, fd: u32) -> Outcome<&mut Descriptor> {
        let slot = self.slots.get_mut(fd as usize).and_then(Option::as_mut);
        Ok(slot.ok_or(Errno::Badf)?)
    }

    /// The file behind `fd`.
    pub fn file(&mut self, fd: u32) -> Outcome<&mut File> {
        match self.get(fd)? {
            Descriptor::File(file) => Ok(file),
            Descriptor::Standard(_) | Descriptor::Socket(_) | Descriptor::Directory(_) => {
                Err(Errno::Badf.into())
            }
        }
    }

    /// The directory behind `fd`.
    pub fn directory(&self, fd: u32) -> Outcome<&Directory> {
        match self.slots.get(fd as usize) {
            Some(Some(Descriptor::Directory(directory))) => Ok(directory),
            Some(Some(Descriptor::File(_))) => Err(Errno::Notdir.into()),
            _ => Err(Errno::Badf.into()),
        }
    }

    /// The socket behind `fd`.
    pub fn socket(&mut self, fd: u32) -> Outcome<&mut Socket> {
        match self.get(fd)? {
            Descriptor::Socket(socket) => Ok(socket),
            Descriptor::Standard(_) | Descriptor::File(_) | Descriptor::Directory(_) => {
                Err(Errno::Notsock.into())
            }
        }
    }

    /// Whether there is room for another descriptor.
    pub fn has_room(&self) -> bool {
        self.slots.len() < DESCRIPTORS || self.slots.iter().any(Option::is_none)
    }

    /// Gives `descriptor` the lowest free number, as POSIX has it.
    pub fn insert(&mut self, descriptor: Descriptor) -> Outcome<u32> {
        let free = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        if free >= DESCRIPTORS {
            return Err(Errno::Mfile.into());
        }
        if free == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[free] = Some(descriptor);
        Ok(u32::try_from(free).map_err(|_| Errno::Mfile)?)
    }

    /// Does `attempt` on the socket behind `fd`; where that would block, waits for `interest` and tries again, unless
    /// the module asked not to wait.
    pub fn persist<T>(
        &mut self,
        fd: u32,
        interest: Interest,
        mut attempt: impl FnMut(&mut Socket) -> Result<T, rustix::io::Errno>,
    ) -> Outcome<T> {
        let mut seen = Vec::new();
        loop {
            let socket = self.socket(fd)?;
            match attempt(socket) {
                Err(rustix::io::Errno::AGAIN) if !socket.nonblocking => {}
                done => return Ok(done?),
            }
            if let Readiness::Wait(wanted) = socket.ready(interest, PollFlags::empty()) {
                self.poll(&[(fd, Some(wanted))], &mut seen, None)?;
            }
        }
    }

    /// Waits until something wanted is `seen` or the time is over, and meanwhile sends what sockets owe their peers.
    /// It may return with nothing seen. Of a descriptor with nothing wanted, nothing is seen.
    pub fn poll(
        &mut self,
        wanted: &[(u32, Option<PollFlags>)],
        seen: &mut Vec<PollFlags>,
        timeout: Option<u64>,
    ) -> Outcome {
        let mut polled = Vec::with_capacity(wanted.len());
        for (fd, flags) in wanted.iter().filter_map(|(fd, flags)| Some((fd, (*flags)?))) {
            let descriptor = self.slots.get(*fd as usize).and_then(Option::as_ref);
            let descriptor = descriptor.and_then(Descriptor::polled).ok_or(Errno::Badf)?;
            polled.push(PollFd::from_borrowed_fd(descriptor, flags));
        }
        let asked = polled.len();
        let owing = self.slots.iter().flatten().filter_map(Descriptor::stream).chain(&self.leaving);
        polled.extend(owing.filter(|stream| stream.owes()).map(|stream| PollFd::new(stream, PollFlags::OUT)));
        let timeout: Option<Timespec> = timeout.map(clock::timespec);
        match poll(&mut polled, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        seen.clear();
        let mut answers = polled.iter().map(PollFd::revents);
        seen.extend(
            wanted.iter().map(|(_, flags)| flags.and_then(|_| answers.next()).unwrap_or(PollFlags::empty())),
        );
        if polled[asked..].iter().any(|owing| !owing.revents().is_empty()) {
            self.flush();
        }
        Ok(())
    }

    /// The process is over: what its sockets owe is sent, as a kernel would after `exit(2)`, for as long as a peer may
    /// keep a keep from ending.
    pub fn farewell(&mut self) {
        for slot in 0..self.slots.len() {
            if let Some(Descriptor::Socket(socket)) = self.slots[slot].take() {
                self.leave(socket);
            }
        }
        let end = clock::now(ClockId::Monotonic).saturating_add(FAREWELL);
        while !self.leaving.is_empty() {
            let left = end.saturating_sub(clock::now(ClockId::Monotonic));
            if left == 0 || self.poll(&[], &mut Vec::new(), Some(left)).is_err() {
                return;
            }
        }
    }

    fn flush(&mut self) {
        for stream in self.slots.iter_mut().flatten().filter_map(Descriptor::stream_mut) {
            // Whoever uses the stream next is told the error.
            let _ = stream.flush();
        }
        self.leaving.retain_mut(|stream| {
            let _ = stream.flush();
            stream.owes()
        });
    }

    fn close(&mut self, descriptor: Descriptor) {
        if let Descriptor::Socket(socket) = descriptor {
            self.leave(socket);
        }
    }

    /// Ends a socket's stream in good order, and keeps it until its peer has what it is owed.
    fn leave(&mut self, socket: Socket) {
        if let Some(stream) = socket.leave()
            && self.leaving.len() < LEAVING
        {
            self.leaving.push(stream);
        }
    }
}

impl Descriptor {
    /// Whether `interest` is met, now that `poll(2)` has `seen` this; none: it cannot be polled.
    pub fn ready(&mut self, interest: Interest, seen: PollFlags) -> Option<Readiness> {
        match self {
            Self::Standard(standard) => Some(standard.ready(interest, seen)),
            Self::Socket(socket) => Some(socket.ready(interest, seen)),
            Self::File(file) => Some(file.ready(interest)),
            Self::Directory(_) => None,
        }
    }

    fn polled(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Standard(standard) => standard.polled(),
            Self::Socket(socket) => Some(socket.as_fd()),
            Self::File(_) | Self::Directory(_) => None,
        }
    }

    fn stream(&self) -> Option<&Stream> {
        if let Self::Socket(socket) = self { socket.stream() } else { None }
    }

    fn stream_mut(&mut self) -> Option<&mut Stream> {
        if let Self::Socket(socket) = self { socket.stream_mut() } else { None }
    }
}

pub fn fd_read(
    process: &mut Process,
    memory: &mut Memory<'_>,
    fd: u32,
    iovecs: u32,
    count: u32,
    read: u32,
) -> Outcome {
    let mut buffers = memory.scatter(iovecs, count)?;
    let len = match process.table.get(fd)? {
        Descriptor::Standard(standard) => standard.read(&mut buffers)?,
        Descriptor::File(file) => rustix::io::readv(&*file, &mut buffers)?,
        Descriptor::Socket(_) => {
            process.table.persist(fd, Interest::Read, |socket| socket.read(&mut buffers))?
        }
        Descriptor::Directory(_) => return Err(Errno::Isdir.into()),
    };
    memory.put_len(read, len)
}

pub fn fd_write(
    process: &mut Process,
    memory: &mut Memory<'_>,
    fd: u32,
    iovecs: u32,
    count: u32,
    written: u32,
) -> Outcome {
    let mut buffers = memory.gather(iovecs, count)?;
    let len = match process.table.get(fd)? {
        Descriptor::Standard(standard) => standard.write(&mut buffers, &process.output)?,
        Descriptor::File(file) => rustix::io::writev(&*file, &buffers)?,
        Descriptor::Socket(_) => process.table.write_all(fd, &mut buffers)?,
        Descriptor::Directory(_) => return Err(Errno::Isdir.into()),
    };
    memory.put_len(written, len)
}

impl Table {
    /// Writes everything to the socket behind `fd`, and hands it to the kernel; a non-blocking socket takes what there
    /// is room for.
    pub fn write_all(&mut self, fd: u32, buffers: &mut [IoSlice<'_>]) -> Outcome<usize> {
        let len: usize = buffers.iter().map(|buffer| buffer.len()).sum();
        let (mut rest, mut done) = (buffers, 0);
        loop {
            match self.persist(fd, Interest::Write, |socket| socket.write(rest)) {
                Ok(written) => {
                    done += written;
                    IoSlice::advance_slices(&mut rest, written);
                }
                Err(failure) if done == 0 => return Err(failure),
                Err(_) => return Ok(done),
            }
            if done >= len || self.socket(fd)?.nonblocking {
                break;
            }
        }
        if !self.socket(fd)?.nonblocking {
            self.persist(fd, Interest::Write, Socket::flush)?;
        }
        Ok(done)
    }
}

pub fn fd_close(process: &mut Process, _: &mut Memory<'_>, fd: u32) -> Outcome {
    let slot = process.table.slots.get_mut(fd as usize).ok_or(Errno::Badf)?;
    let descriptor = slot.take().ok_or(Errno::Badf)?;
    process.table.close(descriptor);
    Ok(())
}

pub fn fd_renumber(process: &mut Process, _: &mut Memory<'_>, from: u32, to: u32) -> Outcome {
    process.table.get(from)?;
    process.table.get(to)?;
    if from != to {
        let moved = process.table.slots[from as usize].take();
        let replaced = std::mem::replace(&mut process.table.slots[to as usize], moved);
        if let Some(descriptor) = replaced {
            process.table.close(descriptor);
        }
    }
    Ok(())
}

pub fn fd_fdstat_get(process: &mut Process, memory: &mut Memory<'_>, fd: u32, stat: u32) -> Outcome {
    let nonblocking = |yes: bool| if yes { fdflags::NONBLOCK } else { 0 };
    let (filetype, flags, base, inheriting) = match process.table.get(fd)? {
        Descriptor::Standard(standard) => {
            (standard.filetype(), nonblocking(standard.nonblocking), standard.rights(), 0)
        }
        Descriptor::Socket(socket) => {
            (Filetype::SocketStream, nonblocking(socket.nonblocking), socket.rights(), 0)
        }
        Descriptor::File(file) => {
            let (filetype, flags, rights) = file.fdstat()?;
            (filetype, flags, rights, 0)
        }
        Descriptor::Directory(_) => (Filetype::Directory, 0, rights::DIRECTORY, rights::INHERITED),
    };
    let mut bytes = [0; 24];
    bytes[0] = filetype as u8;
    bytes[2..4].copy_from_slice(&flags.to_le_bytes());
    bytes[8..16].copy_from_slice(&base.to_le_bytes());
    bytes[16..].copy_from_slice(&inheriting.to_le_bytes());
    Ok(memory.put(stat, &bytes)?)
}

pub fn fd_fdstat_set_flags(process: &mut Process, _: &mut Memory<'_>, fd: u32, flags: u32) -> Outcome {
    let flags = u16::try_from(flags).map_err(|_| Errno::Inval)?;
    // As on Linux, what a write waits for is decided when a file is opened.
    if flags & !(fdflags::APPEND | fdflags::NONBLOCK) != 0 {
        return Err(Errno::Inval.into());
    }
    let nonblocking = flags & fdflags::NONBLOCK != 0;
    match process.table.get(fd)? {
        Descriptor::Standard(standard) => standard.nonblocking = nonblocking,
        Descriptor::Socket(socket) => socket.nonblocking = nonblocking,
        Descriptor::File(file) => {
            let append = if flags & fdflags::APPEND != 0 { OFlags::APPEND } else { OFlags::empty() };
            let wait = if nonblocking { OFlags::NONBLOCK } else { OFlags::empty() };
            rustix::fs::fcntl_setfl(&*file, append | wait)?;
        }
        Descriptor::Directory(_) => return Err(Errno::Badf.into()),
    }
    Ok(())
}

pub fn fd_fdstat_set_rights(process: &mut Process, _: &mut Memory<'_>, fd: u32, _: u64, _: u64) -> Outcome {
    process.table.get(fd)?;
    Err(Errno::Notsup.into())
}
