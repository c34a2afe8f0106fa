//! Where a path leads, below a directory that it must not leave.
//!
//! Each component is opened from the directory before it, never through a symbolic link: links are read and resolved
//! here, `..` returns to a directory that is still open, and whatever leads above the first directory is refused
//! (`EPERM`), absolute paths among it. So renames at the same time cannot lead outside either.

use rustix::fs::{Mode, OFlags, openat, readlinkat};
use rustix::io::Errno;
use std::borrow::Cow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Symbolic links on one path, as on Linux (path_resolution(7)).
const LINKS: usize = 40;
/// Longest path, as on Linux.
const PATH_MAX: usize = 4096;

/// A directory, and one name in it that is neither a path nor `..`.
#[derive(Debug)]
pub struct Place<'a> {
    directory: Base<'a>,
    name: Cow<'a, str>,
}

#[derive(Debug)]
enum Base<'a> {
    Root(BorrowedFd<'a>),
    Below(OwnedFd),
}

impl Place<'_> {
    /// The name, `.` for the directory itself. The place it names may have become a symbolic link since.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl AsFd for Place<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.directory {
            Base::Root(fd) => *fd,
            Base::Below(fd) => fd.as_fd(),
        }
    }
}

/// Where `path` leads from `root`. A link at its end is followed if asked for, or if a slash follows its name.
pub fn resolve<'a>(root: BorrowedFd<'a>, path: &'a str, follow: bool) -> Result<Place<'a>, Errno> {
    // A slash at the end asks for a directory, as "/." does (POSIX, 4.16 pathname resolution).
    let path = if path.ends_with('/') { Cow::Owned(format!("{path}.")) } else { Cow::Borrowed(path) };
    walk(root, path, follow)
}

/// Where `path` leads from `root`, for a call that makes, removes or renames directories: these take a name as it is
/// and ignore slashes after it.
pub fn resolve_name<'a>(root: BorrowedFd<'a>, path: &'a str) -> Result<Place<'a>, Errno> {
    let name = path.trim_end_matches('/');
    if name.is_empty() && !path.is_empty() {
        return Err(Errno::PERM);
    }
    walk(root, Cow::Borrowed(name), false)
}

fn walk<'a>(root: BorrowedFd<'a>, mut rest: Cow<'a, str>, follow: bool) -> Result<Place<'a>, Errno> {
    let mut below: Vec<OwnedFd> = Vec::new();
    let mut links = 0;
    loop {
        check(&rest)?;
        let (name, tail) = split(&rest);
        if name == ".." && below.pop().is_none() {
            return Err(Errno::PERM);
        }
        let stays = matches!(name, "." | "..");
        let here = below.last().map_or(root, AsFd::as_fd);
        let Some(tail) = tail else {
            if !stays
                && follow
                && let Some(target) = link(here, name, &mut links)?
            {
                rest = Cow::Owned(if target.ends_with('/') { target + "." } else { target });
                continue;
            }
            let name = if stays { Cow::Borrowed(".") } else { rest };
            return Ok(Place { directory: below.pop().map_or(Base::Root(root), Base::Below), name });
        };
        if !stays {
            match enter(here, name) {
                Ok(directory) => below.push(directory),
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    let target = link(here, name, &mut links)?.ok_or(Errno::NOTDIR)?;
                    rest = Cow::Owned(format!("{target}/{tail}"));
                    continue;
                }
                Err(errno) => return Err(errno),
            }
        }
        rest = match rest {
            Cow::Borrowed(rest) => Cow::Borrowed(split(rest).1.unwrap_or_default()),
            Cow::Owned(rest) => Cow::Owned(split(&rest).1.unwrap_or_default().to_owned()),
        };
    }
}

fn check(path: &str) -> Result<(), Errno> {
    match path.as_bytes() {
        [] => Err(Errno::NOENT),
        [b'/', ..] => Err(Errno::PERM),
        path if path.len() >= PATH_MAX => Err(Errno::NAMETOOLONG),
        _ => Ok(()),
    }
}

