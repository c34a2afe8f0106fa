//! How a call fails.

use crate::limits::{Exit, LimitReached};
use rustix::io::Errno as Linux;

/// `errno` of WASI 0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Errno {
    TooBig = 1,
    Acces = 2,
    Addrinuse = 3,
    Addrnotavail = 4,
    Afnosupport = 5,
    Again = 6,
    Already = 7,
    Badf = 8,
    Badmsg = 9,
    Busy = 10,
    Canceled = 11,
    Child = 12,
    Connaborted = 13,
    Connrefused = 14,
    Connreset = 15,
    Deadlk = 16,
    Destaddrreq = 17,
    Dom = 18,
    Dquot = 19,
    Exist = 20,
    Fault = 21,
    Fbig = 22,
    Hostunreach = 23,
    Idrm = 24,
    Ilseq = 25,
    Inprogress = 26,
    Intr = 27,
    Inval = 28,
    Io = 29,
    Isconn = 30,
    Isdir = 31,
    Loop = 32,
    Mfile = 33,
    Mlink = 34,
    Msgsize = 35,
    Multihop = 36,
    Nametoolong = 37,
    Netdown = 38,
    Netreset = 39,
    Netunreach = 40,
    Nfile = 41,
    Nobufs = 42,
    Nodev = 43,
    Noent = 44,
    Noexec = 45,
    Nolck = 46,
    Nolink = 47,
    Nomem = 48,
    Nomsg = 49,
    Noprotoopt = 50,
    Nospc = 51,
    Nosys = 52,
    Notconn = 53,
    Notdir = 54,
    Notempty = 55,
    Notrecoverable = 56,
    Notsock = 57,
    Notsup = 58,
    Notty = 59,
    Nxio = 60,
    Overflow = 61,
    Ownerdead = 62,
    Perm = 63,
    Pipe = 64,
    Proto = 65,
    Protonosupport = 66,
    Prototype = 67,
    Range = 68,
    Rofs = 69,
    Spipe = 70,
    Srch = 71,
    Stale = 72,
    Timedout = 73,
    Txtbsy = 74,
    Xdev = 75,
}

impl From<Linux> for Errno {
    fn from(errno: Linux) -> Self {
        TABLE.iter().find(|(linux, _)| *linux == errno).map_or(Self::Io, |(_, errno)| *errno)
    }
}

