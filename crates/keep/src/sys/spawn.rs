//! Starts the runtime as a confined child, on Linux.
//!
//! The child is made as posix_spawn(3) makes it: it borrows our memory while we wait (`CLONE_VM | CLONE_VFORK`), so
//! that no page table is copied. Everything it needs is made before; between `clone` and `execveat` it makes system
//! calls on numbers and pointers it finds in the [`Plan`], and allocates nothing.
#![expect(
    unsafe_code,
    reason = "clone(2) and what a child does before it executes a program have no safe form"
)]

use crate::launch::Image;
use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::Pid;
use std::ffi::CStr;
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// The descriptor the child executes its program from; closed by executing it.
///
/// It lies above every descriptor a keep can be given, and is fixed so that the filter can name it.
pub(crate) const IMAGE: RawFd = 128;

/// Bytes of the child's stack until it executes; it calls a handful of small functions.
const STACK: usize = 64 << 10;

/// One instruction of a seccomp filter, laid out as the kernel's `struct sock_filter`.
pub(crate) type Instruction = seccompiler::sock_filter;

/// The number of a resource limit; the C libraries disagree on its type.
#[cfg(target_env = "gnu")]
type Resource = libc::__rlimit_resource_t;
/// The number of a resource limit; the C libraries disagree on its type.
#[cfg(not(target_env = "gnu"))]
type Resource = libc::c_int;

/// `LANDLOCK_RULE_PATH_BENEATH` of linux/landlock.h.
const RULE_PATH_BENEATH: libc::c_int = 1;
/// `LANDLOCK_ACCESS_FS_READ_FILE` of linux/landlock.h.
const READ_FILE: u64 = 1 << 2;

/// `struct landlock_path_beneath_attr` of linux/landlock.h.
#[repr(C, packed)]
struct PathBeneath {
    allowed_access: u64,
    parent_fd: i32,
}

/// How a child is to be.
pub(crate) struct Spawn<'a> {
    /// The program.
    pub image: &'a Image,
    /// Its name and arguments.
    pub arguments: &'a [&'a CStr],
    /// Its descriptors: position is number. It has no others.
    pub descriptors: &'a [BorrowedFd<'a>],
    /// Resource limits, soft and hard, each lowered to the hard limit in force.
    pub limits: &'a [(Resource, u64)],
    /// The Landlock ruleset it enters, if this kernel has Landlock.
    pub landlock: Option<BorrowedFd<'a>>,
    /// Whether it may read which of its own pages are in use, though Landlock keeps it from the rest of `/proc`.
    pub pagemap: bool,
    /// The seccomp filter it runs under; none if it confines itself.
    pub filter: Option<&'a [Instruction]>,
}

/// A child that did not start.
#[derive(Debug, thiserror::Error)]
#[error("{step}")]
pub struct SpawnError {
    /// What failed.
    pub step: Step,
    /// Why.
    pub source: io::Error,
}

/// A step on the way to a running child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Preparing its descriptors.
    Descriptors,
    /// Making the process.
    Clone,
    /// Binding its life to ours.
    Parent,
    /// Setting its resource limits.
    Limits,
    /// Forgoing new privileges.
    Privileges,
    /// Entering Landlock.
    Landlock,
    /// Installing the system call filter.
    Seccomp,
    /// Executing the program.
    Execute,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Descriptors => "cannot prepare the keep's descriptors",
            Self::Clone => "cannot make a process for the keep",
            Self::Parent => "cannot bind the keep's life to this process",
            Self::Limits => "cannot set the keep's resource limits",
            Self::Privileges => "cannot take the keep's right to new privileges",
            Self::Landlock => "cannot confine the keep with landlock",
            Self::Seccomp => "cannot confine the keep with seccomp",
            Self::Execute => "cannot execute the keep's runtime image",
        })
    }
}

