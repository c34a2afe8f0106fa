//! What a process keep lets its runtime do, asked by programs of a system call or two.
//!
//! Each program is a static ELF made here: it makes its calls and exits with the errno of the last, 0 standing for
//! success.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![expect(clippy::unwrap_used, reason = "a test whose case cannot be set up has failed")]

use api::launch::{Directory, Ending, Order};
use api::manifest::Manifest;
use keep::launch::process::launch;
use keep::launch::{Image, Launch};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where the program is loaded.
const BASE: u64 = 0x40_0000;
/// Bytes of the ELF header and one program header.
const HEADERS: u64 = 64 + 56;
/// The address of the program's data; its code follows.
const DATA: u64 = BASE + HEADERS;
/// Bytes of the program's data.
const DATA_LENGTH: usize = 128;

/// `TIOCSTI` of asm-generic/ioctls.h; the C libraries disagree on its type.
const TIOCSTI: u64 = 0x5412;
const CWD: u64 = -100_i64 as u64;
const SOCKETS: &str = "[[files]]\nkind='listen'\nname='x'\nprot='tcp'\nport=0";
const LISTEN_UDP: &str = "[[files]]\nkind='listen'\nname='x'\nprot='udp'\nport=0";

/// One system call with its arguments and the data they point to.
struct Call<'a> {
    number: i64,
    arguments: [u64; 5],
    data: &'a [u8],
}

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// With success.
    Done,
    /// With an error.
    Errno(i32),
    /// Not at all.
    Killed,
}

#[test]
fn calls_without_declarations() {
    let path = |number, at: &[u64]| {
        let mut arguments = [0; 5];
        arguments[..at.len()].copy_from_slice(at);
        Call { number, arguments, data: b"/etc/hostname\0" }
    };
    let cases = [
        ("sched_yield", path(libc::SYS_sched_yield, &[]), Outcome::Done),
        ("openat", path(libc::SYS_openat, &[CWD, DATA]), Outcome::Errno(libc::EACCES)),
        ("open", path(libc::SYS_open, &[DATA]), Outcome::Errno(libc::EACCES)),
        ("stat", path(libc::SYS_stat, &[DATA, DATA]), Outcome::Errno(libc::EACCES)),
        ("socket", path(libc::SYS_socket, &[2, 1]), Outcome::Errno(libc::EACCES)),
        ("clone3", path(libc::SYS_clone3, &[0, 0]), Outcome::Errno(libc::ENOSYS)),
        ("io_uring_setup", path(libc::SYS_io_uring_setup, &[1, 0]), Outcome::Errno(libc::ENOSYS)),
        ("own limits", path(libc::SYS_prlimit64, &[0, 7, 0, 0]), Outcome::Done),
        ("setting limits", path(libc::SYS_prlimit64, &[0, 7, DATA, 0]), Outcome::Killed),
        ("limits of others", path(libc::SYS_prlimit64, &[1, 7, 0, 0]), Outcome::Killed),
        ("descriptor after the workload", path(libc::SYS_fcntl, &[5, 1]), Outcome::Errno(libc::EBADF)),
        ("descriptor of the image", path(libc::SYS_fcntl, &[128, 1]), Outcome::Errno(libc::EBADF)),
        ("execve", path(libc::SYS_execve, &[DATA, 0, 0]), Outcome::Killed),
        ("execveat by path", path(libc::SYS_execveat, &[CWD, DATA, 0, 0, 0]), Outcome::Killed),
        ("fork", path(libc::SYS_fork, &[]), Outcome::Killed),
        ("clone of a process", path(libc::SYS_clone, &[17]), Outcome::Killed),
        ("kill", path(libc::SYS_kill, &[1, 0]), Outcome::Killed),
        ("ptrace", path(libc::SYS_ptrace, &[0]), Outcome::Killed),
        ("pushing input into a terminal", path(libc::SYS_ioctl, &[0, TIOCSTI]), Outcome::Killed),
        ("bpf", path(libc::SYS_bpf, &[0]), Outcome::Killed),
        ("unshare", path(libc::SYS_unshare, &[0]), Outcome::Killed),
        ("mount", path(libc::SYS_mount, &[DATA, DATA, DATA]), Outcome::Killed),
        ("signals to other processes", path(libc::SYS_tgkill, &[1, 1, 0]), Outcome::Errno(libc::EPERM)),
    ];
    for (name, call, expected) in cases {
        assert_eq!(run(&call, "", None), expected, "{name}");
    }
}