/// Each number of Linux that WASI has too.
const TABLE: &[(Linux, Errno)] = &[
    (Linux::TOOBIG, Errno::TooBig),
    (Linux::ACCESS, Errno::Acces),
    (Linux::ADDRINUSE, Errno::Addrinuse),
    (Linux::ADDRNOTAVAIL, Errno::Addrnotavail),
    (Linux::AFNOSUPPORT, Errno::Afnosupport),
    (Linux::AGAIN, Errno::Again),
    (Linux::ALREADY, Errno::Already),
    (Linux::BADF, Errno::Badf),
    (Linux::BADMSG, Errno::Badmsg),
    (Linux::BUSY, Errno::Busy),
    (Linux::CANCELED, Errno::Canceled),
    (Linux::CHILD, Errno::Child),
    (Linux::CONNABORTED, Errno::Connaborted),
    (Linux::CONNREFUSED, Errno::Connrefused),
    (Linux::CONNRESET, Errno::Connreset),
    (Linux::DEADLK, Errno::Deadlk),
    (Linux::DESTADDRREQ, Errno::Destaddrreq),
    (Linux::DOM, Errno::Dom),
    (Linux::DQUOT, Errno::Dquot),
    (Linux::EXIST, Errno::Exist),
    (Linux::FAULT, Errno::Fault),
    (Linux::FBIG, Errno::Fbig),
    (Linux::HOSTUNREACH, Errno::Hostunreach),
    (Linux::IDRM, Errno::Idrm),
    (Linux::ILSEQ, Errno::Ilseq),
    (Linux::INPROGRESS, Errno::Inprogress),
    (Linux::INTR, Errno::Intr),
    (Linux::INVAL, Errno::Inval),
    (Linux::IO, Errno::Io),
    (Linux::ISCONN, Errno::Isconn),
    (Linux::ISDIR, Errno::Isdir),
    (Linux::LOOP, Errno::Loop),
    (Linux::MFILE, Errno::Mfile),
    (Linux::MLINK, Errno::Mlink),
    (Linux::MSGSIZE, Errno::Msgsize),
    (Linux::MULTIHOP, Errno::Multihop),
    (Linux::NAMETOOLONG, Errno::Nametoolong),
    (Linux::NETDOWN, Errno::Netdown),
    (Linux::NETRESET, Errno::Netreset),
    (Linux::NETUNREACH, Errno::Netunreach),
    (Linux::NFILE, Errno::Nfile),
    (Linux::NOBUFS, Errno::Nobufs),
    (Linux::NODEV, Errno::Nodev),
    (Linux::NOENT, Errno::Noent),
    (Linux::NOEXEC, Errno::Noexec),
    (Linux::NOLCK, Errno::Nolck),
    (Linux::NOLINK, Errno::Nolink),
    (Linux::NOMEM, Errno::Nomem),
    (Linux::NOMSG, Errno::Nomsg),
    (Linux::NOPROTOOPT, Errno::Noprotoopt),
    (Linux::NOSPC, Errno::Nospc),
    (Linux::NOSYS, Errno::Nosys),
    (Linux::NOTCONN, Errno::Notconn),
    (Linux::NOTDIR, Errno::Notdir),
    (Linux::NOTEMPTY, Errno::Notempty),
    (Linux::NOTRECOVERABLE, Errno::Notrecoverable),
    (Linux::NOTSOCK, Errno::Notsock),
    (Linux::NOTSUP, Errno::Notsup),
    (Linux::NOTTY, Errno::Notty),
    (Linux::NXIO, Errno::Nxio),
    (Linux::OVERFLOW, Errno::Overflow),
    (Linux::OWNERDEAD, Errno::Ownerdead),
    (Linux::PERM, Errno::Perm),
    (Linux::PIPE, Errno::Pipe),
    (Linux::PROTO, Errno::Proto),
    (Linux::PROTONOSUPPORT, Errno::Protonosupport),
    (Linux::PROTOTYPE, Errno::Prototype),
    (Linux::RANGE, Errno::Range),
    (Linux::ROFS, Errno::Rofs),
    (Linux::SPIPE, Errno::Spipe),
    (Linux::SRCH, Errno::Srch),
    (Linux::STALE, Errno::Stale),
    (Linux::TIMEDOUT, Errno::Timedout),
    (Linux::TXTBSY, Errno::Txtbsy),
    (Linux::XDEV, Errno::Xdev),
];

/// Why a call does not succeed.
#[derive(Debug)]
pub enum Failure {
    /// It returns this to the module.
    Errno(Errno),
    /// It does not return: the module ends here.
    End(wasmtime::Error),
}

/// What a call comes to.
pub type Outcome<T = ()> = Result<T, Failure>;

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<Linux> for Failure {
    fn from(errno: Linux) -> Self {
        Self::Errno(errno.into())
    }
}

impl From<Exit> for Failure {
    fn from(exit: Exit) -> Self {
        Self::End(exit.into())
    }
}

impl From<LimitReached> for Failure {
    fn from(limit: LimitReached) -> Self {
        Self::End(limit.into())
    }
}

impl From<super::memory::BadPointer> for Failure {
    fn from(bad: super::memory::BadPointer) -> Self {
        Self::End(bad.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_witx_file() {
        for (errno, number) in
            [(Errno::TooBig, 1), (Errno::Badf, 8), (Errno::Inval, 28), (Errno::Perm, 63), (Errno::Xdev, 75)]
        {
            assert_eq!(errno as u16, number);
        }
    }

    #[test]
    fn unknown_numbers_are_input_output_errors() {
        assert_eq!(Errno::from(Linux::NOENT), Errno::Noent);
        assert_eq!(Errno::from(Linux::NOMEDIUM), Errno::Io);
    }
}
