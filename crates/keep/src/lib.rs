//! The host's side of a keep: what this host offers, how a keep is confined and launched, what it is served.
//!
//! * [`probe`] – what this host offers, and how sure we are.
//! * [`launch`] – starts the runtime in a keep and serves it to its end.
//! * `measure` – digests of what a keep is made of.
//! * `vmm` – the process that is a keep in a virtual machine.
//! * [`cache`] – compiled workloads, kept on the host between runs.
//!
//! This crate is the wall around `unsafe`: it stands in `sys`, and nowhere above. What a keep says is hostile: frames
//! are bounded, names are checked, and nothing a keep does makes its host wait for more than the keep itself.

pub mod cache;
pub mod launch;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod measure;
pub mod probe;
mod sys;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod vmm;
