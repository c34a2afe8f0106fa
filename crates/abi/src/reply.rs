//! A host's answer, before the keep believes any of it.

use crate::block::Header;
use crate::call::{Arg, Call, Returns};
use crate::errno::Errno;
use crate::layout::DESCRIPTORS;
use crate::request::Request;

/// An answer that can be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What the call returned.
    pub value: u64,
    /// For the call's [`Arg::Room`], how much the host had to say.
    pub told: u64,
}

/// An answer that no honest host gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lie;

impl Reply {
    /// Checks the private copy of a block's header after the call.
    pub fn check(request: &Request, header: &Header) -> Result<Result<Self, Errno>, Lie> {
        let Ok(value) = u64::try_from(header.result) else {
            return match header.result.unsigned_abs() {
                // No signal enters a keep, so nothing is ever interrupted: a host could say so for ever.
                code if code == u64::from(Errno::INTR.0) => Err(Lie),
                code @ 1..=4095 => Ok(Err(Errno(code as u16))),
                _ => Err(Lie),
            };
        };
        let most = match request.call().shape().returns {
            Returns::Nothing => 0,
            Returns::Bytes(index) => request.span(index).map_or(0, |span| span.len() as u64),
            Returns::Count(index) => request.args()[index],
            Returns::Descriptor => DESCRIPTORS as u64 - 1,
            Returns::Number => i64::MAX.cast_unsigned(),
        };
        // Nothing written although there was something to write: a program would try for ever.
        let stalls = matches!(request.call(), Call::Write | Call::Pwrite) && value == 0 && most > 0;
        if value > most || stalls {
            return Err(Lie);
        }
        let room = request.call().shape().args.iter().position(|arg| matches!(arg, Arg::Room));
        let told = room.map_or(0, |index| header.args[index]);
        Ok(Ok(Self { value, told }))
    }
}