#[test]
fn sockets_only_as_declared() {
    let socket =
        |domain, kind| Call { number: libc::SYS_socket, arguments: [domain, kind, 0, 0, 0], data: &[] };
    let (inet, inet6) = (libc::AF_INET as u64, libc::AF_INET6 as u64);
    let (stream, datagram) = (libc::SOCK_STREAM as u64, libc::SOCK_DGRAM as u64);
    let cases = [
        (SOCKETS, inet, stream | libc::SOCK_CLOEXEC as u64, Outcome::Done),
        (SOCKETS, inet6, stream, Outcome::Done),
        (SOCKETS, inet, datagram, Outcome::Killed),
        (SOCKETS, inet, libc::SOCK_RAW as u64, Outcome::Killed),
        (SOCKETS, libc::AF_UNIX as u64, stream, Outcome::Killed),
        (SOCKETS, libc::AF_NETLINK as u64, libc::SOCK_RAW as u64, Outcome::Killed),
        (LISTEN_UDP, inet, datagram, Outcome::Done),
        (LISTEN_UDP, inet, stream, Outcome::Killed),
    ];
    for (manifest, domain, kind, expected) in cases {
        assert_eq!(run(&socket(domain, kind), manifest, None), expected, "{domain} {kind} {manifest}");
    }
}

#[test]
fn ports_only_as_declared() {
    const PORT: u16 = 47_113;
    let declared = "[[files]]\nkind='listen'\nname='x'\nprot='tcp'\nport=47113";
    let other = "[[files]]\nkind='listen'\nname='x'\nprot='tcp'\nport=47114";
    let peer = "[[files]]\nkind='connect'\nhost='127.0.0.1'\nprot='tcp'\nport=47113";
    let address =
        [&(libc::AF_INET as u16).to_le_bytes()[..], &PORT.to_be_bytes(), &[127, 0, 0, 1], &[0; 8]].concat();
    let (bind, connect) = (libc::SYS_bind, libc::SYS_connect);
    let cases = [
        (declared, bind, Outcome::Done),
        (other, bind, Outcome::Errno(libc::EACCES)),
        (peer, bind, Outcome::Errno(libc::EACCES)),
        (peer, connect, Outcome::Errno(libc::ECONNREFUSED)),
        (declared, connect, Outcome::Errno(libc::EACCES)),
    ];
    for (manifest, number, expected) in cases {
        // The socket is the first free descriptor, after the workload.
        let domain = libc::AF_INET as u64;
        let socket = Call {
            number: libc::SYS_socket,
            arguments: [domain, libc::SOCK_STREAM as u64, 0, 0, 0],
            data: &[],
        };
        let call = Call { number, arguments: [5, DATA, address.len() as u64, 0, 0], data: &address };
        assert_eq!(run_all(&[socket, call], manifest, None), expected, "call {number}, {manifest}");
    }
}

