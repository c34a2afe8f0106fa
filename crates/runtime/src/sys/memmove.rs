//! `memmove` for the static program: musl's goes byte by byte where the target overlaps the end of the source, and
//! WebAssembly's `memory.copy` lands here.

#![expect(unsafe_code, reason = "a function of the C library, over raw memory")]

use std::arch::asm;
use std::ffi::c_void;

unsafe extern "C" {
    fn memcpy(to: *mut c_void, from: *const c_void, length: usize) -> *mut c_void;
}

/// Bytes moved at a time.
const BLOCK: usize = 64;

/// C's `memmove` (ISO C 7.26.2.3).
///
/// # Safety
///
/// `length` bytes must be readable at `from`, and writable at `to`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memmove(to: *mut c_void, from: *const c_void, mut length: usize) -> *mut c_void {
    if to.addr().wrapping_sub(from.addr()) >= length {
        // SAFETY: the caller's promise. The target starts before the source or after its end, and musl's `memcpy` goes
        // upwards, each load before the stores that follow.
        return unsafe { memcpy(to, from, length) };
    }
    let (target, source) = (to.cast::<u8>(), from.cast::<u8>());
    // Assembler, because a compiler may turn such a loop into a call of `memmove`.
    while length >= BLOCK {
        length -= BLOCK;
        // SAFETY: both blocks lie within the ranges of the caller's promise; all of a block is loaded before any is
        // stored, and what is above it has been moved already.
        unsafe {
            asm!(
                "movups {a}, [{from}]", "movups {b}, [{from} + 16]",
                "movups {c}, [{from} + 32]", "movups {d}, [{from} + 48]",
                "movups [{to}], {a}", "movups [{to} + 16], {b}",
                "movups [{to} + 32], {c}", "movups [{to} + 48], {d}",
                from = in(reg) source.add(length), to = in(reg) target.add(length),
                a = out(xmm_reg) _, b = out(xmm_reg) _, c = out(xmm_reg) _, d = out(xmm_reg) _,
                options(nostack, preserves_flags),
            );
        }
    }
    while length > 0 {
        length -= 1;
        // SAFETY: as above, of one byte; volatile, for the same reason as the assembler.
        unsafe { target.add(length).write_volatile(source.add(length).read_volatile()) };
    }
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_as_the_standard_library_does() {
        for length in [0, 1, 2, 63, 64, 65, 127, 128, 200, 1000] {
            for (from, to) in [(0, 1), (0, 7), (0, 64), (3, 100), (0, 1000), (500, 0), (10, 10)] {
                let before: Vec<u8> = (0..2100_u32).map(|at| (at * 7 % 251) as u8).collect();
                let (mut moved, mut expected) = (before.clone(), before);
                let start = moved.as_mut_ptr();
                // SAFETY: both ranges lie within the 2100 bytes.
                unsafe { memmove(start.add(to).cast(), start.add(from).cast(), length) };
                expected.copy_within(from..from + length, to);
                assert!(moved == expected, "{length} bytes from {from} to {to}");
            }
        }
    }
}
