//! The system calls of a process keep.
//!
//! Each call falls in one of three classes. *Allowed* calls are listed here by purpose; those whose arguments matter
//! carry a check. *Refused* calls fail with an error, because honest libraries make them and know another way. Every
//! other call, and an allowed one with other arguments, ends the keep with SIGSYS.
//!
//! The filter is installed before the runtime is executed, so executing must pass it: `execveat` of the empty path on
//! one descriptor number. That descriptor closes with the execution. A runtime that opened another program under the
//! same number would gain nothing: it may map executable memory anyway, and filter and Landlock stay.

mod tree;

use super::needs::Needs;
use crate::sys::spawn::{IMAGE, Instruction};
use seccompiler::SeccompCmpArgLen::{Dword, Qword};
use seccompiler::SeccompCmpOp::{Eq, MaskedEq};
use seccompiler::{BackendError, BpfProgram, SeccompAction, SeccompCondition, SeccompFilter, SeccompRule};
use std::collections::BTreeMap;

/// A filter that could not be compiled.
#[derive(Debug, thiserror::Error)]
#[error("cannot compile the keep's system call filter")]
pub struct FilterError(#[from] BackendError);

/// Memory, for the allocator, the compiler and linear memories. `PROT_EXEC` is needed: the runtime compiles.
const MEMORY: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_memfd_create,
    libc::SYS_mincore,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
];
/// Descriptors it has: the channel, the workload, streams, cache entries, directories.
const DESCRIPTORS: &[i64] = &[
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_fallocate,
    libc::SYS_fcntl,
    libc::SYS_fdatasync,
    libc::SYS_fstat,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_lseek,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_preadv2,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_write,
    libc::SYS_writev,
];
/// Waiting, for descriptors and for time.
const WAITING: &[i64] = &[
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_gettimeofday,
    libc::SYS_nanosleep,
    libc::SYS_ppoll,
    libc::SYS_restart_syscall,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
];
/// Threads and their signals; traps of the workload arrive as signals.
const THREADS: &[i64] = &[
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_get_robust_list,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_setpriority,
    libc::SYS_sigaltstack,
    libc::SYS_tgkill,
    libc::SYS_tkill,
];
/// What the libraries ask about machine and process.
const QUESTIONS: &[i64] = &[
    libc::SYS_getcpu,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getppid,
    libc::SYS_getrandom,
    libc::SYS_getuid,
    libc::SYS_sysinfo,
    libc::SYS_uname,
];
/// Sockets, when the manifest declares any; which addresses is for Landlock and the runtime.
const SOCKETS: &[i64] = &[
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_listen,
    libc::SYS_recvmmsg,
    libc::SYS_sendmmsg,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
];
/// Files by path, when directories are preopened or names are to be resolved; which paths is for Landlock.
const PATHS: &[i64] = &[
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_readlinkat,
    libc::SYS_statx,
];
/// Those of them with which the page map is opened; Landlock refuses whatever else.
const OPENING: &[i64] = &[libc::SYS_openat, legacy::OPEN];
/// Changes below directories, when some are preopened.
const DIRECTORIES: &[i64] = &[
    libc::SYS_copy_file_range,
    libc::SYS_fadvise64,
    libc::SYS_fstatfs,
    libc::SYS_getdents64,
    libc::SYS_linkat,
    libc::SYS_mkdirat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_sync_file_range,
    libc::SYS_symlinkat,
    libc::SYS_unlinkat,
    libc::SYS_utimensat,
];

/// Calls that x86-64 has beside the general ones above.
#[cfg(target_arch = "x86_64")]
mod legacy {
    pub(super) const ALWAYS: &[i64] =
        &[libc::SYS_arch_prctl, libc::SYS_dup2, libc::SYS_epoll_wait, libc::SYS_poll, libc::SYS_time];
    pub(super) const OPEN: i64 = libc::SYS_open;
    pub(super) const PATHS: &[i64] =
        &[libc::SYS_access, libc::SYS_lstat, libc::SYS_open, libc::SYS_readlink, libc::SYS_stat];
    pub(super) const DIRECTORIES: &[i64] =
        &[libc::SYS_mkdir, libc::SYS_rename, libc::SYS_rmdir, libc::SYS_unlink];
}
/// Other processors never had them.
#[cfg(not(target_arch = "x86_64"))]
mod legacy {
    pub(super) const ALWAYS: &[i64] = &[];
    pub(super) const OPEN: i64 = libc::SYS_openat;
    pub(super) const PATHS: &[i64] = &[];
    pub(super) const DIRECTORIES: &[i64] = &[];
}