/// The first component of `path`, and the rest if it is not the last.
fn split(path: &str) -> (&str, Option<&str>) {
    match path.split_once('/') {
        Some((name, tail)) => (name, Some(tail.trim_start_matches('/'))),
        None => (path, None),
    }
}

fn enter(here: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(here, name, flags, Mode::empty())
}

/// What the symbolic link `name` says; none if it is something else, or nothing.
fn link(here: BorrowedFd<'_>, name: &str, links: &mut usize) -> Result<Option<String>, Errno> {
    match readlinkat(here, name, Vec::new()) {
        Ok(target) => {
            *links += 1;
            if *links > LINKS {
                return Err(Errno::LOOP);
            }
            target.into_string().map(Some).map_err(|_| Errno::ILSEQ)
        }
        Err(Errno::INVAL) if !name.contains('\0') => Ok(None),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    /// A directory of this test, with `a/b/file`, links to them, and links out of it.
    fn tree(name: &str) -> (PathBuf, fs::File) {
        let path = std::env::temp_dir().join(format!("enarx-path-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("a/b")).unwrap();
        fs::write(path.join("a/b/file"), "").unwrap();
        for (target, link) in [
            ("a/b", "to-b"),
            ("a/b/", "to-b-slash"),
            ("to-b/../b/file", "to-file"),
            ("loop", "loop"),
            ("/etc", "out"),
            ("../..", "a/up"),
            ("missing", "dangling"),
        ] {
            symlink(target, path.join(link)).unwrap();
        }
        let root = fs::File::open(&path).unwrap();
        (path, root)
    }

    #[test]
    fn paths_lead_to_a_directory_and_a_name() {
        let (path, root) = tree("lead");
        for (from, follow, name) in [
            ("a", false, "a"),
            ("a/b/file", false, "file"),
            ("./a//b/./../b/file", false, "file"),
            ("a/..", false, "."),
            ("a/b/", false, "."),
            ("to-b", false, "to-b"),
            ("to-b", true, "b"),
            ("to-b-slash", true, "."),
            ("to-b/file", false, "file"),
            ("to-b/", false, "."),
            ("to-file", true, "file"),
            ("dangling", true, "missing"),
            ("new", true, "new"),
        ] {
            let place = resolve(root.as_fd(), from, follow).unwrap_or_else(|errno| panic!("{from}: {errno}"));
            assert_eq!(place.name(), name, "{from}");
        }
        assert_eq!(resolve_name(root.as_fd(), "a/new//").unwrap().name(), "new");
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn nothing_leads_outside() {
        let (path, root) = tree("outside");
        for (from, follow, errno) in [
            ("", false, Errno::NOENT),
            ("/", false, Errno::PERM),
            ("/etc/passwd", false, Errno::PERM),
            ("..", false, Errno::PERM),
            ("../x", false, Errno::PERM),
            ("a/../../x", false, Errno::PERM),
            ("a/b/../../..", false, Errno::PERM),
            ("out", true, Errno::PERM),
            ("out/passwd", false, Errno::PERM),
            ("a/up/x", false, Errno::PERM),
            ("a/up", true, Errno::PERM),
            ("loop", true, Errno::LOOP),
            ("loop/x", false, Errno::LOOP),
            ("a/b/file/", false, Errno::NOTDIR),
            ("a/b/file/x", false, Errno::NOTDIR),
            ("missing/x", false, Errno::NOENT),
            ("a/\0", true, Errno::INVAL),
        ] {
            assert_eq!(resolve(root.as_fd(), from, follow).map(drop), Err(errno), "{from}");
        }
        assert_eq!(resolve_name(root.as_fd(), "//").map(drop), Err(Errno::PERM));
        fs::remove_dir_all(path).unwrap();
    }
}