/// Starts a child.
pub(crate) fn spawn(order: &Spawn<'_>) -> Result<Pid, SpawnError> {
    let descriptors_failed = |source: io::Error| SpawnError { step: Step::Descriptors, source };
    if order.descriptors.len() > IMAGE as usize {
        return Err(descriptors_failed(rustix::io::Errno::MFILE.into()));
    }
    // Copies above every target number, so that placing one never overwrites another.
    let above =
        |fd: &BorrowedFd<'_>| fcntl_dupfd_cloexec(fd, IMAGE + 1).map_err(|e| descriptors_failed(e.into()));
    let sources: Vec<OwnedFd> = order.descriptors.iter().map(above).collect::<Result<_, _>>()?;
    let image = above(&order.image.descriptor())?;
    let landlock = order.landlock.as_ref().map(above).transpose()?;
    let raw: Vec<RawFd> = sources.iter().map(AsRawFd::as_raw_fd).collect();
    let filter = order.filter.unwrap_or_default();
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len())
            .map_err(|_| descriptors_failed(io::ErrorKind::InvalidInput.into()))?,
        filter: filter.as_ptr().cast::<libc::sock_filter>().cast_mut(),
    };
    let arguments = order.arguments.iter().map(|argument| argument.as_ptr());
    let arguments: Vec<*const libc::c_char> = arguments.chain([std::ptr::null()]).collect();
    let mut plan = Plan {
        // SAFETY: getpid takes nothing and cannot fail.
        parent: unsafe { libc::getpid() },
        image: image.as_raw_fd(),
        arguments: &arguments,
        descriptors: &raw,
        limits: order.limits,
        landlock: landlock.as_ref().map_or(-1, AsRawFd::as_raw_fd),
        pagemap: order.pagemap,
        program: &program,
        failure: None,
    };
    let pid = clone_and_wait(&mut plan).map_err(|source| SpawnError { step: Step::Clone, source })?;
    match plan.failure {
        None => Ok(pid),
        Some((step, errno)) => {
            // The child is past its last system call; collect it, so that it does not stay a zombie.
            let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
            Err(SpawnError { step, source: io::Error::from_raw_os_error(errno) })
        }
    }
}

/// What the child reads, and the failure it leaves: its memory is ours.
struct Plan<'a> {
    parent: libc::pid_t,
    image: RawFd,
    /// Ends with a null.
    arguments: &'a [*const libc::c_char],
    descriptors: &'a [RawFd],
    limits: &'a [(Resource, u64)],
    landlock: RawFd,
    pagemap: bool,
    program: &'a libc::sock_fprog,
    failure: Option<(Step, i32)>,
}

fn clone_and_wait(plan: &mut Plan<'_>) -> io::Result<Pid> {
    let mut stack = vec![0_u128; STACK / size_of::<u128>()];
    let top = stack.as_mut_ptr_range().end;
    let (mut all, mut before) = (empty_signal_set(), empty_signal_set());
    // SAFETY: `all` and `before` are valid signal sets that live across the calls. With every signal blocked, no
    // handler of ours runs in the child, where it would act on memory that is also the parent's.
    unsafe {
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
    }
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: `top` is the 16-byte aligned end of a stack that outlives the child's use of it, since CLONE_VFORK
    // suspends us until the child executes a program or exits; `plan` is exclusively ours and, for that time, the
    // child's; `child` neither unwinds nor returns into our frames.
    let pid = unsafe { libc::clone(child, top.cast(), flags, (&raw mut *plan).cast()) };
    let failure = io::Error::last_os_error();
    // SAFETY: `before` was filled in above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut()) };
    Pid::from_raw(pid.max(0)).ok_or(failure)
}

fn empty_signal_set() -> libc::sigset_t {
    // SAFETY: a signal set is plain bits; all zero is the empty one.
    unsafe { std::mem::zeroed() }
}

/// The child's life until it executes the program.
extern "C" fn child(plan: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `clone_and_wait` passes its exclusive plan, and waits.
    let plan = unsafe { &mut *plan.cast::<Plan<'_>>() };
    let Err(step) = prepare_and_execute(plan);
    // SAFETY: errno is a thread-local of the parent's thread, whose memory and thread pointer we borrow.
    plan.failure = Some((step, unsafe { *libc::__errno_location() }));
    // SAFETY: _exit ends the child without running anything of the parent's.
    unsafe { libc::_exit(127) }
}

fn prepare_and_execute(plan: &Plan<'_>) -> Result<std::convert::Infallible, Step> {
    place_descriptors(plan).ok_or(Step::Descriptors)?;
    bind_to_parent(plan.parent).ok_or(Step::Parent)?;
    for &(resource, most) in plan.limits {
        limit(resource, most).ok_or(Step::Limits)?;
    }
    // SAFETY: each call takes numbers, or pointers to memory that `plan` keeps alive, and is async-signal-safe;
    // `program` describes exactly the filter's instructions.
    unsafe {
        succeeded(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0).into()).ok_or(Step::Privileges)?;
        if plan.landlock >= 0 {
            if plan.pagemap {
                allow_pagemap(plan.landlock);
            }
            let entered = libc::syscall(libc::SYS_landlock_restrict_self, plan.landlock, 0);
            succeeded(entered).ok_or(Step::Landlock)?;
        }
        let none = empty_signal_set();
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
        if plan.program.len > 0 {
            succeeded(install_filter(plan.program)).ok_or(Step::Seccomp)?;
        }
        let environment = [std::ptr::null::<libc::c_char>()];
        libc::syscall(
            libc::SYS_execveat,
            IMAGE,
            c"".as_ptr(),
            plan.arguments.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
    }
    Err(Step::Execute)
}

/// Puts this thread, and those it makes, under a filter for good.
///
/// # Safety
/// The program must describe instructions that live.
unsafe fn install_filter(program: &libc::sock_fprog) -> libc::c_long {
    let program = std::ptr::from_ref(program);
    // SAFETY: the caller's; the kernel copies and checks the instructions.
    unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, program) }
}

