//! TLS over a socket that never blocks.
//!
//! The handshake has no call of its own: reads, writes and polls carry it on as far as the peer lets them.
//!
//! How a stream ends: `close_notify` is its end, as FIN is TCP's. A FIN without it means that someone cut the stream
//! off (RFC 8446, section 6.1) and is `ECONNRESET`, after everything that arrived before. So is a fatal alert of the
//! peer; a peer that breaks the protocol is `EPROTO`.

use super::{Interest, Readiness};
use rustix::buffer::spare_capacity;
use rustix::event::PollFlags;
use rustix::io::{Errno, writev};
use rustix::net::{RecvFlags, Shutdown, recv, shutdown};
use rustls::{Connection, Error};
use std::io::{self, BufRead, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Bytes received at once: four records of the largest size (RFC 8446, section 5.2).
const RECEIVED: usize = 4 * (5 + (1 << 14) + 256);
/// Times a read receives before others have their turn: a peer may send records without content for ever.
const TURNS: usize = 16;

/// A socket under TLS.
pub struct Tls {
    socket: OwnedFd,
    session: Connection,
    /// What was received and the session has not had yet, from `taken` on. An idle connection holds no buffer.
    received: Vec<u8>,
    taken: usize,
    /// Decrypted bytes the session holds for the program.
    plaintext: usize,
    /// How reading ended.
    end: Option<Result<(), Errno>>,
    /// How writing ended, when the connection broke.
    broken: Option<Errno>,
    /// What is wrong with the peer, in words.
    fault: Option<Error>,
    /// The program has ended its direction.
    written_out: bool,
    /// And the peer has been told so by FIN too.
    finished: bool,
    /// The program does not want to read any more.
    read_out: bool,
}

impl Tls {
    /// A connection whose handshake has not begun.
    pub fn new(socket: OwnedFd, session: Connection) -> Self {
        Self {
            socket,
            session,
            received: Vec::new(),
            taken: 0,
            plaintext: 0,
            end: None,
            broken: None,
            fault: None,
            written_out: false,
            finished: false,
            read_out: false,
        }
    }

    /// Carries the handshake on; success means that it is complete.
    pub fn handshake(&mut self) -> Result<(), Errno> {
        let mut turns = TURNS;
        loop {
            self.flush()?;
            if !self.session.is_handshaking() {
                return Ok(());
            }
            match self.end {
                Some(Ok(())) => return Err(Errno::CONNRESET),
                Some(Err(errno)) => return Err(errno),
                None => self.advance(&mut turns)?,
            }
        }
    }

    /// What a handshake that stopped at `errno` waits for; none: it has failed.
    pub fn handshake_waits_for(&self, errno: Errno) -> Option<PollFlags> {
        (errno == Errno::AGAIN).then(|| self.progress())
    }

    /// Why the connection failed, in words.
    pub fn complaint(&self, errno: Errno) -> String {
        self.fault.as_ref().map_or_else(|| io::Error::from(errno).to_string(), Error::to_string)
    }

    /// See [`super::Stream::read`].
    pub fn read(&mut self, buffers: &mut [IoSliceMut<'_>]) -> Result<usize, Errno> {
        let mut done = 0;
        for buffer in buffers {
            let mut rest = &mut buffer[..];
            while !rest.is_empty() {
                // More may have arrived, but the program has something to begin with.
                if done > 0 && self.is_idle() {
                    return Ok(done);
                }
                match self.fill() {
                    Ok(true) => {}
                    Ok(false) => return Ok(done),
                    Err(_) if done > 0 => return Ok(done),
                    Err(errno) => return Err(errno),
                }
                let read = self.session.reader().read(rest).map_err(|_| Errno::IO)?;
                self.plaintext -= read;
                done += read;
                rest = &mut rest[read..];
            }
        }
        Ok(done)
    }

    /// See [`super::Stream::peek`].
    pub fn peek(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
        if !self.fill()? {
            return Ok(0);
        }
        let mut reader = self.session.reader();
        let first = reader.fill_buf().map_err(|_| Errno::IO)?;
        let len = first.len().min(buffer.len());
        buffer[..len].copy_from_slice(&first[..len]);
        Ok(len)
    }

    /// See [`super::Stream::write`]. What the session encrypts is sent before more is taken, so it holds one write at
    /// most: 64 KiB, its default limit.
    pub fn write(&mut self, buffers: &[IoSlice<'_>]) -> Result<usize, Errno> {
        if self.written_out {
            return Err(Errno::PIPE);
        }
        self.handshake()?;
        let len = self.session.writer().write_vectored(buffers).map_err(|_| Errno::IO)?;
        match self.flush() {
            Ok(()) | Err(Errno::AGAIN) => Ok(len),
            Err(errno) => Err(errno),
        }
    }

    /// See [`super::Stream::shutdown`].
    pub fn shutdown(&mut self, how: Shutdown) -> Result<(), Errno> {
        if how != Shutdown::Write {
            self.read_out = true;
        }
        if how != Shutdown::Read && !self.written_out {
            self.written_out = true;
            self.session.send_close_notify();
        }
        match self.flush() {
            Ok(()) | Err(Errno::AGAIN) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// Ends the stream in good order before the socket is closed; false if the peer is owed something yet.
    pub fn leave(&mut self) -> bool {
        if !self.written_out {
            self.session.send_close_notify();
            // Closing the socket tells the peer the rest.
            (self.written_out, self.finished) = (true, true);
        }
        let _ = self.flush();
        !self.owes()
    }

    /// See [`super::Stream::owes`].
    pub fn owes(&self) -> bool {
        self.session.wants_write() && self.broken.is_none()
    }

    /// See [`super::Stream::flush`].
    pub fn flush(&mut self) -> Result<(), Errno> {
        if let Some(errno) = self.broken {
            return Err(errno);
        }
        while self.session.wants_write() {
            if let Err(error) = self.session.write_tls(&mut Outgoing(&self.socket)) {
                let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
                if errno != Errno::AGAIN {
                    self.broken = Some(errno);
                }
                return Err(errno);
            }
        }
        if self.written_out && !self.finished {
            self.finished = true;
            shutdown(&self.socket, Shutdown::Write)?;
        }
        Ok(())
    }

    /// See [`super::Stream::ready`].
    pub fn ready(&mut self, interest: Interest, seen: PollFlags) -> Readiness {
        let state = match interest {
            Interest::Read => self.readable(seen),
            Interest::Write => self.writable(seen),
        };
        match state {
            Err(Errno::AGAIN) => Readiness::Wait(match interest {
                Interest::Write if !self.session.is_handshaking() => PollFlags::OUT,
                _ => self.progress(),
            }),
            Ok(bytes) => Readiness::Ready { bytes, hangup: self.is_over() },
            // The next call tells the error.
            Err(_) => Readiness::Ready { bytes: 0, hangup: true },
        }
    }

    /// The socket is only asked after `poll(2)` has been.
    fn readable(&mut self, seen: PollFlags) -> Result<u64, Errno> {
        if seen.is_empty() && self.is_idle() && self.end.is_none() && !self.read_out {
            return Err(Errno::AGAIN);
        }
        Ok(if self.fill()? { self.plaintext as u64 } else { 0 })
    }

    fn writable(&mut self, seen: PollFlags) -> Result<u64, Errno> {
        if self.written_out {
            return Err(Errno::PIPE);
        }
        if seen.is_empty() {
            return self.broken.map_or(Err(Errno::AGAIN), Err);
        }
        self.handshake().map(|()| 1)
    }

    /// Whether nothing is left of what was received.
    fn is_idle(&self) -> bool {
        self.plaintext == 0 && self.received.is_empty()
    }

    /// What any progress depends on.
    fn progress(&self) -> PollFlags {
        if self.owes() { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN }
    }

    /// Nothing will be read or written here any more.
    fn is_over(&self) -> bool {
        match self.end {
            _ if self.plaintext > 0 => false,
            Some(Ok(())) => self.written_out || self.broken.is_some(),
            Some(Err(_)) => true,
            None => false,
        }
    }

    /// Sees to it that there is plaintext to read; false means that there will be none.
    fn fill(&mut self) -> Result<bool, Errno> {
        if self.read_out {
            return Ok(false);
        }
        let mut turns = TURNS;
        while self.plaintext == 0 {
            if let Some(end) = self.end {
                return end.map(|()| false);
            }
            match self.flush() {
                Ok(()) => {}
                // During the handshake the peer waits for this; later, reading goes on regardless.
                Err(Errno::AGAIN) if !self.session.is_handshaking() => {}
                Err(Errno::AGAIN) => return Err(Errno::AGAIN),
                // Reading tells more than writing: an alert may have arrived before the connection broke.
                Err(_) => {}
            }
            self.advance(&mut turns)?;
        }
        Ok(true)
    }

    /// Gives the session more of what the peer has sent, and receives it if need be. A socket that was emptied is not
    /// asked again: `poll(2)` will tell.
    fn advance(&mut self, turns: &mut usize) -> Result<(), Errno> {
        if self.received.is_empty() {
            *turns = turns.checked_sub(1).ok_or(Errno::AGAIN)?;
            if self.receive()? < RECEIVED {
                *turns = 0;
            }
        }
        self.take()
    }

    fn take(&mut self) -> Result<(), Errno> {
        let mut rest = &self.received[self.taken..];
        let before = rest.len();
        // It reads 4 KiB each time, until it holds a record of the largest size and refuses more.
        while self.session.read_tls(&mut rest).is_ok_and(|read| read > 0) {}
        let left = rest.len();
        if before > 0 && before == left {
            return Err(Errno::IO);
        }
        self.taken = self.received.len() - left;
        if left == 0 {
            (self.received, self.taken) = (Vec::new(), 0);
        }
        match self.session.process_new_packets() {
            Ok(state) => {
                self.plaintext = state.plaintext_bytes_to_read();
                if state.peer_has_closed() {
                    self.end = Some(Ok(()));
                } else if before == 0 {
                    self.end = Some(Err(Errno::CONNRESET));
                }
            }
            Err(error) => {
                let alerted = matches!(error, Error::AlertReceived(_));
                self.end = Some(Err(if alerted { Errno::CONNRESET } else { Errno::PROTO }));
                self.fault = Some(error);
                // The peer is told why, if there is room for it.
                let _ = self.flush();
            }
        }
        Ok(())
    }

    /// Receives into the empty buffer; nothing received is the end of the connection.
    fn receive(&mut self) -> Result<usize, Errno> {
        let mut received = Vec::with_capacity(RECEIVED);
        let outcome = recv(&self.socket, spare_capacity(&mut received), RecvFlags::empty());
        match outcome {
            Ok(_) => self.received = received,
            Err(Errno::AGAIN) => {}
            Err(errno) => self.end = Some(Err(errno)),
        }
        outcome.map(|(_, len)| len)
    }
}

impl AsFd for Tls {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The socket, as rustls writes to it. Rust's start code ignores SIGPIPE, so a closed connection is an error here.
struct Outgoing<'a>(&'a OwnedFd);

impl Write for Outgoing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(writev(self.0, buffers)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
