//! Directories, and the calls that name something in them by a path.

use super::abi::{SYMLINK_FOLLOW, fdflags, oflags, rights};
use super::errno::{Errno, Outcome};
use super::file::{File, filestat, timestamps};
use super::memory::Memory;
use super::path::{Place, resolve, resolve_name};
use super::process::Process;
use super::table::Descriptor;
use api::launch;
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RawDir, SeekFrom, fstat, linkat, mkdirat, openat, readlinkat_raw,
    renameat, seek, statat, symlinkat, unlinkat, utimensat,
};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Bytes of a `dirent` before its name.
const DIRENT: usize = 24;
/// Directory entries fetched from the kernel at once, in bytes.
const FETCHED: usize = 8 << 10;

/// An open directory.
pub struct Directory {
    fd: OwnedFd,
    /// The path under which the module finds it, if it was given at its start.
    name: Option<String>,
    read_only: bool,
}

impl Directory {
    /// A directory the module starts with.
    pub fn preopened(fd: OwnedFd, directory: launch::Directory) -> Self {
        Self { fd, name: Some(directory.guest), read_only: directory.read_only }
    }

    /// Whether everything below it refuses to change.
    pub const fn is_read_only(&self) -> bool {
        self.read_only
    }

    fn find<'a>(&'a self, path: &'a str, lookup: u32) -> Outcome<Place<'a>> {
        Ok(resolve(self.as_fd(), path, lookup & SYMLINK_FOLLOW != 0)?)
    }

    fn find_to_change<'a>(&'a self, path: &'a str, lookup: u32) -> Outcome<Place<'a>> {
        self.change()?;
        self.find(path, lookup)
    }

    fn find_name_to_change<'a>(&'a self, path: &'a str) -> Outcome<Place<'a>> {
        self.change()?;
        Ok(resolve_name(self.as_fd(), path)?)
    }

    fn change(&self) -> Outcome {
        if self.read_only { Err(Errno::Perm.into()) } else { Ok(()) }
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

pub fn fd_prestat_get(process: &mut Process, memory: &mut Memory<'_>, fd: u32, prestat: u32) -> Outcome {
    let Descriptor::Directory(Directory { name: Some(name), .. }) = process.table.get(fd)? else {
        return Err(Errno::Badf.into());
    };
    // The one kind of preopened things.
    memory.put_u32(prestat, 0)?;
    memory.put_len(prestat.wrapping_add(4), name.len())
}

pub fn fd_prestat_dir_name(
    process: &mut Process,
    memory: &mut Memory<'_>,
    fd: u32,
    path: u32,
    len: u32,
) -> Outcome {
    let Descriptor::Directory(Directory { name: Some(name), .. }) = process.table.get(fd)? else {
        return Err(Errno::Notdir.into());
    };
    if name.len() > len as usize {
        return Err(Errno::Nametoolong.into());
    }
    Ok(memory.put(path, name.as_bytes())?)
}

/// Entries are numbered by the kernel's own cookies, which stay valid while others come and go.
pub fn fd_readdir(
    process: &mut Process,
    memory: &mut Memory<'_>,
    fd: u32,
    buffer: u32,
    len: u32,
    cookie: u64,
    used: u32,
) -> Outcome {
    let directory = match process.table.directory(fd) {
        Ok(directory) => directory,
        Err(_) => return Err(Errno::Badf.into()),
    };
    let own = fstat(directory)?.st_ino;
    seek(directory, SeekFrom::Start(cookie))?;
    let mut fetched = [MaybeUninit::uninit(); FETCHED];
    let mut entries = RawDir::new(directory, &mut fetched);
    let mut rest = memory.bytes_mut(buffer, len)?;
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        let mut dirent = [0; DIRENT];
        dirent[..8].copy_from_slice(&entry.next_entry_cookie().to_le_bytes());
        // What is above a preopened directory is none of the module's business.
        let inode = if name == b".." { own } else { entry.ino() };
        dirent[8..16].copy_from_slice(&inode.to_le_bytes());
        dirent[16..20].copy_from_slice(&u32::try_from(name.len()).unwrap_or(u32::MAX).to_le_bytes());
        dirent[20] = match entry.file_type() {
            FileType::Unknown => kind(directory, entry.file_name()),
            known => known.into(),
        } as u8;
        for bytes in [&dirent[..], name] {
            let fitting = bytes.len().min(rest.len());
            let (filled, left) = rest.split_at_mut(fitting);
            filled.copy_from_slice(&bytes[..fitting]);
            rest = left;
        }
        if rest.is_empty() {
            break;
        }
    }
    let left = rest.len();
    memory.put_len(used, len as usize - left)
}

/// What an entry is, where the file system does not say so in passing.
fn kind(directory: &Directory, name: &std::ffi::CStr) -> super::abi::Filetype {
    let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW);
    stat.map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode)).into()
}

