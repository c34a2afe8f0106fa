//! Sockets: listening and connected ones.

use super::abi::{fdflags, riflags, rights, sdflags};
use super::errno::{Errno, Outcome};
use super::memory::Memory;
use super::process::Process;
use super::table::{Descriptor, Table};
use crate::host::Host;
use crate::identity::Identity;
use crate::net::{Interest, Listener, Readiness, Stream, dial};
use api::manifest::{File, FileKind, Prot};
use rustix::event::PollFlags;
use rustix::net::Shutdown;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd};

/// A socket.
pub struct Socket {
    kind: Kind,
    /// The module would rather have `EAGAIN` than wait.
    pub nonblocking: bool,
}

enum Kind {
    Listener(Listener),
    Stream(Stream),
}

impl Socket {
    /// The socket that the manifest declares as `file`, bound or connected; or why there is none.
    pub fn open(host: &Host, file: &File, identity: Option<&Identity>) -> Result<Self, String> {
        let identity = |prot: Prot| match prot {
            Prot::Tls => identity.map(Some).ok_or("the keep has no identity for TLS"),
            Prot::Tcp => Ok(None),
            Prot::Udp => Err("UDP is for components; WASI 0.1 has no calls for it"),
        };
        let kind = match &file.kind {
            FileKind::Listen { prot, addr, port } => {
                let tls = identity(*prot)?.map(|identity| identity.server.clone());
                let at = authority(addr, *port);
                let failed = |error| format!("cannot listen on {at}: {error}");
                let listener = Listener::bind(addr, *port, tls).map_err(failed)?;
                host.listening(&file.name, *prot, listener.local_addr().map_err(failed)?);
                Kind::Listener(listener)
            }
            FileKind::Connect { prot, host, port } => {
                let tls = identity(*prot)?.map(|identity| identity.client.clone());
                let to = authority(host, *port);
                Kind::Stream(
                    dial(host, *port, tls).map_err(|error| format!("cannot connect to {to}: {error}"))?,
                )
            }
            FileKind::Null | FileKind::Stdin | FileKind::Stdout | FileKind::Stderr => {
                return Err("not a socket".to_owned());
            }
        };
        Ok(Self { kind, nonblocking: false })
    }

    /// A socket that was connected to a listener.
    pub const fn accepted(stream: Stream, nonblocking: bool) -> Self {
        Self { kind: Kind::Stream(stream), nonblocking }
    }

    /// What may be done with it.
    pub const fn rights(&self) -> u64 {
        match self.kind {
            Kind::Listener(_) => rights::LISTENER,
            Kind::Stream(_) => rights::STREAM,
        }
    }