/// Refused in every keep: the C library falls back to `clone`, whose flags can be checked, and others to epoll.
const NOT_IMPLEMENTED: &[i64] = &[libc::SYS_clone3, libc::SYS_io_uring_setup, libc::SYS_mbind];

/// `ioctl` requests: bytes to read, non-blocking, and two questions to terminals (asm-generic/ioctls.h).
#[allow(clippy::unnecessary_cast, reason = "the C libraries disagree on their type")]
const IOCTLS: [u64; 4] =
    [libc::FIONREAD as u64, libc::FIONBIO as u64, libc::TCGETS as u64, libc::TIOCGWINSZ as u64];
/// `PAGEMAP_SCAN`, `_IOWR('f', 16, struct pm_scan_arg)` of linux/fs.h: Wasmtime's way to find dirty pages.
const PAGEMAP_SCAN: u64 = 0xC060_6610;
/// What a virtual processor needs after the machine is made: `KVM_CREATE_VCPU`, `KVM_GET_VCPU_MMAP_SIZE`, `KVM_RUN`,
/// `KVM_SET_REGS`, `KVM_GET_SREGS`, `KVM_SET_SREGS`, `KVM_INTERRUPT`, `KVM_SET_FPU`, `KVM_SET_CPUID2`, `KVM_SET_XCRS`,
/// `KVM_SET_DEVICE_ATTR` (linux/kvm.h).
const KVM: [u64; 11] = [
    0xAE41,
    0xAE04,
    0xAE80,
    0x4090_AE82,
    0x8138_AE83,
    0x4138_AE84,
    0x4004_AE86,
    0x41A0_AE8D,
    0x4008_AE90,
    0x4188_AEA7,
    0x4018_AEE1,
];
/// `prctl` options: names of threads and mappings, and harmless questions (linux/prctl.h).
const PRCTLS: [i32; 6] = [
    libc::PR_SET_NAME,
    libc::PR_GET_NAME,
    libc::PR_SET_VMA,
    libc::PR_GET_THP_DISABLE,
    libc::PR_GET_NO_NEW_PRIVS,
    PR_GET_AUXV,
];
/// Reads one's own auxiliary vector, where Rust looks for processor features (linux/prctl.h).
const PR_GET_AUXV: i32 = 0x4155_5856;
/// The bits of a socket's type that are not flags (linux/net.h, `SOCK_TYPE_MASK`).
const SOCKET_TYPE_MASK: u64 = 0xF;
/// A new thread shares these with its maker; without them, `clone` makes a process.
const THREAD_FLAGS: u64 = (libc::CLONE_VM | libc::CLONE_SIGHAND | libc::CLONE_THREAD) as u64;

/// What runs under a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confined {
    /// The runtime itself, which is executed after the filter is installed.
    Runtime,
    /// A virtual machine with the runtime in it, which makes the same calls for it and runs virtual processors.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "there are no such keeps"))]
    Machine,
}

/// Compiles the filter of a keep with these needs.
pub(crate) fn compile(confined: Confined, needs: &Needs) -> Result<Vec<Instruction>, FilterError> {
    let answers: Vec<(u32, u32)> = answered(needs).into_iter().collect();
    let mut program = tree::compile(&answers);
    let architecture = std::env::consts::ARCH.try_into()?;
    let filter = SeccompFilter::new(
        checked(confined, needs)?,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        architecture,
    )?;
    // Jumps of BPF are relative, so one program may stand before another.
    program.extend(BpfProgram::try_from(filter)?);
    Ok(program)
}

/// The calls whose answer depends on nothing but their number.
fn answered(needs: &Needs) -> BTreeMap<u32, u32> {
    let always = [MEMORY, DESCRIPTORS, WAITING, THREADS, QUESTIONS, legacy::ALWAYS];
    let sockets = [SOCKETS].into_iter().filter(|_| tcp(needs) || needs.udp);
    let paths = [PATHS, legacy::PATHS];
    let directories =
        [DIRECTORIES, legacy::DIRECTORIES].into_iter().filter(|_| !needs.dirs_writable.is_empty());
    let allowed = always.into_iter().chain(sockets).chain(directories).flatten();
    let mut answers: BTreeMap<u32, u32> =
        allowed.map(|call| (*call as u32, libc::SECCOMP_RET_ALLOW)).collect();

    let refuse = |errno: i32| libc::SECCOMP_RET_ERRNO | errno as u32;
    let path = if files(needs) { libc::SECCOMP_RET_ALLOW } else { refuse(libc::EACCES) };
    answers.extend(paths.into_iter().flatten().map(|call| (*call as u32, path)));
    if needs.pagemap {
        answers.extend(OPENING.iter().map(|call| (*call as u32, libc::SECCOMP_RET_ALLOW)));
    }
    answers.insert(libc::SYS_getcwd as u32, refuse(libc::EACCES));
    answers.extend(NOT_IMPLEMENTED.iter().map(|call| (*call as u32, refuse(libc::ENOSYS))));
    if !tcp(needs) && !needs.udp {
        answers.insert(libc::SYS_socket as u32, refuse(libc::EACCES));
    }
    answers
}