pub fn path_create_directory(
    process: &mut Process,
    memory: &mut Memory<'_>,
    fd: u32,
    path: u32,
    len: u32,
) -> Outcome {
    let place = process.table.directory(fd)?.find_name_to_change(memory.text(path, len)?)?;
    Ok(mkdirat(&place, place.name(), Mode::from_raw_mode(0o777))?)
}

pub fn path_filestat_get(
    process: &mut Process,
    memory: &mut Memory<'_>,
    fd: u32,
    lookup: u32,
    path: u32,
    len: u32,
    stat: u32,
) -> Outcome {
    let place = process.table.directory(fd)?.find(memory.text(path, len)?, lookup)?;
    let bytes = filestat(&statat(&place, place.name(), AtFlags::SYMLINK_NOFOLLOW)?);
    drop(place);
    Ok(memory.put(stat, &bytes)?)
}

#[expect(clippy::too_many_arguments, reason = "WASI's own")]
pub fn path_filestat_set_times(
    process: &mut Process,
    memory: &mut Memory<'_>,
    fd: u32,
    lookup: u32,
    path: u32,
    len: u32,
    atim: u64,
    mtim: u64,
    flags: u32,
) -> Outcome {
    let times = timestamps(atim, mtim, flags)?;
    let place = process.table.directory(fd)?.find_to_change(memory.text(path, len)?, lookup)?;
    Ok(utimensat(&place, place.name(), &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

#[expect(clippy::too_many_arguments, reason = "WASI's own")]
pub fn path_link(
    process: &mut Process,
    memory: &mut Memory<'_>,
    fd: u32,
    lookup: u32,
    path: u32,
    len: u32,
    new_fd: u32,
    new_path: u32,
    new_len: u32,
) -> Outcome {
    // As Wasmtime: whether `linkat` follows links differs between systems.
    if lookup & SYMLINK_FOLLOW != 0 {
        return Err(Errno::Inval.into());
    }
    let old = process.table.directory(fd)?.find_to_change(memory.text(path, len)?, 0)?;
    let new = process.table.directory(new_fd)?.find_to_change(memory.text(new_path, new_len)?, 0)?;
    Ok(linkat(&old, old.name(), &new, new.name(), AtFlags::empty())?)
}

#[expect(clippy::too_many_arguments, reason = "WASI's own")]
pub fn path_open(
    process: &mut Process,
    memory: &mut Memory<'_>,
    fd: u32,
    lookup: u32,
    path: u32,
    len: u32,
    oflags: u32,
    base: u64,
    _: u64,
    fdflags: u32,
    opened: u32,
) -> Outcome {
    let flags = open_flags(oflags, base, fdflags)?;
    // What is to be made does not exist yet, not even as a link (open(2), O_EXCL).
    let lookup = if flags.contains(OFlags::CREATE | OFlags::EXCL) { 0 } else { lookup };
    let directory = process.table.directory(fd)?;
    let read_only = directory.read_only;
    let changes = flags.intersects(OFlags::CREATE | OFlags::TRUNC | OFlags::RDWR | OFlags::WRONLY);
    let place = match changes {
        true => directory.find_to_change(memory.text(path, len)?, lookup)?,
        false => directory.find(memory.text(path, len)?, lookup)?,
    };
    let fd = openat(&place, place.name(), flags, Mode::from_raw_mode(0o666))?;
    drop(place);
    let descriptor = match FileType::from_raw_mode(fstat(&fd)?.st_mode) {
        FileType::Directory => Descriptor::Directory(Directory { fd, name: None, read_only }),
        _ => Descriptor::File(File::new(fd, read_only)),
    };
    let number = process.table.insert(descriptor)?;
    Ok(memory.put_u32(opened, number)?)
}

/// Linux's flags for `path_open`'s. Whether a file is read or written follows from the rights asked for; with neither,
/// it is opened to be looked at, which on Linux means to be read.
fn open_flags(oflags: u32, rights: u64, fdflags: u32) -> Outcome<OFlags> {
    let oflags = u16::try_from(oflags).map_err(|_| Errno::Inval)?;
    let fdflags = u16::try_from(fdflags).map_err(|_| Errno::Inval)?;
    let making = oflags & (oflags::CREAT | oflags::EXCL | oflags::TRUNC) != 0;
    if oflags & oflags::DIRECTORY != 0 && making {
        return Err(Errno::Inval.into());
    }
    let write = rights & rights::FD_WRITE != 0 || oflags & (oflags::CREAT | oflags::TRUNC) != 0;
    let read = rights & rights::FD_READ != 0 || rights & rights::FD_WRITE == 0;
    let mode = match (read, write) {
        (true, true) => OFlags::RDWR,
        (false, true) => OFlags::WRONLY,
        (_, false) => OFlags::RDONLY,
    };
    let asked = [
        (oflags, oflags::CREAT, OFlags::CREATE),
        (oflags, oflags::DIRECTORY, OFlags::DIRECTORY),
        (oflags, oflags::EXCL, OFlags::EXCL),
        (oflags, oflags::TRUNC, OFlags::TRUNC),
        (fdflags, fdflags::APPEND, OFlags::APPEND),
        (fdflags, fdflags::DSYNC, OFlags::SYNC),
        (fdflags, fdflags::NONBLOCK, OFlags::NONBLOCK),
        (fdflags, fdflags::RSYNC, OFlags::SYNC),
        (fdflags, fdflags::SYNC, OFlags::SYNC),
    ];
    let asked = asked.into_iter().filter(|(flags, flag, _)| flags & flag != 0);
    let always = mode | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY;
    Ok(asked.fold(always, |flags, (_, _, flag)| flags | flag))
}

#[expect(clippy::too_many_arguments, reason = "WASI's own")]
pub fn path_readlink(
    process: &mut Process,
    memory: &mut Memory<'_>,
    fd: u32,
    path: u32,
    len: u32,
    buffer: u32,
    buffer_len: u32,
    used: u32,
) -> Outcome {
    let mut target = [0; 4096];
    let place = process.table.directory(fd)?.find(memory.text(path, len)?, 0)?;
    let target_len = readlinkat_raw(&place, place.name(), &mut target[..])?;
    drop(place);
    // A path out of the directory would be refused if it were followed; it also tells of the host.
    if target.starts_with(b"/") {
        return Err(Errno::Perm.into());
    }
    let fitting = target_len.min(buffer_len as usize);
    memory.put(buffer, &target[..fitting])?;
    memory.put_len(used, fitting)
}

pub fn path_remove_directory(
    process: &mut Process,
    memory: &mut Memory<'_>,
    fd: u32,
    path: u32,
    len: u32,
) -> Outcome {
    let place = process.table.directory(fd)?.find_name_to_change(memory.text(path, len)?)?;
    Ok(unlinkat(&place, place.name(), AtFlags::REMOVEDIR)?)
}

#[expect(clippy::too_many_arguments, reason = "WASI's own")]
pub fn path_rename(
    process: &mut Process,
    memory: &mut Memory<'_>,
    fd: u32,
    path: u32,
    len: u32,
    new_fd: u32,
    new_path: u32,
    new_len: u32,
) -> Outcome {
    let (path, new_path) = (memory.text(path, len)?, memory.text(new_path, new_len)?);
    let old = process.table.directory(fd)?.find_name_to_change(path)?;
    let new = process.table.directory(new_fd)?.find_name_to_change(new_path)?;
    if path.ends_with('/') || new_path.ends_with('/') {
        // Only a directory may be renamed so; the kernel sees to it, and does not follow a link that has this name.
        let old_name = format!("{}/", old.name());
        return Ok(renameat(&old, old_name, &new, new.name())?);
    }
    Ok(renameat(&old, old.name(), &new, new.name())?)
}

pub fn path_symlink(
    process: &mut Process,
    memory: &mut Memory<'_>,
    target: u32,
    target_len: u32,
    fd: u32,
    path: u32,
    len: u32,
) -> Outcome {
    let target = memory.text(target, target_len)?;
    let place = process.table.directory(fd)?.find_to_change(memory.text(path, len)?, 0)?;
    if target.starts_with('/') {
        return Err(Errno::Perm.into());
    }
    Ok(symlinkat(target, &place, place.name())?)
}

pub fn path_unlink_file(
    process: &mut Process,
    memory: &mut Memory<'_>,
    fd: u32,
    path: u32,
    len: u32,
) -> Outcome {
    let place = process.table.directory(fd)?.find_to_change(memory.text(path, len)?, 0)?;
    Ok(unlinkat(&place, place.name(), AtFlags::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_follows_from_rights() {
        let mode = |oflags: u16, rights| {
            open_flags(oflags.into(), rights, 0).unwrap() & (OFlags::ACCMODE | OFlags::CREATE | OFlags::TRUNC)
        };
        assert_eq!(mode(0, 0), OFlags::RDONLY);
        assert_eq!(mode(0, rights::FD_READ), OFlags::RDONLY);
        assert_eq!(mode(0, rights::FD_WRITE), OFlags::WRONLY);
        assert_eq!(mode(0, rights::FD_READ | rights::FD_WRITE), OFlags::RDWR);
        assert_eq!(mode(oflags::CREAT, 0), OFlags::RDWR | OFlags::CREATE);
        assert_eq!(mode(oflags::TRUNC, rights::FD_WRITE), OFlags::WRONLY | OFlags::TRUNC);
        assert!(open_flags((oflags::DIRECTORY | oflags::CREAT).into(), 0, 0).is_err());
    }

    #[test]
    fn links_are_never_followed_by_the_kernel() {
        for oflags in 0..16 {
            if let Ok(flags) = open_flags(oflags, u64::MAX, 0) {
                assert!(flags.contains(OFlags::NOFOLLOW | OFlags::CLOEXEC));
            }
        }
    }
}