    /// See [`Stream::read`].
    pub fn read(&mut self, buffers: &mut [IoSliceMut<'_>]) -> Result<usize, rustix::io::Errno> {
        self.connected()?.read(buffers)
    }

    /// See [`Stream::write`].
    pub fn write(&mut self, buffers: &[IoSlice<'_>]) -> Result<usize, rustix::io::Errno> {
        self.connected()?.write(buffers)
    }

    /// See [`Stream::flush`].
    pub fn flush(&mut self) -> Result<(), rustix::io::Errno> {
        self.connected()?.flush()
    }

    /// Whether `interest` is met, now that `poll(2)` has `seen` this.
    pub fn ready(&mut self, interest: Interest, seen: PollFlags) -> Readiness {
        match &mut self.kind {
            Kind::Listener(listener) => listener.ready(seen),
            Kind::Stream(stream) => stream.ready(interest, seen),
        }
    }

    /// The stream it is, if it is connected.
    pub const fn stream(&self) -> Option<&Stream> {
        match &self.kind {
            Kind::Listener(_) => None,
            Kind::Stream(stream) => Some(stream),
        }
    }

    /// The stream it is, if it is connected.
    pub const fn stream_mut(&mut self) -> Option<&mut Stream> {
        match &mut self.kind {
            Kind::Listener(_) => None,
            Kind::Stream(stream) => Some(stream),
        }
    }

    /// Ends it; what remains is a stream whose peer is still owed something.
    pub fn leave(self) -> Option<Stream> {
        let Kind::Stream(mut stream) = self.kind else { return None };
        if stream.leave() { None } else { Some(stream) }
    }

    fn connected(&mut self) -> Result<&mut Stream, rustix::io::Errno> {
        self.stream_mut().ok_or(rustix::io::Errno::NOTCONN)
    }

    fn accept(&mut self) -> Result<Stream, rustix::io::Errno> {
        match &self.kind {
            Kind::Listener(listener) => listener.accept(),
            Kind::Stream(_) => Err(rustix::io::Errno::INVAL),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.kind {
            Kind::Listener(listener) => listener.as_fd(),
            Kind::Stream(stream) => stream.as_fd(),
        }
    }
}

/// A host and its port, as in a URL.
fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

pub fn sock_accept(
    process: &mut Process,
    memory: &mut Memory<'_>,
    fd: u32,
    flags: u32,
    accepted: u32,
) -> Outcome {
    if flags & !u32::from(fdflags::NONBLOCK) != 0 {
        return Err(Errno::Inval.into());
    }
    let table = &mut process.table;
    if !table.has_room() {
        return Err(Errno::Mfile.into());
    }
    let stream = table.persist(fd, Interest::Read, Socket::accept)?;
    let socket = Socket::accepted(stream, flags != 0);
    let number = table.insert(Descriptor::Socket(socket))?;
    Ok(memory.put_u32(accepted, number)?)
}

#[expect(clippy::too_many_arguments, reason = "WASI's own")]
pub fn sock_recv(
    process: &mut Process,
    memory: &mut Memory<'_>,
    fd: u32,
    iovecs: u32,
    count: u32,
    flags: u32,
    received: u32,
    out_flags: u32,
) -> Outcome {
    let flags = u16::try_from(flags).map_err(|_| Errno::Inval)?;
    if flags & !(riflags::PEEK | riflags::WAITALL) != 0 {
        return Err(Errno::Inval.into());
    }
    process.table.socket(fd)?;
    let mut buffers = memory.scatter(iovecs, count)?;
    let len = if flags & riflags::PEEK != 0 {
        let Some(first) = buffers.first_mut() else { return Err(Errno::Inval.into()) };
        process.table.persist(fd, Interest::Read, |socket| socket.connected()?.peek(first))?
    } else if flags & riflags::WAITALL != 0 {
        read_all(&mut process.table, fd, &mut buffers)?
    } else {
        process.table.persist(fd, Interest::Read, |socket| socket.read(&mut buffers))?
    };
    memory.put_len(received, len)?;
    // A stream has no messages that could be cut short.
    Ok(memory.put(out_flags, &0_u16.to_le_bytes())?)
}

/// Reads until the buffers are full, the stream ends, or waiting is not wanted.
fn read_all(table: &mut Table, fd: u32, buffers: &mut [IoSliceMut<'_>]) -> Outcome<usize> {
    let len = buffers.iter().map(|buffer| buffer.len()).sum();
    let (mut rest, mut done) = (buffers, 0);
    while done < len {
        match table.persist(fd, Interest::Read, |socket| socket.read(rest)) {
            Ok(0) => break,
            Ok(read) => {
                done += read;
                IoSliceMut::advance_slices(&mut rest, read);
            }
            Err(failure) if done == 0 => return Err(failure),
            Err(_) => break,
        }
    }
    Ok(done)
}

pub fn sock_send(
    process: &mut Process,
    memory: &mut Memory<'_>,
    fd: u32,
    iovecs: u32,
    count: u32,
    flags: u32,
    sent: u32,
) -> Outcome {
    // `siflags` has no flags yet.
    if flags != 0 {
        return Err(Errno::Inval.into());
    }
    process.table.socket(fd)?;
    let mut buffers = memory.gather(iovecs, count)?;
    let len = process.table.write_all(fd, &mut buffers)?;
    memory.put_len(sent, len)
}

pub fn sock_shutdown(process: &mut Process, _: &mut Memory<'_>, fd: u32, how: u32) -> Outcome {
    const READ: u32 = sdflags::RD as u32;
    const WRITE: u32 = sdflags::WR as u32;
    const BOTH: u32 = READ | WRITE;
    let socket = process.table.socket(fd)?;
    let how = match how {
        READ => Shutdown::Read,
        WRITE => Shutdown::Write,
        BOTH => Shutdown::Both,
        _ => return Err(Errno::Inval.into()),
    };
    Ok(socket.connected()?.shutdown(how)?)
}
