//! The calls of WASI 0.1: their names, parameters, and who answers.

use super::errno::{Failure, Outcome};
use super::memory::Memory;
use super::process::{self, Process};
use super::{clock, dir, file, poll, socket, table};
use crate::limits::Exit;
use wasmtime::{Caller, Extern, Linker};

/// Success, as an `errno`.
const SUCCESS: u32 = 0;

macro_rules! calls {
    ($($name:ident($($parameter:ident: $type:ty),*) => $answer:path;)*) => {
        /// Defines the call `name`, unless there is none of that name.
        pub fn define(linker: &mut Linker<Process>, space: &str, name: &str) -> bool {
            match name {
                $(stringify!($name) => {
                    // Fails only for what is defined already, by another import of the same name.
                    let _ = linker.func_wrap(
                        space,
                        name,
                        |mut caller: Caller<'_, Process>, $($parameter: $type),*| -> wasmtime::Result<u32> {
                            let (process, mut memory) = enter(&mut caller)?;
                            returned($answer(process, &mut memory, $($parameter),*))
                        },
                    );
                })*
                // The one call without a result, since it never returns.
                "proc_exit" => {
                    let _ = linker.func_wrap(space, name, |code: u32| -> wasmtime::Result<()> {
                        // As a process does on Linux: the low eight bits.
                        Err(Exit(code.to_le_bytes()[0]).into())
                    });
                }
                _ => return false,
            }
            true
        }

        /// The calls that return.
        #[cfg(test)]
        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

calls! {
    args_get(argv: u32, buffer: u32) => process::args_get;
    args_sizes_get(count: u32, size: u32) => process::args_sizes_get;
    clock_res_get(id: u32, resolution: u32) => clock::clock_res_get;
    clock_time_get(id: u32, precision: u64, time: u32) => clock::clock_time_get;
    environ_get(environ: u32, buffer: u32) => process::environ_get;
    environ_sizes_get(count: u32, size: u32) => process::environ_sizes_get;
    fd_advise(fd: u32, offset: u64, len: u64, advice: u32) => file::fd_advise;
    fd_allocate(fd: u32, offset: u64, len: u64) => file::fd_allocate;
    fd_close(fd: u32) => table::fd_close;
    fd_datasync(fd: u32) => file::fd_datasync;
    fd_fdstat_get(fd: u32, stat: u32) => table::fd_fdstat_get;
    fd_fdstat_set_flags(fd: u32, flags: u32) => table::fd_fdstat_set_flags;
    fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64) => table::fd_fdstat_set_rights;
    fd_filestat_get(fd: u32, stat: u32) => file::fd_filestat_get;
    fd_filestat_set_size(fd: u32, size: u64) => file::fd_filestat_set_size;
    fd_filestat_set_times(fd: u32, atim: u64, mtim: u64, flags: u32) => file::fd_filestat_set_times;
    fd_pread(fd: u32, iovecs: u32, count: u32, offset: u64, read: u32) => file::fd_pread;
    fd_prestat_dir_name(fd: u32, path: u32, len: u32) => dir::fd_prestat_dir_name;
    fd_prestat_get(fd: u32, prestat: u32) => dir::fd_prestat_get;
    fd_pwrite(fd: u32, iovecs: u32, count: u32, offset: u64, written: u32) => file::fd_pwrite;
    fd_read(fd: u32, iovecs: u32, count: u32, read: u32) => table::fd_read;
    fd_readdir(fd: u32, buffer: u32, len: u32, cookie: u64, used: u32) => dir::fd_readdir;
    fd_renumber(from: u32, to: u32) => table::fd_renumber;
    fd_seek(fd: u32, offset: i64, whence: u32, position: u32) => file::fd_seek;
    fd_sync(fd: u32) => file::fd_sync;
    fd_tell(fd: u32, position: u32) => file::fd_tell;
    fd_write(fd: u32, iovecs: u32, count: u32, written: u32) => table::fd_write;
    path_create_directory(fd: u32, path: u32, len: u32) => dir::path_create_directory;
    path_filestat_get(fd: u32, lookup: u32, path: u32, len: u32, stat: u32) => dir::path_filestat_get;
    path_filestat_set_times(fd: u32, lookup: u32, path: u32, len: u32, atim: u64, mtim: u64, flags: u32)
        => dir::path_filestat_set_times;
    path_link(fd: u32, lookup: u32, path: u32, len: u32, new_fd: u32, new_path: u32, new_len: u32)
        => dir::path_link;
    path_open(
        fd: u32, lookup: u32, path: u32, len: u32, oflags: u32, base: u64, inheriting: u64, fdflags: u32, opened: u32
    ) => dir::path_open;
    path_readlink(fd: u32, path: u32, len: u32, buffer: u32, buffer_len: u32, used: u32) => dir::path_readlink;
    path_remove_directory(fd: u32, path: u32, len: u32) => dir::path_remove_directory;
    path_rename(fd: u32, path: u32, len: u32, new_fd: u32, new_path: u32, new_len: u32) => dir::path_rename;
    path_symlink(target: u32, target_len: u32, fd: u32, path: u32, len: u32) => dir::path_symlink;
    path_unlink_file(fd: u32, path: u32, len: u32) => dir::path_unlink_file;
    poll_oneoff(subscriptions: u32, events: u32, count: u32, happened: u32) => poll::poll_oneoff;
    proc_raise(signal: u32) => process::proc_raise;
    random_get(buffer: u32, len: u32) => process::random_get;
    sched_yield() => process::sched_yield;
    sock_accept(fd: u32, flags: u32, accepted: u32) => socket::sock_accept;
    sock_recv(fd: u32, iovecs: u32, count: u32, flags: u32, received: u32, out_flags: u32) => socket::sock_recv;
    sock_send(fd: u32, iovecs: u32, count: u32, flags: u32, sent: u32) => socket::sock_send;
    sock_shutdown(fd: u32, how: u32) => socket::sock_shutdown;
}