/// The calls whose arguments matter, with the rules one of which must hold.
fn checked(confined: Confined, needs: &Needs) -> Result<BTreeMap<i64, Vec<SeccompRule>>, BackendError> {
    let mut rules = BTreeMap::new();
    if confined == Confined::Runtime {
        let execute = vec![
            SeccompCondition::new(0, Dword, Eq, IMAGE as u64)?,
            SeccompCondition::new(4, Dword, Eq, libc::AT_EMPTY_PATH as u64)?,
        ];
        rules.insert(libc::SYS_execveat, vec![SeccompRule::new(execute)?]);
    }
    let thread = SeccompCondition::new(0, Qword, MaskedEq(THREAD_FLAGS), THREAD_FLAGS)?;
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![thread])?]);
    let own: &[u64] = match confined {
        Confined::Runtime => &[PAGEMAP_SCAN],
        Confined::Machine => &KVM,
    };
    let requests = IOCTLS.into_iter().chain(own.iter().copied());
    rules.insert(libc::SYS_ioctl, one_of(1, requests)?);
    rules.insert(libc::SYS_prctl, one_of(0, PRCTLS.map(|option| option as u64))?);
    // Reading its own limits, never setting any: the first argument 0 is oneself, the third null sets nothing.
    let own_limits = vec![SeccompCondition::new(0, Dword, Eq, 0)?, SeccompCondition::new(2, Qword, Eq, 0)?];
    rules.insert(libc::SYS_prlimit64, vec![SeccompRule::new(own_limits)?]);
    let transports = [(tcp(needs), libc::SOCK_STREAM), (needs.udp, libc::SOCK_DGRAM)];
    let transports: Vec<i32> =
        transports.into_iter().filter(|(needed, _)| *needed).map(|(_, kind)| kind).collect();
    if !transports.is_empty() {
        rules.insert(libc::SYS_socket, internet_sockets(&transports)?);
    }
    Ok(rules)
}

/// Whether there are TCP sockets.
fn tcp(needs: &Needs) -> bool {
    !needs.tcp_listen.is_empty() || !needs.tcp_connect.is_empty()
}

/// Whether files are opened.
fn files(needs: &Needs) -> bool {
    needs.names || !needs.dirs_writable.is_empty()
}

/// One rule for each value the 32 low bits of an argument may have.
fn one_of(argument: u8, values: impl IntoIterator<Item = u64>) -> Result<Vec<SeccompRule>, BackendError> {
    let rule = |value| SeccompRule::new(vec![SeccompCondition::new(argument, Dword, Eq, value)?]);
    values.into_iter().map(rule).collect()
}

fn internet_sockets(types: &[i32]) -> Result<Vec<SeccompRule>, BackendError> {
    let mut rules = Vec::new();
    for domain in [libc::AF_INET, libc::AF_INET6] {
        for kind in types {
            rules.push(SeccompRule::new(vec![
                SeccompCondition::new(0, Dword, Eq, domain as u64)?,
                SeccompCondition::new(1, Dword, MaskedEq(SOCKET_TYPE_MASK), *kind as u64)?,
            ])?);
        }
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_need_compiles() {
        let all = Needs {
            tcp_listen: vec![443],
            tcp_connect: vec![1],
            udp: true,
            names: true,
            dirs_writable: vec![true],
            pagemap: true,
        };
        let least = compile(Confined::Runtime, &Needs::default()).unwrap();
        let most = compile(Confined::Machine, &all).unwrap();
        // The kernel's limit is BPF_MAXINSNS, 4096.
        assert!(least.len() < 600 && most.len() < 700, "{} {}", least.len(), most.len());
    }

    #[test]
    fn no_call_is_both_answered_and_checked() {
        for needs in [Needs::default(), Needs { udp: true, ..Needs::default() }] {
            let answers = answered(&needs);
            let both: Vec<i64> = checked(Confined::Runtime, &needs)
                .unwrap()
                .into_keys()
                .filter(|call| answers.contains_key(&(*call as u32)))
                .collect();
            assert!(both.is_empty(), "{both:?} {needs:?}");
        }
    }
}
