//! Regular files, and what else a path may lead to, such as devices. The kernel keeps each one's position and flags.

use super::abi::{Filetype, fdflags, fstflags, rights};
use super::clock;
use super::errno::{Errno, Outcome};
use super::memory::Memory;
use super::process::Process;
use super::table::Descriptor;
use crate::net::{Interest, Readiness};
use rustix::fs::{
    Advice, FallocateFlags, FileType, OFlags, SeekFrom, Stat, Timestamps, UTIME_NOW, UTIME_OMIT, fadvise,
    fallocate, fcntl_getfl, fdatasync, fstat, fsync, ftruncate, futimens, seek, tell,
};
use rustix::time::Timespec;
use std::num::NonZeroU64;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// An open file.
pub struct File {
    fd: OwnedFd,
    read_only: bool,
}

impl File {
    /// A file opened in a directory that is `read_only` or not.
    pub const fn new(fd: OwnedFd, read_only: bool) -> Self {
        Self { fd, read_only }
    }

    /// Its kind, flags and rights.
    pub fn fdstat(&self) -> Outcome<(Filetype, u16, u64)> {
        let filetype = FileType::from_raw_mode(fstat(&self.fd)?.st_mode).into();
        let opened = fcntl_getfl(&self.fd)?;
        let mode = opened & OFlags::ACCMODE;
        let read = if mode == OFlags::WRONLY { 0 } else { rights::FD_READ };
        let write = if mode == OFlags::RDONLY { 0 } else { rights::FD_WRITE };
        Ok((filetype, flags(opened), rights::FILE | read | write))
    }

