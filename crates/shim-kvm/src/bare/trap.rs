//! Every way from ring 3 into ring 0.

use super::cpu::fault_address;
use super::entry::{Frame, SYSCALL, syscall_entry};
use super::memory;
use super::signal::{self, Fault};
use super::stop::{Reason, stop};
use super::{syscall, thread};
use crate::regions::Access;

/// Exceptions (AMD APM volume 2, section 8.2).
const PAGE_FAULT: u64 = 14;
/// The entry behind those of exceptions: the interrupt by which threads make each other forget translations.
const FLUSH: u64 = 32;
/// Bits of a page fault's error code: a write; an instruction.
const ON_WRITE: u64 = 1 << 1;
const ON_FETCH: u64 = 1 << 4;

/// Called by the entries with the registers of ring 3, and leaves with what it has made of them.
pub extern "C" fn trap(frame: &mut Frame) {
    if frame.cs & 3 == 0 {
        // The shim makes no mistakes it could mend, and takes no interrupts.
        stop(Reason::Exception, frame.vector | fault_address() << 8);
    }
    thread::enter_shim();
    match frame.vector {
        SYSCALL => syscall::answer(frame),
        PAGE_FAULT => page_fault(frame, fault_address()),
        FLUSH => {}
        vector => match Fault::of(vector, frame) {
            Some(fault) => signal::raise(frame, fault),
            // NMI, double fault, machine check, and what a host makes up (Heckler, WeSee).
            None => stop(Reason::Exception, vector),
        },
    }
    thread::leave_shim();
}

fn page_fault(frame: &mut Frame, address: u64) {
    if address == frame.rip && address == syscall_entry as *const () as u64 {
        // One hypervisor runs ring 3 natively, and its SYSCALL goes where it should without leaving ring 3. No processor
        // does that; there, a jump to this address ends as a system call, which is what SYSCALL would have made of it.
        frame.rip = frame.rcx;
        frame.rflags = frame.r11;
        return syscall::answer(frame);
    }
    let wanted = match frame.error {
        error if error & ON_FETCH != 0 => Access::EXECUTE,
        error if error & ON_WRITE != 0 => Access::WRITE,
        _ => Access::READ,
    };
    match memory::with(|space| space.fault(address, wanted)) {
        Ok(()) => {}
        Err(abi::errno::Errno::NOMEM) => signal::raise(frame, Fault::no_memory(address)),
        Err(_) => signal::raise(frame, Fault::memory(address)),
    }
}
