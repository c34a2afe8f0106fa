//! What differs between plain KVM and machines with encrypted memory: how ring 0 reaches the host, and how memory becomes
//! the keep's own. This is plain KVM.

use super::cpu::Cpu;
use abi::layout::PORT;
use core::arch::asm;

/// Hands the thread's block to the host and waits for it to come back.
pub fn exit() {
    let thread = Cpu::current().thread as u32;
    // SAFETY: the port is the host's signal to look at the block, which Rust has no references into.
    unsafe { asm!("out dx, eax", in("dx") PORT, in("eax") thread, options(nostack, preserves_flags)) };
}
