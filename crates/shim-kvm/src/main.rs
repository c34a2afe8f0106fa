//! Ring 0 of a keep in a virtual machine: between the program inside, which believes to be on Linux, and a host that is
//! not believed.
//!
//! One virtual processor is one thread, from its start to its end: there is no scheduler. What a thread asks for is
//! answered here as far as it can be – memory, threads, signals, time, randomness – and otherwise becomes one of the calls
//! of the `abi` crate. The shim never touches a user address: it reads and writes user memory through its own map of
//! physical memory, after looking the page up, so that no fault can come from there. It allocates nothing: all its own
//! memory is in its image, but for tables and frames. It uses neither vector registers nor more than base instructions.
//!
//! ```text
//! entry ─▶ trap ─▶ syscall ─▶ memory │ thread │ signal │ time │ forward ─▶ hostcall ─▶ platform ─▶ host
//!              └─▶ memory (a page that is not there yet), or a signal
//! ```

#![cfg_attr(target_os = "none", no_std, no_main)]
#![cfg_attr(all(test, not(target_os = "none")), allow(dead_code))]

#[cfg(target_os = "none")]
mod bare;
#[cfg(any(test, target_os = "none"))]
mod regions;

/// On other targets there is nothing to run: this is what lets the workspace be built and checked as a whole.
#[cfg(not(target_os = "none"))]
fn main() {}