#[test]
fn of_proc_only_its_own_page_map_and_only_for_services() {
    let open = |data| Call { number: libc::SYS_openat, arguments: [CWD, DATA, 0, 0, 0], data };
    let cases = [
        (SOCKETS, open(b"/proc/self/pagemap\0"), Outcome::Done),
        (SOCKETS, open(b"/proc/self/maps\0"), Outcome::Errno(libc::EACCES)),
        (SOCKETS, open(b"/proc/1/pagemap\0"), Outcome::Errno(libc::EACCES)),
        (SOCKETS, open(b"/proc/cpuinfo\0"), Outcome::Errno(libc::EACCES)),
        (SOCKETS, open(b"/etc/hostname\0"), Outcome::Errno(libc::EACCES)),
        (LISTEN_UDP, open(b"/proc/self/pagemap\0"), Outcome::Errno(libc::EACCES)),
        ("", open(b"/proc/self/pagemap\0"), Outcome::Errno(libc::EACCES)),
    ];
    for (manifest, call, expected) in cases {
        assert_eq!(run(&call, manifest, None), expected, "{:?}", String::from_utf8_lossy(call.data));
    }
}

#[test]
fn files_only_below_directories() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("inside"), "x").unwrap();
    let outside = tempfile::NamedTempFile::new().unwrap();
    let outside = format!("{}\0", outside.path().display());
    let open =
        |directory, data| Call { number: libc::SYS_openat, arguments: [directory, DATA, 0, 0, 0], data };
    let make = Call { number: libc::SYS_mkdirat, arguments: [5, DATA, 0o700, 0, 0], data: b"made\0" };
    let pipe = Call { number: libc::SYS_mknodat, arguments: [5, DATA, 0o10600, 0, 0], data: b"pipe\0" };
    let cases = [
        (true, open(5, b"inside\0"), Outcome::Done),
        (true, open(CWD, outside.as_bytes()), Outcome::Errno(libc::EACCES)),
        (true, open(CWD, b"/etc/hostname\0"), Outcome::Errno(libc::EACCES)),
        (true, open(5, b"../../etc/hostname\0"), Outcome::Errno(libc::EACCES)),
        (true, make, Outcome::Errno(libc::EACCES)),
        (
            false,
            Call { number: libc::SYS_mkdirat, arguments: [5, DATA, 0o700, 0, 0], data: b"made\0" },
            Outcome::Done,
        ),
        (false, pipe, Outcome::Killed),
    ];
    for (read_only, call, expected) in cases {
        let found = run(&call, "", Some((root.path(), read_only)));
        assert_eq!(found, expected, "call {} {:?}", call.number, String::from_utf8_lossy(call.data));
    }
}

#[test]
fn many_directories_are_placed() {
    let _alone = alone();
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("program");
    let last = 5 + 20 - 1;
    let call = Call { number: libc::SYS_openat, arguments: [last, DATA, 0, 0, 0], data: b"program\0" };
    write_program(&path, &[call]);
    let ending = launch_image(&path, "", &vec![(root.path(), true); 20]).unwrap();
    assert_eq!(outcome(&ending), Outcome::Done);
    let error = launch_image(&path, "", &vec![(root.path(), true); 128]).unwrap_err();
    assert_eq!(error, "cannot prepare the keep's descriptors");
}

#[test]
fn only_static_programs_are_images() {
    let _alone = alone();
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("script");
    std::fs::write(&path, "#!/bin/sh\nexit 0\n").unwrap();
    let error = launch_image(&path, "", &[]).unwrap_err();
    assert_eq!(error, "cannot execute the keep's runtime image");
}

/// Another test's child holds a copy of every open descriptor until it executes; a program that is still open for
/// writing in one of them would be busy (execve(2), ETXTBSY).
fn alone() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(call: &Call<'_>, manifest: &str, dir: Option<(&Path, bool)>) -> Outcome {
    run_all(std::slice::from_ref(call), manifest, dir)
}

