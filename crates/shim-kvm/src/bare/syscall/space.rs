//! Calls about memory.

use super::{Answer, Args};
use crate::bare::hostcall::Exchange;
use crate::bare::memory;
use crate::regions::Access;
use abi::call::Call;
use abi::errno::Errno;
use abi::layout::PAGE;

/// Flags of `mmap` (linux/mman.h).
const SHARED: u64 = 0x01;
const FIXED: u64 = 0x10;
const ANONYMOUS: u64 = 0x20;
const FIXED_FREE: u64 = 0x10_0000;
/// Advice of `madvise` after which memory reads as zero.
const FORGET: u64 = 4;
/// `mremap` may move.
const MAY_MOVE: u64 = 1;
/// Bytes of a file that are read at once.
const PIECE: u64 = 64 << 10;

/// `mmap`: anonymous memory, or the content of a file as it is now.
pub fn mmap([place, len, access, flags, descriptor, position]: Args) -> Answer {
    let access = Access::from_bits(access)?;
    let free = |place| memory::with(|space| space.is_free(place, len));
    let place = match flags {
        _ if flags & FIXED_FREE != 0 && !free(place) => return Err(Errno::EXIST),
        _ if flags & (FIXED | FIXED_FREE) != 0 => Some(place),
        // A wish.
        _ if place != 0 && place.is_multiple_of(PAGE) && free(place) => Some(place),
        _ => None,
    };
    if flags & ANONYMOUS != 0 {
        return memory::with(|space| space.map(place, len, access));
    }
    if flags & SHARED != 0 && access.allows(Access::WRITE) {
        // Nothing written here would reach the file.
        return Err(Errno::ACCES);
    }
    let start = memory::with(|space| space.map(place, len, Access::READ_WRITE))?;
    let read = read_file(start, len, descriptor, position)
        .and_then(|()| memory::with(|space| space.protect(start, len, access)));
    if let Err(error) = read {
        memory::with(|space| space.unmap(start, len))?;
        return Err(error);
    }
    Ok(start)
}

fn read_file(start: u64, len: u64, descriptor: u64, position: u64) -> Result<(), Errno> {
    let mut at = 0;
    while at < len {
        let piece = PIECE.min(len - at);
        let args = [descriptor & 0xFFFF_FFFF, 1, piece, position + at, 0, 0];
        super::forward::check(Call::Pread, &args)?;
        let exchange = Exchange::new(Call::Pread, args)?;
        let read = exchange.call()?.value;
        if read == 0 {
            break;
        }
        exchange.take_user(1, 0, start + at, read as usize)?;
        at += read;
    }
    Ok(())
}

/// `mprotect`
pub fn mprotect(start: u64, len: u64, access: u64) -> Answer {
    let access = Access::from_bits(access)?;
    if len == 0 {
        return Ok(0);
    }
    memory::with(|space| space.protect(start, len, access)).map(|()| 0)
}

/// `mremap`
pub fn mremap([start, old, new, flags, ..]: Args) -> Answer {
    if flags & !MAY_MOVE != 0 {
        return Err(Errno::INVAL);
    }
    memory::with(|space| space.remap(start, old, new, flags & MAY_MOVE != 0))
}

/// `madvise`: the one advice that changes what is read; all others are only advice.
pub fn madvise(start: u64, len: u64, advice: u64) -> Answer {
    if advice == FORGET && len != 0 {
        memory::with(|space| space.forget(start, len))?;
    }
    Ok(0)
}
