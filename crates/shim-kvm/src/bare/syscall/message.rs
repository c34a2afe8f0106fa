//! Calls whose arguments point to further pointers: vectors of buffers, messages, sets of descriptors.

use super::forward::{check, opened};
use super::{Answer, Args, forward, timespec};
use crate::bare::hostcall::Exchange;
use crate::bare::memory;
use abi::block::DATA;
use abi::call::Call;
use abi::errno::Errno;

/// Most bytes carried at once beside an address and descriptors.
const TRANSFER: u64 = (DATA - 512) as u64;
/// Most buffers of a vector (linux/uio.h, `UIO_MAXIOV`).
const VECTOR: u64 = 1024;
/// Bytes of the largest address (linux/socket.h, `struct sockaddr_storage`).
const ADDRESS: u64 = 128;
/// Most descriptors received with a message.
const RIGHTS: usize = 4;

/// Words of `struct msghdr`.
struct Message {
    at: u64,
    name: u64,
    name_len: u64,
    vector: (u64, u64),
    control: u64,
    control_len: u64,
}

impl Message {
    fn read(at: u64) -> Result<Self, Errno> {
        let [name, name_len, vector, count, control, control_len, _] = memory::read_words(at)?;
        let name_len = name_len & 0xFFFF_FFFF;
        Ok(Self { at, name, name_len, vector: (vector, count & 0xFFFF_FFFF), control, control_len })
    }
}

/// Calls `work` with place and length of each buffer, and where it lies in what is carried: at most so many bytes, behind
/// those that were carried before.
fn buffers(
    (vector, count): (u64, u64),
    mut before: u64,
    most: u64,
    mut work: impl FnMut(u64, usize, usize) -> Result<(), Errno>,
) -> Answer {
    if count > VECTOR {
        return Err(Errno::INVAL);
    }
    let mut at = 0;
    for index in 0..count {
        let [address, len] = memory::read_words(vector.wrapping_add(index * 16))?;
        let skipped = before.min(len);
        before -= skipped;
        let len = (len - skipped).min(most - at);
        work(address.wrapping_add(skipped), len as usize, at as usize)?;
        at += len;
        if at == most {
            break;
        }
    }
    Ok(at)
}

/// How many bytes the buffers have behind the first `before`, as far as they can be carried.
fn total(vector: (u64, u64), before: u64) -> Answer {
    buffers(vector, before, TRANSFER, |_, _, _| Ok(()))
}

fn gather(exchange: &Exchange, index: usize, vector: (u64, u64), before: u64, len: u64) -> Answer {
    buffers(vector, before, len, |address, len, at| exchange.put_user(index, at, address, len))
}

fn scatter(exchange: &Exchange, index: usize, vector: (u64, u64), before: u64, len: u64) -> Answer {
    buffers(vector, before, len, |address, len, at| exchange.take_user(index, at, address, len))
}

/// `readv` and `writev`; what does not fit into one block is continued as [`forward::transfer`] does.
pub fn vector(number: u64, [descriptor, vector, count, ..]: Args) -> Answer {
    let first = if number == 19 { Call::Read } else { Call::Write };
    let vector = (vector, count);
    let mut done = piece(first, descriptor, vector, 0, 0)?;
    while done.is_multiple_of(TRANSFER) && done != 0 {
        match piece(forward::continuation(first), descriptor, vector, done, forward::DONT_WAIT) {
            Ok(more) if more > 0 => done += more,
            _ => break,
        }
    }
    Ok(done)
}

/// `preadv` and `pwritev`.
pub fn vector_at(number: u64, [descriptor, vector, count, position, ..]: Args) -> Answer {
    let call = if number == 295 { Call::Pread } else { Call::Pwrite };
    piece(call, descriptor, (vector, count), 0, position)
}

/// One call for the buffers' bytes behind the first `before`; `last` is its fourth argument.
fn piece(call: Call, descriptor: u64, vector: (u64, u64), before: u64, last: u64) -> Answer {
    let len = total(vector, before)?;
    let args = [descriptor & 0xFFFF_FFFF, 1, len, last, 0, 0];
    check(call, &args)?;
    let exchange = Exchange::new(call, args)?;
    if matches!(call, Call::Write | Call::Pwrite | Call::Sendto) {
        gather(&exchange, 1, vector, before, len)?;
        return Ok(exchange.call()?.value);
    }
    let value = exchange.call()?.value;
    scatter(&exchange, 1, vector, before, value)
}

