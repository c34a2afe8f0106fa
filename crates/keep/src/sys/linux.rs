//! A keep's calls, made of the kernel: every pointer the kernel gets leads into a buffer of ours.
#![expect(unsafe_code, reason = "syscall(2) has no safe form")]

use abi::block::DATA;
use abi::call::Arg;
use abi::request::Request;
use std::io;

/// Bytes of a keep's call, copied out of its block.
pub(crate) struct Data(Box<[u128; DATA / 16]>);

impl Data {
    /// All zero.
    pub(crate) fn new() -> Self {
        Self(Box::new([0; DATA / 16]))
    }

    /// The bytes, which begin at a multiple of 16.
    pub(crate) fn bytes(&mut self) -> &mut [u8; DATA] {
        // SAFETY: numbers of 128 bits are plain bytes, as many as the array has.
        unsafe { &mut *self.0.as_mut_ptr().cast::<[u8; DATA]>() }
    }
}

/// Makes a call that is one of Linux's. Its [`Arg::Room`], if it has one, is replaced by what the kernel says.
///
/// Which calls, descriptors and options are passed is checked before; what they may do is for the filter.
pub(crate) fn call(number: u16, request: &Request, data: &mut Data, room: &mut u32) -> io::Result<u64> {
    let base = data.bytes().as_mut_ptr();
    let mut args = *request.args();
    for (index, arg) in request.call().shape().args.iter().enumerate() {
        match arg {
            Arg::In(_) | Arg::Out(_) | Arg::InOut(_) | Arg::Path => {
                args[index] =
                    request.span(index).map_or(0, |span| base.wrapping_add(span.range().start) as u64);
            }
            Arg::Room => {
                *room = request.args()[index] as u32;
                let is_wanted = request.spans().any(|(_, span)| span.way().is_out());
                args[index] = if is_wanted { std::ptr::from_mut(room) as u64 } else { 0 };
            }
            _ => {}
        }
    }
    let [a, b, c, d, e, f] = args;
    // SAFETY: each pointer leads to its span of `data`, which lives across the call and has as many bytes as the kernel
    // is told: spans are made from the same arguments (`Request::new`), with the sizes of the kernel's structures. A path
    // ends with a zero, as the caller has checked. `room` lives, too, and tells no more than its span has.
    let result = unsafe { libc::syscall(number.into(), a, b, c, d, e, f) };
    u64::try_from(result).map_err(|_| io::Error::last_os_error())
}
