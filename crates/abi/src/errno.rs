//! Error numbers of Linux on x86-64 (asm-generic/errno-base.h and errno.h): those that the shim answers itself.

/// An error number, 1 to 4095.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub u16);

impl Errno {
    /// The largest (linux/err.h, `MAX_ERRNO`).
    pub const MOST: u16 = 4095;
    /// No such file or directory.
    pub const NOENT: Self = Self(2);
    /// No such thread.
    pub const SRCH: Self = Self(3);
    /// Interrupted: no signal enters a keep, so nothing there ever is.
    pub const INTR: Self = Self(4);
    /// Bad descriptor.
    pub const BADF: Self = Self(9);
    /// Try again.
    pub const AGAIN: Self = Self(11);
    /// Out of memory.
    pub const NOMEM: Self = Self(12);
    /// Permission denied.
    pub const ACCES: Self = Self(13);
    /// Bad address.
    pub const FAULT: Self = Self(14);
    /// Exists already.
    pub const EXIST: Self = Self(17);
    /// Invalid argument.
    pub const INVAL: Self = Self(22);
    /// Too many open files.
    pub const MFILE: Self = Self(24);
    /// Name too long.
    pub const NAMETOOLONG: Self = Self(36);
    /// No such call.
    pub const NOSYS: Self = Self(38);
    /// Timed out.
    pub const TIMEDOUT: Self = Self(110);

    /// As a system call returns it.
    pub const fn returned(self) -> i64 {
        -(self.0 as i64)
    }
}