/// The module's process and memory, at once.
fn enter<'a>(caller: &'a mut Caller<'_, Process>) -> wasmtime::Result<(&'a mut Process, Memory<'a>)> {
    let memory = match caller.data().memory {
        Some(memory) => memory,
        None => {
            let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
                return Err(wasmtime::Error::msg("it calls its host but exports no memory named `memory`"));
            };
            caller.data_mut().memory = Some(memory);
            memory
        }
    };
    let (bytes, process) = memory.data_and_store_mut(caller);
    Ok((process, Memory(bytes)))
}

fn returned(outcome: Outcome) -> wasmtime::Result<u32> {
    match outcome {
        Ok(()) => Ok(SUCCESS),
        Err(Failure::Errno(errno)) => Ok(errno as u32),
        Err(Failure::End(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::super::dir::Directory;
    use super::super::file::File;
    use super::super::memory::BadPointer;
    use super::super::socket::Socket;
    use super::super::stdio::Standard;
    use super::super::table::Descriptor;
    use super::*;
    use crate::net::Stream;
    use api::launch;
    use std::os::unix::net::UnixStream;
    use wasmtime::{Engine, MemoryType, Store, Val, ValType};

    const ROUNDS: usize = 20_000;

    /// Numbers that look random and are the same in each run (Vigna's splitmix64).
    struct Numbers(u64);

    impl Numbers {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }

        /// Small numbers, such as descriptors and flags; addresses and lengths inside the memory and at its edges.
        fn argument(&mut self, kind: &ValType) -> Val {
            let number = self.next();
            let number = match self.next() % 8 {
                0..=2 => number % 8,
                3 => number % 32,
                4 | 5 => number % 65_536,
                6 => (65_536 - number % 16) + number % 24,
                _ => number,
            };
            match kind {
                ValType::I32 => Val::I32(number as u32 as i32),
                _ => Val::I64(number as i64),
            }
        }
    }

    /// A process whose calls have nothing to wait for: its socket's peer is gone.
    fn process(folder: &std::path::Path) -> Process {
        let (own, _) = UnixStream::pair().unwrap();
        own.set_nonblocking(true).unwrap();
        let open = std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(true).clone();
        let file = open.open(folder.join("file")).unwrap();
        let directory = |read_only| {
            let folder = std::fs::File::open(folder).unwrap();
            Descriptor::Directory(Directory::preopened(
                folder.into(),
                launch::Directory { guest: "/".to_owned(), read_only },
            ))
        };
        let descriptors = vec![
            Descriptor::Standard(Standard::null()),
            Descriptor::File(File::new(file.into(), false)),
            directory(false),
            directory(true),
            Descriptor::Socket(Socket::accepted(Stream::Tcp(own.into()), true)),
        ];
        Process::of(descriptors)
    }

    #[test]
    fn whatever_a_module_passes_a_call_answers_or_ends_it() {
        let folder = std::env::temp_dir().join(format!("enarx-calls-{}", std::process::id()));
        let engine = Engine::default();
        let mut linker = Linker::new(&engine);
        for name in NAMES {
            assert!(define(&mut linker, "", name));
        }
        let mut numbers = Numbers(1);
        let mut store = None;
        for round in 0..ROUNDS {
            if round % 500 == 0 {
                let _ = std::fs::remove_dir_all(&folder);
                std::fs::create_dir_all(&folder).unwrap();
                let mut fresh = Store::new(&engine, Process::of(Vec::new()));
                let memory = wasmtime::Memory::new(&mut fresh, MemoryType::new(1, Some(1))).unwrap();
                memory.data_mut(&mut fresh).fill_with(|| numbers.next() as u8);
                *fresh.data_mut() = process(&folder);
                fresh.data_mut().memory = Some(memory);
                store = Some(fresh);
            }
            let Some(store) = &mut store else { continue };
            let name = NAMES[numbers.next() as usize % NAMES.len()];
            if name == "poll_oneoff"
                && let Some(memory) = store.data().memory
            {
                // No byte is zero, so no subscription is to a clock.
                memory.data_mut(&mut *store).fill_with(|| numbers.next() as u8 | 1);
            }
            let Ok(Extern::Func(call)) = linker.get(&mut *store, "", name) else { panic!("{name}") };
            let arguments: Vec<Val> = call.ty(&*store).params().map(|kind| numbers.argument(&kind)).collect();
            let mut result = [Val::I32(-1)];
            match call.call(&mut *store, &arguments, &mut result) {
                Ok(()) => {
                    assert!((0..=76).contains(&result[0].unwrap_i32()), "{name}{arguments:?}: {result:?}")
                }
                Err(error) => assert!(error.is::<BadPointer>(), "{name}{arguments:?}: {error:?}"),
            }
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
