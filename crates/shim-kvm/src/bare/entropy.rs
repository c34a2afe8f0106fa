//! Randomness from the processor, never from the host.

use super::stop::{Reason, stop};
use core::arch::asm;

/// Tries before the generator counts as broken: Intel promises success within ten (SDM volume 1, section 7.3.17.1).
const TRIES: usize = 64;

/// Eight random bytes. A generator that fails ends the keep.
pub fn word() -> u64 {
    for _ in 0..TRIES {
        let (value, ok): (u64, u8);
        // SAFETY: reads a generator; a processor that lacks it raises an exception, which ends the keep.
        unsafe { asm!("rdrand {}", "setc {}", out(reg) value, out(reg_byte) ok, options(nomem, nostack)) };
        // A known fault of some processors is to succeed with all ones (Linux arch/x86/kernel/cpu/rdrand.c).
        if ok == 1 && value != u64::MAX {
            return value;
        }
    }
    stop(Reason::Entropy, 0)
}

/// Fills with random bytes.
pub fn fill(bytes: &mut [u8]) {
    for piece in bytes.chunks_mut(8) {
        piece.copy_from_slice(&word().to_le_bytes()[..piece.len()]);
    }
}