/// `recvfrom`, which is asked for an address only when there is room for one.
pub fn receive_from(mut args: Args) -> Answer {
    if args[4] == 0 {
        args[5] = 0;
    }
    forward::transfer(Call::Recvfrom, args)
}

/// `sendmsg`, without descriptors.
pub fn send([descriptor, at, flags, ..]: Args) -> Answer {
    let message = Message::read(at)?;
    if message.control_len != 0 {
        return Err(Errno::INVAL);
    }
    let len = total(message.vector, 0)?;
    let name_len = if message.name == 0 { 0 } else { message.name_len.min(ADDRESS) };
    let flags = flags & 0xFFFF_FFFF;
    let args = [descriptor & 0xFFFF_FFFF, 1, len, flags, (name_len != 0).into(), name_len];
    check(Call::Sendto, &args)?;
    let exchange = Exchange::new(Call::Sendto, args)?;
    gather(&exchange, 1, message.vector, 0, len)?;
    if name_len != 0 {
        exchange.put_user(4, 0, message.name, name_len as usize)?;
    }
    Ok(exchange.call()?.value)
}

/// `recvmsg`, with the sender's address or with descriptors.
pub fn receive([descriptor, at, flags, ..]: Args) -> Answer {
    let message = Message::read(at)?;
    let wants_rights = message.control != 0 && message.control_len >= 20;
    let room = if wants_rights {
        (message.control_len as usize - 16).min(RIGHTS * 4) as u64 & !3
    } else if message.name != 0 {
        message.name_len.min(ADDRESS)
    } else {
        0
    };
    let call = if wants_rights { Call::Receive } else { Call::Recvfrom };
    let args = [
        descriptor & 0xFFFF_FFFF,
        1,
        total(message.vector, 0)?,
        flags & 0xFFFF_FFFF,
        (room != 0).into(),
        room,
    ];
    check(call, &args)?;
    let exchange = Exchange::new(call, args)?;
    let reply = exchange.call()?;
    let told = reply.told.min(room);
    let mut control = 0;
    if wants_rights {
        let mut rights = [0; RIGHTS * 4];
        exchange.take(4, &mut rights[..room as usize]);
        for right in rights[..told as usize].as_chunks::<4>().0 {
            opened(u32::from_le_bytes(*right).into());
        }
        if told > 0 {
            control = 16 + told;
            // Length, then level `SOL_SOCKET` and type `SCM_RIGHTS` (linux/socket.h).
            memory::write_words(message.control, &[control, 1 | 1 << 32])?;
            memory::write(message.control + 16, &rights[..told as usize])?;
        }
    } else if room != 0 {
        exchange.take_user(4, 0, message.name, told as usize)?;
    }
    let name_len = if wants_rights { 0 } else { told };
    memory::write(message.at + 8, &(name_len as u32).to_le_bytes())?;
    memory::write_words(message.at + 40, &[control, 0])?;
    scatter(&exchange, 1, message.vector, 0, reply.value)
}

/// `poll`, with its time in milliseconds.
pub fn poll([set, count, milliseconds, ..]: Args) -> Answer {
    let timeout = u64::try_from(milliseconds as i32).ok();
    wait(set, count, timeout.map(|milliseconds| milliseconds * 1_000_000))
}

/// `ppoll`, with its time as `timespec`. Its mask means nothing where no signal comes from outside.
pub fn ppoll([set, count, time, ..]: Args) -> Answer {
    let timeout = if time == 0 { None } else { Some(timespec(time)?) };
    wait(set, count, timeout)
}

fn wait(set: u64, count: u64, timeout: Option<u64>) -> Answer {
    let count = count & 0xFFFF_FFFF;
    let args = [(count != 0).into(), count, timeout.is_some().into(), 0, 0, 0];
    let exchange = Exchange::new(Call::Ppoll, args)?;
    let len = count as usize * 8;
    if count != 0 {
        exchange.put_user(0, 0, set, len)?;
    }
    if let Some(timeout) = timeout {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&(timeout / 1_000_000_000).to_le_bytes());
        bytes[8..].copy_from_slice(&(timeout % 1_000_000_000).to_le_bytes());
        exchange.put(2, &bytes);
    }
    let value = exchange.call()?.value;
    if count != 0 {
        exchange.take_user(0, 0, set, len)?;
    }
    Ok(value)
}
