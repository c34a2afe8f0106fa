//! The list of calls, and the shape of each: what its arguments are and what it may return.
//!
//! Most are Linux's own, with Linux's numbers of bytes and flags, because both ends speak them: the program inside and
//! the host outside. What is not listed here is answered inside, or not at all.

use Arg::{Descriptor, Directory, Flags, In, InOut, Number, OneOf, Out, Path, Room, Zero};
use Size::{Argument, Fixed, Items};

/// What an argument is, and so how it crosses.
#[derive(Clone, Copy, Debug)]
pub enum Arg {
    /// Nothing: it must be zero.
    Zero,
    /// A number that means nothing on the way.
    Number,
    /// One of these numbers.
    OneOf(&'static [u64]),
    /// Any of these bits.
    Flags(u64),
    /// An open descriptor.
    Descriptor,
    /// An open descriptor, or "the working directory", from where absolute paths start too.
    Directory,
    /// Bytes for the host; 1, or 0 for none.
    In(Size),
    /// Room for bytes from the host; 1, or 0 for none.
    Out(Size),
    /// Bytes that the host changes; 1, or 0 for none.
    InOut(Size),
    /// A path: the number of its bytes with the final zero, or 0 for none.
    Path,
    /// The size of an [`Arg::Out`], which the host replaces by how much there was to say.
    Room,
}

/// How many bytes an argument has.
#[derive(Clone, Copy, Debug)]
pub enum Size {
    /// Always as many.
    Fixed(u32),
    /// As many as that argument says.
    Argument(usize),
    /// That argument says how many items of so many bytes.
    Items(usize, u32),
}

/// What a call returns if it does not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// Zero.
    Nothing,
    /// How many bytes of this argument were transferred.
    Bytes(usize),
    /// At most the number in this argument.
    Count(usize),
    /// A new descriptor.
    Descriptor,
    /// A number that the host makes up anyway.
    Number,
}

/// The form of a call.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Its number among Linux's system calls on x86-64, if it is one.
    pub linux: Option<u16>,
    /// Its arguments.
    pub args: [Arg; 6],
    /// What it returns.
    pub returns: Returns,
}

/// "The working directory" (linux/fcntl.h, `AT_FDCWD`), sign-extended as C passes it.
pub const WORKING_DIRECTORY: u64 = -100_i64 as u64;
/// Longest path, with its zero (linux/limits.h, `PATH_MAX`).
pub const PATH_MOST: u64 = 4096;

/// `FIONREAD`, `TCGETS`, `TIOCGWINSZ`, `FIONBIO` (asm-generic/ioctls.h).
pub const QUESTIONS: [u64; 3] = [0x541B, 0x5401, 0x5413];
/// `FIONBIO`.
pub const NONBLOCKING: u64 = 0x5421;
/// `F_GETFD`, `F_SETFD`, `F_GETFL`, `F_SETFL` (linux/fcntl.h).
const FCNTL: [u64; 4] = [1, 2, 3, 4];
/// Access mode, `O_APPEND`, `O_NONBLOCK`, `O_LARGEFILE`, and `FD_CLOEXEC`, which is 1.
const STATUS: u64 = 0o3 | 0o2000 | 0o4000 | 0o100_000;
/// `SOCK_NONBLOCK` and `SOCK_CLOEXEC`, which are also the flags of eventfd, epoll and timerfd.
const NEW: u64 = 0o4000 | 0o2_000_000;
/// `MSG_PEEK`, `MSG_DONTWAIT`, `MSG_CMSG_CLOEXEC`; not `MSG_TRUNC`, which returns more than was transferred.
const RECEIVE: u64 = 0x2 | 0x40 | 0x4000_0000;
/// `MSG_DONTWAIT`, `MSG_NOSIGNAL`, `MSG_MORE`.
const SEND: u64 = 0x40 | 0x4000 | 0x8000;

