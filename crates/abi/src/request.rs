//! A call on its way: checked against its shape, with the place of each buffer.

use crate::block::{ALIGN, ARGS, DATA};
use crate::call::{Arg, Call, PATH_MOST, Size, WORKING_DIRECTORY};
use crate::layout::DESCRIPTORS;

/// Which way a buffer's bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the host.
    In,
    /// From the host.
    Out,
    /// Both.
    InOut,
}

impl Way {
    /// Whether the host reads it.
    pub const fn is_in(self) -> bool {
        !matches!(self, Self::Out)
    }

    /// Whether the host writes it.
    pub const fn is_out(self) -> bool {
        !matches!(self, Self::In)
    }
}

/// A buffer's place in the data: within it, and apart from all others of its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    start: u32,
    len: u32,
    way: Way,
}

impl Span {
    /// Its bytes' positions in the data.
    pub const fn range(&self) -> core::ops::Range<usize> {
        self.start as usize..(self.start + self.len) as usize
    }

    /// How many bytes it has.
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Which way they go.
    pub const fn way(&self) -> Way {
        self.way
    }
}

/// A call whose arguments have its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    call: Call,
    args: [u64; ARGS],
    spans: [Option<Span>; ARGS],
    used: u32,
}

/// Arguments that do not have the shape of their call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// There is no call of this number.
    Call(u64),
    /// This argument is not what it must be.
    Argument(usize),
    /// The buffers do not fit into the data.
    TooLong,
}

impl Request {
    /// Checks arguments and places their buffers. Both sides do it, and so agree.
    pub fn new(call: Call, args: [u64; ARGS]) -> Result<Self, Malformed> {
        let mut request = Self { call, args, spans: [None; ARGS], used: 0 };
        for (index, arg) in call.shape().args.iter().enumerate() {
            let value = args[index];
            let (way, size) = match arg {
                Arg::In(size) => (Way::In, size),
                Arg::Out(size) => (Way::Out, size),
                Arg::InOut(size) => (Way::InOut, size),
                Arg::Path if value <= PATH_MOST => (Way::In, &Size::Argument(index)),
                _ if is_valid(arg, value) => continue,
                _ => return Err(Malformed::Argument(index)),
            };
            let len = match (*size, value) {
                (_, 0) => continue,
                (Size::Argument(at), _) if at == index => value,
                (_, 2..) => return Err(Malformed::Argument(index)),
                (Size::Fixed(len), _) => len.into(),
                (Size::Argument(at), _) => args[at],
                (Size::Items(at, bytes), _) => {
                    args[at].checked_mul(bytes.into()).ok_or(Malformed::TooLong)?
                }
            };
            request.place(index, way, len)?;
        }
        Ok(request)
    }

    fn place(&mut self, index: usize, way: Way, len: u64) -> Result<(), Malformed> {
        let start = self.used.next_multiple_of(ALIGN as u32);
        let len = u32::try_from(len).map_err(|_| Malformed::TooLong)?;
        let end = start.checked_add(len).filter(|end| *end <= DATA as u32).ok_or(Malformed::TooLong)?;
        self.spans[index] = Some(Span { start, len, way });
        self.used = end;
        Ok(())
    }

    /// Which call it is.
    pub const fn call(&self) -> Call {
        self.call
    }

    /// Its arguments.
    pub const fn args(&self) -> &[u64; ARGS] {
        &self.args
    }

    /// The place of an argument's buffer.
    pub const fn span(&self, index: usize) -> Option<Span> {
        self.spans[index]
    }

    /// The buffers, with the arguments they belong to.
    pub fn spans(&self) -> impl Iterator<Item = (usize, Span)> + '_ {
        self.spans.iter().enumerate().filter_map(|(index, span)| Some((index, (*span)?)))
    }

    /// How many bytes of the data the call uses.
    pub const fn used(&self) -> usize {
        self.used as usize
    }
}

fn is_valid(arg: &Arg, value: u64) -> bool {
    match arg {
        Arg::Zero => value == 0,
        Arg::Number => true,
        Arg::OneOf(numbers) => numbers.contains(&value),
        Arg::Flags(mask) => value & !mask == 0,
        Arg::Descriptor => value < DESCRIPTORS as u64,
        Arg::Directory => value < DESCRIPTORS as u64 || value == WORKING_DIRECTORY,
        Arg::Room => value <= DATA as u64,
        Arg::Path | Arg::In(_) | Arg::Out(_) | Arg::InOut(_) => false,
    }
}
