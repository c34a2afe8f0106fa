//! The level of Landlock this kernel has.
#![expect(unsafe_code, reason = "landlock_create_ruleset(2) has no safe wrapper that tells the version")]

use std::io;

/// `LANDLOCK_CREATE_RULESET_VERSION` of `linux/landlock.h`.
const CREATE_RULESET_VERSION: libc::c_uint = 1;

/// The highest Landlock ABI of the running kernel.
pub(crate) fn level() -> io::Result<u32> {
    let none = std::ptr::null::<libc::c_void>();
    // SAFETY: with this flag the call reads no memory: attribute pointer and size must be null and zero.
    let level =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0_usize, CREATE_RULESET_VERSION) };
    u32::try_from(level).map_err(|_| io::Error::last_os_error())
}
