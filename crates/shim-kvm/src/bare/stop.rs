//! The end of a keep that cannot go on: a fixed code and one number, and nothing of what the keep knows.

use super::hostcall;
use super::platform;
use abi::call::Call;

/// Why.
#[derive(Clone, Copy)]
#[repr(u64)]
pub enum Reason {
    /// The shim itself is at fault.
    Panic = 1,
    /// An exception in ring 0, or one that nobody expects; its number.
    Exception = 2,
    /// The host gave an answer that no honest host gives; the number of the call.
    Lie = 3,
    /// The processor's random numbers fail.
    Entropy = 4,
    /// What the launcher told makes no sense.
    Boot = 5,
    /// No memory is left for tables.
    Memory = 6,
}

/// Ends the keep.
pub fn stop(reason: Reason, number: u64) -> ! {
    loop {
        hostcall::last(Call::Fault, [reason as u64, number, 0, 0, 0, 0]);
        platform::exit();
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    stop(Reason::Panic, info.location().map_or(0, |place| place.line().into()))
}