macro_rules! calls {
    ($($(#[$doc:meta])* $name:ident $linux:tt [$($arg:expr),*] $returns:expr;)*) => {
        /// A host call.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Call { $($(#[$doc])* $name,)* }

        impl Call {
            /// All of them; position is number.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its form.
            pub const fn shape(self) -> &'static Shape {
                const SHAPES: &[Shape] = &[$(Shape {
                    linux: calls!(@linux $linux),
                    args: pad(&[$($arg),*]),
                    returns: $returns,
                },)*];
                &SHAPES[self as usize]
            }
        }
    };
    (@linux own) => { None };
    (@linux $number:literal) => { Some($number) };
}

const fn pad(given: &[Arg]) -> [Arg; 6] {
    let mut args = [Zero; 6];
    let mut index = 0;
    while index < given.len() {
        args[index] = given[index];
        index += 1;
    }
    args
}

calls! {
    /// Ends the keep with this code.
    Exit own [Number] Returns::Nothing;
    /// Ends the keep as if by this signal: the program's own fault.
    Die own [Number] Returns::Nothing;
    /// Ends the keep: the shim met what it does not survive. A fixed code and one number, never text.
    Fault own [Number, Number] Returns::Nothing;
    /// Waits until another thread unparks this one, or for so many nanoseconds; may return early.
    Park own [Number] Returns::Nothing;
    /// Ends the waiting of a thread, or its next one.
    Unpark own [Number] Returns::Nothing;
    /// Starts the virtual processor of this number.
    Start own [Number] Returns::Nothing;
    /// Interrupts the threads of this bit set.
    Kick own [Number] Returns::Nothing;
    /// `recvmsg` with descriptors: socket, bytes, their room, flags, descriptors, their room in bytes.
    Receive own [Descriptor, Out(Argument(2)), Number, Flags(RECEIVE), Out(Argument(5)), Room] Returns::Bytes(1);

    /// read(2)
    Read 0 [Descriptor, Out(Argument(2)), Number] Returns::Bytes(1);
    /// write(2)
    Write 1 [Descriptor, In(Argument(2)), Number] Returns::Bytes(1);
    /// close(2)
    Close 3 [Descriptor] Returns::Nothing;
    /// fstat(2)
    Fstat 5 [Descriptor, Out(Fixed(144))] Returns::Nothing;
    /// lseek(2)
    Lseek 8 [Descriptor, Number, OneOf(&[0, 1, 2, 3, 4])] Returns::Number;
    /// ioctl(2): questions about a descriptor.
    Ask 16 [Descriptor, OneOf(&QUESTIONS), Out(Fixed(64))] Returns::Nothing;
    /// ioctl(2): blocking or not.
    SetNonblocking 16 [Descriptor, OneOf(&[NONBLOCKING]), In(Fixed(4))] Returns::Nothing;
    /// pread(2)
    Pread 17 [Descriptor, Out(Argument(2)), Number, Number] Returns::Bytes(1);
    /// pwrite(2)
    Pwrite 18 [Descriptor, In(Argument(2)), Number, Number] Returns::Bytes(1);
    /// dup(2)
    Dup 32 [Descriptor] Returns::Descriptor;
    /// socket(2); which kinds is for the host's filter.
    Socket 41 [Number, Number, Number] Returns::Descriptor;
    /// connect(2)
    Connect 42 [Descriptor, In(Argument(2)), Number] Returns::Nothing;
    /// sendto(2)
    Sendto 44 [Descriptor, In(Argument(2)), Number, Flags(SEND), In(Argument(5)), Number] Returns::Bytes(1);
    /// recvfrom(2)
    Recvfrom 45 [Descriptor, Out(Argument(2)), Number, Flags(RECEIVE), Out(Argument(5)), Room] Returns::Bytes(1);
    /// shutdown(2)
    Shutdown 48 [Descriptor, OneOf(&[0, 1, 2])] Returns::Nothing;
    /// bind(2)
    Bind 49 [Descriptor, In(Argument(2)), Number] Returns::Nothing;
    /// listen(2)
    Listen 50 [Descriptor, Number] Returns::Nothing;
    /// getsockname(2)
    Getsockname 51 [Descriptor, Out(Argument(2)), Room] Returns::Nothing;
    /// getpeername(2)
    Getpeername 52 [Descriptor, Out(Argument(2)), Room] Returns::Nothing;
    /// setsockopt(2)
    Setsockopt 54 [Descriptor, Number, Number, In(Argument(4)), Number] Returns::Nothing;
    /// getsockopt(2)
    Getsockopt 55 [Descriptor, Number, Number, Out(Argument(4)), Room] Returns::Nothing;
    /// fcntl(2): flags.
    Fcntl 72 [Descriptor, OneOf(&FCNTL), Flags(STATUS)] Returns::Number;
    /// fsync(2)
    Fsync 74 [Descriptor] Returns::Nothing;
    /// fdatasync(2)
    Fdatasync 75 [Descriptor] Returns::Nothing;
    /// ftruncate(2)
    Ftruncate 77 [Descriptor, Number] Returns::Nothing;
    /// fstatfs(2)
    Fstatfs 138 [Descriptor, Out(Fixed(120))] Returns::Nothing;
    /// getdents64(2)
    Getdents64 217 [Descriptor, Out(Argument(2)), Number] Returns::Bytes(1);
    /// posix_fadvise(2)
    Fadvise 221 [Descriptor, Number, Number, Number] Returns::Nothing;
    /// epoll_ctl(2)
    EpollCtl 233 [Descriptor, OneOf(&[1, 2, 3]), Descriptor, In(Fixed(12))] Returns::Nothing;
    /// openat(2); which paths is for the host's Landlock.
    Openat 257 [Directory, Path, Number, Number] Returns::Descriptor;
    /// mkdirat(2)
    Mkdirat 258 [Directory, Path, Number] Returns::Nothing;
    /// newfstatat(2)
    Newfstatat 262 [Directory, Path, Out(Fixed(144)), Number] Returns::Nothing;
    /// unlinkat(2)
    Unlinkat 263 [Directory, Path, Number] Returns::Nothing;
    /// renameat(2)
    Renameat 264 [Directory, Path, Directory, Path] Returns::Nothing;
    /// linkat(2)
    Linkat 265 [Directory, Path, Directory, Path, Number] Returns::Nothing;
    /// symlinkat(2)
    Symlinkat 266 [Path, Directory, Path] Returns::Nothing;
    /// readlinkat(2)
    Readlinkat 267 [Directory, Path, Out(Argument(3)), Number] Returns::Bytes(2);
    /// faccessat(2)
    Faccessat 269 [Directory, Path, Number] Returns::Nothing;
    /// ppoll(2)
    Ppoll 271 [InOut(Items(1, 8)), Number, In(Fixed(16))] Returns::Count(1);
    /// utimensat(2)
    Utimensat 280 [Directory, Path, In(Fixed(32)), Number] Returns::Nothing;
    /// epoll_pwait(2)
    EpollPwait 281 [Descriptor, Out(Items(2, 12)), Number, Number] Returns::Count(2);
    /// timerfd_create(2)
    TimerfdCreate 283 [OneOf(&[0, 1]), Flags(NEW)] Returns::Descriptor;
    /// fallocate(2)
    Fallocate 285 [Descriptor, Number, Number, Number] Returns::Nothing;
    /// timerfd_settime(2)
    TimerfdSettime 286 [Descriptor, OneOf(&[0, 1]), In(Fixed(32)), Out(Fixed(32))] Returns::Nothing;
    /// accept4(2)
    Accept4 288 [Descriptor, Out(Argument(2)), Room, Flags(NEW)] Returns::Descriptor;
    /// eventfd2(2)
    Eventfd2 290 [Number, Flags(NEW | 1)] Returns::Descriptor;
    /// epoll_create1(2)
    EpollCreate1 291 [Flags(NEW)] Returns::Descriptor;
    /// renameat2(2)
    Renameat2 316 [Directory, Path, Directory, Path, Number] Returns::Nothing;
    /// statx(2)
    Statx 332 [Directory, Path, Number, Number, Out(Fixed(256))] Returns::Nothing;
    /// openat2(2)
    Openat2 437 [Directory, Path, In(Argument(3)), Number] Returns::Descriptor;
    /// faccessat2(2)
    Faccessat2 439 [Directory, Path, Number, Number] Returns::Nothing;
}

impl Call {
    /// The call of this number.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// The first call that is this system call of Linux.
    pub fn from_linux(number: u64) -> Option<Self> {
        let index = BY_LINUX.get(usize::try_from(number).ok()?)?.checked_sub(1)?;
        Self::ALL.get(usize::from(index)).copied()
    }

    /// Whether a socket option crosses: those of the sockets API and of TCP that take numbers, none that takes pointers.
    pub fn passes_option(self, level: u64, name: u64) -> bool {
        /// `SOL_SOCKET`: REUSEADDR, TYPE, ERROR, BROADCAST, SNDBUF, RCVBUF, KEEPALIVE, LINGER, REUSEPORT, both timeouts,
        /// ACCEPTCONN, PROTOCOL, DOMAIN (asm-generic/socket.h).
        const SOCKET: [u64; 14] = [2, 3, 4, 6, 7, 8, 9, 13, 15, 20, 21, 30, 38, 39];
        /// NODELAY, MAXSEG, KEEPIDLE, KEEPINTVL, KEEPCNT, USER_TIMEOUT, FASTOPEN_CONNECT (linux/tcp.h).
        const TCP: [u64; 7] = [1, 2, 4, 5, 6, 18, 30];
        /// TOS, TTL, RECVERR (linux/in.h).
        const IP: [u64; 3] = [1, 2, 11];
        /// UNICAST_HOPS, V6ONLY, RECVERR (linux/in6.h).
        const IPV6: [u64; 3] = [16, 25, 26];
        match level {
            0 => IP.contains(&name),
            1 => SOCKET.contains(&name),
            6 => TCP.contains(&name),
            41 => IPV6.contains(&name),
            _ => false,
        }
    }
}

/// For each of Linux's numbers, the position of its call plus one.
const BY_LINUX: [u8; 512] = {
    let mut table = [0; 512];
    let mut index = Call::ALL.len();
    while index > 0 {
        index -= 1;
        if let Some(number) = Call::ALL[index].shape().linux {
            table[number as usize] = index as u8 + 1;
        }
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_find_their_calls() {
        for (number, call) in Call::ALL.iter().enumerate() {
            assert_eq!(Call::from_number(number as u64), Some(*call));
        }
        assert_eq!(Call::from_number(Call::ALL.len() as u64), None);
        assert_eq!(Call::from_number(u64::MAX), None);
        let cases = [(0, Some(Call::Read)), (16, Some(Call::Ask)), (439, Some(Call::Faccessat2)), (59, None)];
        for (linux, call) in cases {
            assert_eq!(Call::from_linux(linux), call, "{linux}");
        }
        assert_eq!(Call::from_linux(512), None);
    }
}
