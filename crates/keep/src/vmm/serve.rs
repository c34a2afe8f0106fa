//! One call of the keep: copied, checked against its shape, its descriptors and its options, then made.

use super::descriptors::Descriptors;
use crate::sys::linux::{self, Data};
use crate::sys::memory::GuestMemory;
use abi::block::{HEADER, HEADER_USED, Header, SIZE};
use abi::call::{Arg, Call, Returns, WORKING_DIRECTORY};
use abi::request::Request;
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, IntoRawFd};

/// `POLLNVAL` for a descriptor that is none is the kernel's answer to a number that is never open.
const NEVER_OPEN: i32 = i32::MAX;
/// `ENOPROTOOPT`: there is no such option.
const NO_OPTION: Errno = Errno::NOPROTOOPT;

/// A thread's view of its block.
pub(super) struct Desk {
    blocks: GuestMemory,
    start: u64,
    data: Data,
}

/// A call that was taken from the block.
pub(super) enum Asked {
    /// One of Linux's, or reception of descriptors.
    Call(Request),
    /// One that the threads of the machine deal with.
    Own(Call, [u64; 6]),
    /// Nothing that a shim asks.
    Nonsense(String),
}

impl Desk {
    /// The desk of this thread.
    pub(super) fn new(blocks: GuestMemory, thread: usize) -> Self {
        Self { blocks, start: (thread * SIZE) as u64, data: Data::new() }
    }

    /// Takes the call that stands in the block.
    pub(super) fn take(&mut self) -> io::Result<Asked> {
        let mut header = [0; HEADER_USED];
        self.blocks.read(self.start, &mut header)?;
        let Header { call, args, .. } = Header::decode(&header);
        let Some(call) = Call::from_number(call) else { return Ok(Asked::Nonsense(format!("call {call}"))) };
        let request = match Request::new(call, args) {
            Ok(request) => request,
            Err(error) => return Ok(Asked::Nonsense(format!("{call:?} with {args:x?}: {error:?}"))),
        };
        if call.shape().linux.is_none() && call != Call::Receive {
            return Ok(Asked::Own(call, args));
        }
        for (index, span) in request.spans().filter(|(_, span)| span.way().is_in()) {
            let bytes = &mut self.data.bytes()[span.range()];
            self.blocks.read(self.start + (HEADER + span.range().start) as u64, bytes)?;
            // A path ends where its length says.
            if matches!(call.shape().args[index], Arg::Path) && bytes.last() != Some(&0) {
                return Ok(Asked::Nonsense(format!("{call:?} with a path that does not end")));
            }
        }
        Ok(Asked::Call(request))
    }

    /// Makes a call and puts its answer into the block.
    pub(super) fn answer(&mut self, request: &Request, descriptors: &Descriptors) -> io::Result<()> {
        let mut room = 0;
        let result = self.make(request, descriptors, &mut room);
        let mut args = *request.args();
        for (arg, shape) in args.iter_mut().zip(&request.call().shape().args) {
            if matches!(shape, Arg::Room) {
                *arg = room.into();
            }
        }
        if result.is_ok() {
            for (_, span) in request.spans().filter(|(_, span)| span.way().is_out()) {
                let at = self.start + (HEADER + span.range().start) as u64;
                self.blocks.write(at, &self.data.bytes()[span.range()])?;
            }
        }
        self.reply(request.call(), args, result)
    }

    /// Puts the result of a call into the block.
    pub(super) fn reply(&mut self, call: Call, args: [u64; 6], result: Result<u64, Errno>) -> io::Result<()> {
        let result = result.map_or_else(|error| -i64::from(error.raw_os_error()), u64::cast_signed);
        self.blocks.write(self.start, &Header { call: call as u64, args, result }.encode())
    }

    fn make(&mut self, request: &Request, descriptors: &Descriptors, room: &mut u32) -> Result<u64, Errno> {
        let call = request.call();
        check(request, descriptors)?;
        match call {
            Call::Receive => return self.receive(request, descriptors, room),
            Call::Ppoll => self.hide_others(request, descriptors),
            Call::Close => {
                descriptors.remove(request.args()[0]);
            }
            _ => {}
        }
        let Some(number) = call.shape().linux else { return Err(Errno::NOSYS) };
        let result = loop {
            match linux::call(number, request, &mut self.data, room) {
                // No signal is meant for the keep.
                Err(error) if error.kind() == io::ErrorKind::Interrupted && call != Call::Close => {}
                result => break result,
            }
        };
        let value = result.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        if call.shape().returns == Returns::Descriptor && !descriptors.add(value) {
            return Err(Errno::MFILE);
        }
        Ok(value)
    }

    /// Lets `poll` see descriptors of the keep only.
    fn hide_others(&mut self, request: &Request, descriptors: &Descriptors) {
        let Some(span) = request.span(0) else { return };
        for entry in self.data.bytes()[span.range()].as_chunks_mut::<8>().0 {
            let [a, b, c, d, ..] = *entry;
            let number = i32::from_le_bytes([a, b, c, d]);
            if u64::try_from(number).is_ok_and(|number| !descriptors.has(number)) {
                entry[..4].copy_from_slice(&NEVER_OPEN.to_le_bytes());
            }
        }
    }

    /// `recvmsg`, with the descriptors that come along.
    fn receive(
        &mut self,
        request: &Request,
        descriptors: &Descriptors,
        told: &mut u32,
    ) -> Result<u64, Errno> {
        let args = request.args();
        let (Some(bytes), Some(rights)) = (request.span(1), request.span(4)) else {
            return Err(Errno::INVAL);
        };
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let socket = crate::sys::own::borrowed(args[0])?;
        let flags = RecvFlags::from_bits_truncate(args[3] as u32) | RecvFlags::CMSG_CLOEXEC;
        let data = self.data.bytes();
        let received = receive_whole(socket, &mut data[bytes.range()], &mut ancillary, flags)?;
        let mut at = 0;
        for message in ancillary.drain() {
            let RecvAncillaryMessage::ScmRights(received) = message else { continue };
            for right in received {
                let Some(place) = data[rights.range()].get_mut(at..at + 4) else { break };
                let number = right.into_raw_fd();
                if !descriptors.add(number.unsigned_abs().into()) {
                    return Err(Errno::MFILE);
                }
                place.copy_from_slice(&number.to_le_bytes());
                at += 4;
            }
        }
        *told = at as u32;
        Ok(received as u64)
    }
}

fn receive_whole(
    socket: BorrowedFd<'_>,
    bytes: &mut [u8],
    ancillary: &mut RecvAncillaryBuffer<'_>,
    flags: RecvFlags,
) -> Result<usize, Errno> {
    loop {
        match recvmsg(socket, &mut [IoSliceMut::new(bytes)], ancillary, flags) {
            Err(Errno::INTR) => {}
            received => return received.map(|received| received.bytes),
        }
    }
}

/// Descriptors are the keep's, options are passed on.
fn check(request: &Request, descriptors: &Descriptors) -> Result<(), Errno> {
    let args = request.args();
    for (arg, value) in request.call().shape().args.iter().zip(args) {
        let foreign = match arg {
            Arg::Descriptor => !descriptors.has(*value),
            Arg::Directory => *value != WORKING_DIRECTORY && !descriptors.has(*value),
            _ => false,
        };
        if foreign {
            return Err(Errno::BADF);
        }
    }
    let is_option = matches!(request.call(), Call::Setsockopt | Call::Getsockopt);
    if is_option && !request.call().passes_option(args[1], args[2]) {
        return Err(NO_OPTION);
    }
    Ok(())
}