fn run_all(calls: &[Call<'_>], manifest: &str, dir: Option<(&Path, bool)>) -> Outcome {
    let _alone = alone();
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("program");
    write_program(&path, calls);
    outcome(&launch_image(&path, manifest, dir.as_slice()).unwrap())
}

fn write_program(path: &Path, calls: &[Call<'_>]) {
    std::fs::write(path, program(calls)).unwrap();
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
}

fn outcome(ending: &Ending) -> Outcome {
    match ending {
        Ending::Denied(_) => Outcome::Killed,
        Ending::Failed(text) => match text.split_whitespace().find_map(|word| word.parse().ok()) {
            Some(0) => Outcome::Done,
            Some(errno) => Outcome::Errno(errno),
            None => panic!("{text}"),
        },
        other => panic!("{other}"),
    }
}

fn launch_image(path: &Path, manifest: &str, dirs: &[(&Path, bool)]) -> Result<Ending, String> {
    let order = Order {
        manifest: manifest.to_owned(),
        args: vec![],
        env: Default::default(),
        dirs: dirs
            .iter()
            .map(|(_, read_only)| Directory { guest: "/".to_owned(), read_only: *read_only })
            .collect(),
        roots: None,
        cache: false,
        known: None,
    };
    let (image, manifest) = (Image::open(path).unwrap(), Manifest::parse(manifest).unwrap());
    let launched = launch(Launch {
        image: &image,
        manifest: &manifest,
        order: &order,
        workload: File::open(path).unwrap(),
        dirs: dirs.iter().map(|(path, _)| OwnedFd::from(File::open(path).unwrap())).collect(),
        cache: None,
    });
    launched.map(|keep| keep.run(&mut |_| {})).map_err(|error| error.to_string())
}

/// The bytes of the program (System V ABI, ELF-64 object file format; AMD64 supplement).
fn program(calls: &[Call<'_>]) -> Vec<u8> {
    let mut data = calls.last().map(|call| call.data.to_vec()).unwrap_or_default();
    assert!(data.len() <= DATA_LENGTH);
    data.resize(DATA_LENGTH, 0);
    let mut code: Vec<u8> = calls.iter().flat_map(one_call).collect();
    code.extend([0x31, 0xFF]); // xor edi, edi
    code.extend([0x48, 0x85, 0xC0]); // test rax, rax
    code.extend([0x79, 0x04]); // jns over the next two
    code.extend([0xF7, 0xD8]); // neg eax
    code.extend([0x89, 0xC7]); // mov edi, eax
    code.extend([0xB8, 231, 0, 0, 0]); // mov eax, SYS_exit_group
    code.extend([0x0F, 0x05]); // syscall
    [headers((data.len() + code.len()) as u64), data, code].concat()
}

fn headers(length: u64) -> Vec<u8> {
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let half = |elf: &mut Vec<u8>, values: &[u16]| values.iter().for_each(|v| elf.extend(v.to_le_bytes()));
    let word = |elf: &mut Vec<u8>, values: &[u32]| values.iter().for_each(|v| elf.extend(v.to_le_bytes()));
    let long = |elf: &mut Vec<u8>, values: &[u64]| values.iter().for_each(|v| elf.extend(v.to_le_bytes()));
    half(&mut elf, &[2, 62]); // e_type ET_EXEC, e_machine EM_X86_64
    word(&mut elf, &[1]);
    long(&mut elf, &[DATA + DATA_LENGTH as u64, 64, 0]); // e_entry, e_phoff, e_shoff
    word(&mut elf, &[0]);
    half(&mut elf, &[64, 56, 1, 0, 0, 0]);
    word(&mut elf, &[1, 7]); // p_type PT_LOAD, p_flags: read, write, execute
    long(&mut elf, &[0, BASE, BASE, HEADERS + length, HEADERS + length, 0x1000]);
    elf
}

fn one_call(call: &Call<'_>) -> Vec<u8> {
    // mov rax, rdi, rsi, rdx, r10, r8 ← immediate
    let registers = [[0x48, 0xB8], [0x48, 0xBF], [0x48, 0xBE], [0x48, 0xBA], [0x49, 0xBA], [0x49, 0xB8]];
    let values = [&[call.number as u64][..], &call.arguments].concat();
    let moves = registers.iter().zip(values).flat_map(|(register, value)| {
        register.iter().copied().chain(value.to_le_bytes()).collect::<Vec<u8>>()
    });
    moves.chain([0x0F, 0x05]).collect() // syscall
}
