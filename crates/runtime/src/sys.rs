//! The one place where the runtime leaves the rules of safe Rust: descriptors it was started with, memory mapped
//! from files, and machine code taken from the compile cache.

#![expect(unsafe_code, reason = "this module is the veneer; each block says what must hold and why it does")]

#[cfg(all(target_env = "musl", target_arch = "x86_64"))]
mod memmove;
pub mod memory;

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap, mprotect};
use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::slice;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use wasmtime::component::Component;
use wasmtime::{Config, CustomCodeMemory, Engine, Module};

/// Takes over a descriptor this process was started with.
pub fn inherit(descriptor: i32) -> OwnedFd {
    // SAFETY: each number of `api::launch` is taken once, in `Host::inherit` and `Workload::receive`, before any
    // descriptor is opened; if the host did not pass it, operations on it answer EBADF.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}

/// Ends the process at once: memory, threads and sockets go with it.
pub fn exit(code: u8) -> ! {
    // SAFETY: `_exit` takes any code and does not return. What `exit` would do besides is to flush C's streams, which
    // nobody uses, and to run the allocator's farewell, page by page.
    unsafe { libc::_exit(code.into()) }
}

/// Watches the standard input for bytes to read; an error if it is a file, which always has some.
pub fn watch_stdin() -> io::Result<AsyncFd<io::Stdin>> {
    // SAFETY: descriptor 0 is open when the program starts, and no code here closes or replaces it.
    let watched = unsafe { AsyncFd::register_with_interest(io::stdin(), Interest::READABLE) };
    Ok(watched?)
}

/// Machine code that Wasmtime made and nobody changed since. Mapped for the rest of the process's life.
pub struct Authentic(NonNull<[u8]>);

/// Maps the machine code of a cache entry, if `authenticate` vouches for it and says how long it is.
///
/// The file is read for that before it is mapped: the entries are the user's alone, as the user's memory is, and
/// reading piece by piece stays in the processor's cache.
pub fn map_authentic<T>(
    entry: &File,
    authenticate: impl FnOnce(&File) -> Option<(T, usize)>,
) -> Option<(T, Authentic)> {
    let (tier, len) = authenticate(entry).filter(|(_, len)| *len > 0)?;
    // SAFETY: the address is the kernel's choice, so no existing memory is touched.
    let code = unsafe { mmap(ptr::null_mut(), len, ProtFlags::READ, MapFlags::PRIVATE, entry, 0).ok()? };
    Some((tier, Authentic(NonNull::slice_from_raw_parts(NonNull::new(code.cast())?, len))))
}

/// Loads machine code of a core module.
pub fn load_module(engine: &Engine, code: Authentic) -> wasmtime::Result<Module> {
    // SAFETY: `map_authentic` is the only source of `code`: what Wasmtime itself serialized, by the key only this user
    // has; page-aligned, since it is mapped, and never unmapped or written. Wasmtime checks version and configuration.
    unsafe { Module::deserialize_raw(engine, code.0) }
}

/// Loads machine code of a component.
pub fn load_component(engine: &Engine, code: Authentic) -> wasmtime::Result<Component> {
    // SAFETY: as for `load_module`.
    unsafe { Component::deserialize_raw(engine, code.0) }
}

/// The machine code of a core module as the cache stores it: what `Module::serialize` would copy.
pub fn module_image(module: &Module) -> &[u8] {
    let image = module.image_range();
    // SAFETY: Wasmtime's own mapping of this module's code, readable and never written again while `module` lives.
    unsafe { slice::from_raw_parts(image.start, image.end.offset_from_unsigned(image.start)) }
}

/// The machine code of a component as the cache stores it.
pub fn component_image(component: &Component) -> &[u8] {
    let image = component.image_range();
    // SAFETY: as for `module_image`.
    unsafe { slice::from_raw_parts(image.start, image.end.offset_from_unsigned(image.start)) }
}

/// Makes machine code executable, wherever it lies: Wasmtime itself does so only in memory it has mapped.
pub struct CodePages;

impl CustomCodeMemory for CodePages {
    fn required_alignment(&self) -> usize {
        rustix::param::page_size()
    }

    fn publish_executable(&self, code: *const u8, len: usize) -> wasmtime::Result<()> {
        Ok(protect(code, len, MprotectFlags::READ | MprotectFlags::EXEC)?)
    }

    fn unpublish_executable(&self, code: *const u8, len: usize) -> wasmtime::Result<()> {
        Ok(protect(code, len, MprotectFlags::READ)?)
    }
}

/// Never both writable and executable: no caller asks for that.
fn protect(code: *const u8, len: usize, access: MprotectFlags) -> io::Result<()> {
    // SAFETY: Wasmtime calls with the bounds of a code section it owns or was given for good, page-aligned as asked for
    // by `required_alignment`, which nothing writes from publication on.
    unsafe { mprotect(code.cast_mut().cast(), len, access)? };
    Ok(())
}

/// Switches on a feature of the instruction set the code generator may rely on.
pub fn enable_instruction_set(config: &mut Config, feature: &str) {
    // SAFETY: only features that `engine` found on this processor are passed; Wasmtime checks them again when code is
    // loaded.
    unsafe { config.cranelift_flag_enable(feature) };
}
