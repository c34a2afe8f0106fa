//! The one place where the runtime leaves the rules of safe Rust: descriptors it was started with, memory mapped
//! from files, and machine code taken from the compile cache.

#![expect(unsafe_code, reason = "this module is the veneer; each block says what must hold and why it does")]

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap, mprotect, munmap};
use std::fs::File;
use std::io;
use std::ops::Deref;
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

/// A file's content, mapped read-only.
pub struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping is read-only and belongs to this value alone.
unsafe impl Send for Mapping {}
// SAFETY: as above; shared references only read.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `len` bytes of `file`.
    pub fn new(file: &File, len: usize) -> io::Result<Self> {
        if len == 0 {
            return Ok(Self { start: NonNull::dangling(), len });
        }
        // SAFETY: the address is the kernel's choice, so no existing memory is touched. The file is not shortened
        // while mapped: the host's side of the contract in a process keep, where it could as well trace this process.
        let start = unsafe {
            mmap(ptr::null_mut(), len, ProtFlags::READ, MapFlags::PRIVATE | MapFlags::POPULATE, file, 0)?
        };
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, len })
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `start` is the start of `len` mapped, readable bytes until drop, or dangling with `len` zero.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: the range was mapped in `new` and nothing borrows it any more.
            let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
        }
    }
}

/// Machine code that Wasmtime made and nobody changed since. Mapped for the rest of the process's life.
pub struct Authentic(NonNull<[u8]>);

/// Maps the machine code of a cache entry, if `authenticate` vouches for it and says how long it is.
pub fn map_authentic<T>(
    entry: &File,
    authenticate: impl FnOnce(&[u8]) -> Option<(T, usize)>,
) -> Option<(T, Authentic)> {
    let len = usize::try_from(entry.metadata().ok()?.len()).ok()?;
    let mapping = Mapping::new(entry, len).ok()?;
    let (tier, len) = authenticate(&mapping)?;
    let code = mapping.start;
    std::mem::forget(mapping);
    Some((tier, Authentic(NonNull::slice_from_raw_parts(code, len))))
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