/// Confines this thread, and those it makes, as a child is confined before its program is executed.
pub(crate) fn confine_self(landlock: Option<BorrowedFd<'_>>, filter: &[Instruction]) -> io::Result<()> {
    let len = u16::try_from(filter.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len, filter: filter.as_ptr().cast::<libc::sock_filter>().cast_mut() };
    // SAFETY: each call takes numbers, or a pointer to `program`, which describes exactly the filter's instructions.
    unsafe {
        succeeded(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0).into())
            .ok_or_else(io::Error::last_os_error)?;
        if let Some(landlock) = landlock {
            let entered = libc::syscall(libc::SYS_landlock_restrict_self, landlock.as_raw_fd(), 0);
            succeeded(entered).ok_or_else(io::Error::last_os_error)?;
        }
        succeeded(install_filter(&program)).ok_or_else(io::Error::last_os_error)
    }
}

/// Adds this process's own page map to what the ruleset lets it read: only here is there a path to it. Where that
/// fails, Wasmtime finds used pages in a slower way.
fn allow_pagemap(ruleset: RawFd) {
    let flags = libc::O_PATH | libc::O_CLOEXEC;
    // SAFETY: the path is a C string, the rule a live local laid out as the kernel's, the rest are numbers. The
    // descriptor closes when the program is executed.
    unsafe {
        let parent_fd = libc::open(c"/proc/self/pagemap".as_ptr(), flags);
        let rule = PathBeneath { allowed_access: READ_FILE, parent_fd };
        libc::syscall(libc::SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &raw const rule, 0);
    }
}

/// Gives each descriptor its number and lets every other one close when the program is executed.
fn place_descriptors(plan: &Plan<'_>) -> Option<()> {
    // SAFETY: dup2, dup3, close_range, getrlimit and fcntl take numbers and a pointer to a live local.
    unsafe {
        let mut next = 0;
        for &source in plan.descriptors {
            succeeded(libc::dup2(source, next).into())?;
            next += 1;
        }
        succeeded(libc::dup3(plan.image, IMAGE, libc::O_CLOEXEC).into())?;
        let cloexec = libc::CLOSE_RANGE_CLOEXEC as libc::c_uint;
        if libc::syscall(libc::SYS_close_range, next, libc::c_uint::MAX, cloexec) == 0 {
            return Some(());
        }
        // CLOSE_RANGE_CLOEXEC came with Linux 5.11.
        let mut most: libc::rlimit = std::mem::zeroed();
        succeeded(libc::getrlimit(libc::RLIMIT_NOFILE, &mut most).into())?;
        for fd in next..i32::try_from(most.rlim_cur).unwrap_or(i32::MAX) {
            libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
    Some(())
}

/// Dies when the parent does, also if it died before this was asked.
fn bind_to_parent(parent: libc::pid_t) -> Option<()> {
    // SAFETY: both calls take numbers.
    unsafe {
        succeeded(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0).into())?;
        (libc::getppid() == parent).then_some(())
    }
}

fn limit(resource: Resource, most: u64) -> Option<()> {
    // SAFETY: the structure is plain numbers, and lives across the calls.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        succeeded(libc::getrlimit(resource, &mut limit).into())?;
        limit.rlim_max = limit.rlim_max.min(most);
        limit.rlim_cur = limit.rlim_max;
        succeeded(libc::setrlimit(resource, &limit).into())
    }
}

fn succeeded(result: libc::c_long) -> Option<()> {
    (result >= 0).then_some(())
}