    /// Files never have to wait.
    pub fn ready(&self, interest: Interest) -> Readiness {
        let left = || {
            let size = u64::try_from(fstat(&self.fd).ok()?.st_size).ok()?;
            Some(size.saturating_sub(tell(&self.fd).ok()?))
        };
        let bytes = match interest {
            Interest::Read => left().unwrap_or(1),
            Interest::Write => 1,
        };
        Readiness::Ready { bytes, hangup: false }
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// `fdflags` of a file opened with `opened`. Writes that wait for the disk do so in full: Linux has no RSYNC of its
/// own, and data without its metadata is waited for on request only.
fn flags(opened: OFlags) -> u16 {
    let given = [
        (OFlags::APPEND, fdflags::APPEND),
        (OFlags::NONBLOCK, fdflags::NONBLOCK),
        (OFlags::SYNC, fdflags::DSYNC | fdflags::RSYNC | fdflags::SYNC),
    ];
    given.into_iter().filter(|(flag, _)| opened.contains(*flag)).fold(0, |flags, (_, flag)| flags | flag)
}

/// The bytes of a `filestat`.
pub fn filestat(stat: &Stat) -> [u8; 64] {
    let mut bytes = [0; 64];
    let time = |seconds: i64, nanoseconds: u64| {
        clock::nanoseconds(Timespec { tv_sec: seconds, tv_nsec: nanoseconds.cast_signed() })
    };
    let numbers = [
        (0, stat.st_dev),
        (8, stat.st_ino),
        (16, (Filetype::from(FileType::from_raw_mode(stat.st_mode)) as u8).into()),
        (24, stat.st_nlink),
        (32, u64::try_from(stat.st_size).unwrap_or(0)),
        (40, time(stat.st_atime, stat.st_atime_nsec)),
        (48, time(stat.st_mtime, stat.st_mtime_nsec)),
        (56, time(stat.st_ctime, stat.st_ctime_nsec)),
    ];
    for (at, number) in numbers {
        bytes[at..at + 8].copy_from_slice(&u64::to_le_bytes(number));
    }
    bytes
}

/// The times that `fstflags` ask for.
pub fn timestamps(atim: u64, mtim: u64, flags: u32) -> Outcome<Timestamps> {
    let flags = u16::try_from(flags).map_err(|_| Errno::Inval)?;
    let time = |set: u16, now: u16, time: u64| match (flags & set != 0, flags & now != 0) {
        (true, true) => Err(Errno::Inval),
        (true, false) => Ok(clock::timespec(time)),
        (false, true) => Ok(Timespec { tv_sec: 0, tv_nsec: UTIME_NOW }),
        (false, false) => Ok(Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT }),
    };
    Ok(Timestamps {
        last_access: time(fstflags::ATIM, fstflags::ATIM_NOW, atim)?,
        last_modification: time(fstflags::MTIM, fstflags::MTIM_NOW, mtim)?,
    })
}

/// The file behind `fd`, for a call that names a position in it.
fn seekable(process: &mut Process, fd: u32) -> Outcome<&mut File> {
    match process.table.get(fd)? {
        Descriptor::File(file) => Ok(file),
        Descriptor::Directory(_) => Err(Errno::Badf.into()),
        Descriptor::Standard(_) | Descriptor::Socket(_) => Err(Errno::Spipe.into()),
    }
}

/// The file or directory behind `fd`.
fn stored(process: &mut Process, fd: u32) -> Outcome<(BorrowedFd<'_>, bool)> {
    match &*process.table.get(fd)? {
        Descriptor::File(file) => Ok((file.as_fd(), file.read_only)),
        Descriptor::Directory(directory) => Ok((directory.as_fd(), directory.is_read_only())),
        Descriptor::Standard(_) | Descriptor::Socket(_) => Err(Errno::Badf.into()),
    }
}

pub fn fd_advise(
    process: &mut Process,
    _: &mut Memory<'_>,
    fd: u32,
    offset: u64,
    len: u64,
    advice: u32,
) -> Outcome {
    let advice = match advice {
        0 => Advice::Normal,
        1 => Advice::Sequential,
        2 => Advice::Random,
        3 => Advice::WillNeed,
        4 => Advice::DontNeed,
        5 => Advice::NoReuse,
        _ => return Err(Errno::Inval.into()),
    };
    Ok(fadvise(process.table.file(fd)?, offset, NonZeroU64::new(len), advice)?)
}

pub fn fd_allocate(process: &mut Process, _: &mut Memory<'_>, fd: u32, offset: u64, len: u64) -> Outcome {
    Ok(fallocate(process.table.file(fd)?, FallocateFlags::empty(), offset, len)?)
}

pub fn fd_datasync(process: &mut Process, _: &mut Memory<'_>, fd: u32) -> Outcome {
    Ok(fdatasync(stored(process, fd)?.0)?)
}

pub fn fd_sync(process: &mut Process, _: &mut Memory<'_>, fd: u32) -> Outcome {
    Ok(fsync(stored(process, fd)?.0)?)
}

pub fn fd_filestat_get(process: &mut Process, memory: &mut Memory<'_>, fd: u32, stat: u32) -> Outcome {
    let mut bytes = [0; 64];
    match process.table.get(fd)? {
        Descriptor::File(file) => bytes = filestat(&fstat(file)?),
        Descriptor::Directory(directory) => bytes = filestat(&fstat(directory)?),
        Descriptor::Standard(standard) => bytes[16] = standard.filetype() as u8,
        Descriptor::Socket(_) => bytes[16] = Filetype::SocketStream as u8,
    }
    Ok(memory.put(stat, &bytes)?)
}

pub fn fd_filestat_set_size(process: &mut Process, _: &mut Memory<'_>, fd: u32, size: u64) -> Outcome {
    Ok(ftruncate(process.table.file(fd)?, size)?)
}

pub fn fd_filestat_set_times(
    process: &mut Process,
    _: &mut Memory<'_>,
    fd: u32,
    atim: u64,
    mtim: u64,
    flags: u32,
) -> Outcome {
    let times = timestamps(atim, mtim, flags)?;
    let (file, read_only) = stored(process, fd)?;
    if read_only {
        return Err(Errno::Perm.into());
    }
    Ok(futimens(file, &times)?)
}

pub fn fd_pread(
    process: &mut Process,
    memory: &mut Memory<'_>,
    fd: u32,
    iovecs: u32,
    count: u32,
    offset: u64,
    read: u32,
) -> Outcome {
    let file = seekable(process, fd)?;
    let len = rustix::io::preadv(file, &mut memory.scatter(iovecs, count)?, offset)?;
    memory.put_len(read, len)
}

pub fn fd_pwrite(
    process: &mut Process,
    memory: &mut Memory<'_>,
    fd: u32,
    iovecs: u32,
    count: u32,
    offset: u64,
    written: u32,
) -> Outcome {
    let file = seekable(process, fd)?;
    let len = rustix::io::pwritev(file, &memory.gather(iovecs, count)?, offset)?;
    memory.put_len(written, len)
}

pub fn fd_seek(
    process: &mut Process,
    memory: &mut Memory<'_>,
    fd: u32,
    offset: i64,
    whence: u32,
    position: u32,
) -> Outcome {
    let file = seekable(process, fd)?;
    let to = match whence {
        0 => SeekFrom::Start(u64::try_from(offset).map_err(|_| Errno::Inval)?),
        1 => SeekFrom::Current(offset),
        2 => SeekFrom::End(offset),
        _ => return Err(Errno::Inval.into()),
    };
    Ok(memory.put_u64(position, seek(file, to)?)?)
}

pub fn fd_tell(process: &mut Process, memory: &mut Memory<'_>, fd: u32, position: u32) -> Outcome {
    let file = seekable(process, fd)?;
    Ok(memory.put_u64(position, tell(file)?)?)
}

#[cfg(test)]
mod tests {
    use super::super::errno::Failure;
    use super::*;

    #[test]
    fn times_are_given_now_or_left() {
        let times = timestamps(1_500_000_000, 7, u32::from(fstflags::ATIM | fstflags::MTIM_NOW)).unwrap();
        assert_eq!((times.last_access.tv_sec, times.last_access.tv_nsec), (1, 500_000_000));
        assert_eq!(times.last_modification.tv_nsec, UTIME_NOW);
        assert_eq!(timestamps(0, 0, 0).unwrap().last_access.tv_nsec, UTIME_OMIT);
        for both in [fstflags::ATIM | fstflags::ATIM_NOW, fstflags::MTIM | fstflags::MTIM_NOW] {
            assert!(matches!(timestamps(0, 0, both.into()), Err(Failure::Errno(Errno::Inval))));
        }
    }

    #[test]
    fn flags_are_those_the_file_was_opened_with() {
        assert_eq!(flags(OFlags::RDWR), 0);
        assert_eq!(flags(OFlags::APPEND | OFlags::NONBLOCK), fdflags::APPEND | fdflags::NONBLOCK);
        assert_eq!(flags(OFlags::SYNC), fdflags::DSYNC | fdflags::SYNC | fdflags::RSYNC);
    }
}
