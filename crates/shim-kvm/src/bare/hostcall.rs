//! One call of the host: what goes out is copied into the block, what comes back is copied out of it before it is
//! checked, and what went out is wiped.

use super::cpu::{Cpu, clear, copy};
use super::memory;
use super::platform;
use super::stop::{Reason, stop};
use abi::block::{ARGS, HEADER, HEADER_USED, Header, SIZE};
use abi::call::Call;
use abi::errno::Errno;
use abi::layout::BLOCKS;
use abi::reply::Reply;
use abi::request::{Malformed, Request, Span};
use core::ptr;

/// A call being prepared or done. The block is this thread's, and no other call is made before this one is dropped.
pub struct Exchange {
    request: Request,
}

impl Exchange {
    /// A call with these arguments, whose buffers are still to be filled.
    pub fn new(call: Call, args: [u64; ARGS]) -> Result<Self, Errno> {
        let request = Request::new(call, args).map_err(|error| match error {
            Malformed::Call(_) => Errno::NOSYS,
            Malformed::Argument(_) | Malformed::TooLong => Errno::INVAL,
        })?;
        Ok(Self { request })
    }

    /// The call.
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// Copies user memory into the buffer of an argument, from `at` on.
    pub fn put_user(&self, index: usize, at: usize, address: u64, len: usize) -> Result<(), Errno> {
        let place = self.place(index, at, len);
        // SAFETY: the destination lies within the block, by `place`.
        unsafe { memory::read_user(address, place, len) }
    }

    /// Copies bytes into the buffer of an argument.
    pub fn put(&self, index: usize, bytes: &[u8]) {
        let place = self.place(index, 0, bytes.len());
        // SAFETY: the destination lies within the block, by `place`.
        unsafe { copy(place, bytes.as_ptr(), bytes.len()) };
    }

    /// Copies from the buffer of an argument into user memory.
    pub fn take_user(&self, index: usize, at: usize, address: u64, len: usize) -> Result<(), Errno> {
        let place = self.place(index, at, len);
        // SAFETY: the source lies within the block, by `place`.
        unsafe { memory::write_user(address, place, len) }
    }

    /// Copies from the buffer of an argument.
    pub fn take(&self, index: usize, bytes: &mut [u8]) {
        let place = self.place(index, 0, bytes.len());
        // SAFETY: the source lies within the block, by `place`.
        unsafe { copy(bytes.as_mut_ptr(), place, bytes.len()) };
    }

    /// Makes the call. An answer that cannot be true ends the keep.
    pub fn call(&self) -> Result<Reply, Errno> {
        let header = Header { call: self.request.call() as u64, args: *self.request.args(), result: 0 };
        let answer = pass(&header);
        match Reply::check(&self.request, &answer) {
            Ok(reply) => reply,
            Err(_) => stop(Reason::Lie, header.call),
        }
    }

    fn place(&self, index: usize, at: usize, len: usize) -> *mut u8 {
        let span: Option<Span> = self.request.span(index);
        match span {
            Some(span) if at + len <= span.len() => block().wrapping_add(HEADER + span.range().start + at),
            _ => stop(Reason::Panic, 1),
        }
    }
}

impl Drop for Exchange {
    /// Nothing that the keep wrote stays where the host reads.
    fn drop(&mut self) {
        for (index, span) in self.request.spans().filter(|(_, span)| span.way().is_in()) {
            // SAFETY: within the block, by `place`; nobody has references into it.
            unsafe { clear(self.place(index, 0, span.len()), span.len()) };
        }
    }
}

/// A call of numbers only.
pub fn ask(call: Call, args: [u64; ARGS]) -> Result<u64, Errno> {
    Ok(Exchange::new(call, args)?.call()?.value)
}

/// A call that does not return, from places where nothing can be checked any more.
pub fn last(call: Call, args: [u64; ARGS]) {
    pass(&Header { call: call as u64, args, result: 0 });
}

/// The data that the host left in the first block before the start.
pub fn left_by_launcher(bytes: &mut [u8]) {
    let len = bytes.len().min(SIZE - HEADER);
    let first = ptr::with_exposed_provenance::<u8>(BLOCKS as usize + HEADER);
    // SAFETY: within the first block; copied before it is looked at.
    unsafe { copy(bytes.as_mut_ptr(), first, len) };
}

fn pass(header: &Header) -> Header {
    let mut words = header.encode();
    // SAFETY: the header lies at the block's start; it is copied out before it is looked at.
    unsafe {
        copy(block(), words.as_ptr(), HEADER_USED);
        platform::exit();
        copy(words.as_mut_ptr(), block(), HEADER_USED);
    }
    Header::decode(&words)
}

fn block() -> *mut u8 {
    ptr::with_exposed_provenance_mut((BLOCKS as usize) + Cpu::current().thread * SIZE)
}
