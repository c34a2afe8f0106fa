//! The only unsafe code of this crate: system calls that no safe wrapper offers.

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) mod kvm;
#[cfg(target_os = "linux")]
pub(crate) mod landlock;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) mod linux;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) mod machine;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) mod memory;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) mod own;
#[cfg_attr(target_os = "linux", path = "sys/spawn.rs")]
#[cfg_attr(not(target_os = "linux"), path = "sys/spawn_plain.rs")]
pub(crate) mod spawn;
