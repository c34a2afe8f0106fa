//! The process that is a KVM keep: it makes a virtual machine of two images, confines itself, runs the machine's
//! processors, and makes the calls that the keep asks for.
//!
//! It is this program executed again, with the keep's descriptors at the numbers at which a process keep's runtime has
//! them, and three more: the runtime image, `/dev/kvm`, and a way to say why it failed. Before the guest's first
//! instruction it enters the same confinement as a process keep's runtime, so a call reaches what the manifest declares
//! and nothing else, whoever asks.

mod descriptors;
pub(crate) mod elf;
mod pages;
pub(crate) mod plan;
mod serve;
mod thread;

use crate::launch::Confinement;
use crate::launch::confine::Confine;
use crate::launch::needs::Needs;
use crate::sys::machine::{Machine, prepare_kicks};
use crate::sys::memory::GuestMemory;
use crate::sys::spawn::confine_self;
use abi::boot::Given;
use abi::layout::{MEMORY, PAGE};
use api::launch::frame;
use plan::{Plan, Size};
use rustix::fd::OwnedFd;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

pub use plan::PlanError;

/// What this program is called when it is to be a keep.
pub const NAME: &std::ffi::CStr = c"enarx-vmm";
/// Most bytes of what is said over the control channel.
pub(crate) const CONTROL_LIMIT: usize = 64 << 10;
/// The first bytes of the runtime image, in which its headers are.
const HEADERS: usize = 4096;

/// What the launcher tells.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// What the confinement lets through.
    pub needs: Needs,
    /// How big it is.
    pub size: Size,
    /// Processors its program is told of.
    pub processors: u64,
}

/// What is said once, before the first instruction.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Launched {
    /// The keep runs, held back by this.
    Yes(Confinement),
    /// It does not, for this reason.
    No(String),
}

/// Is a keep until it ends. The argument is the number of the first descriptor after the keep's own.
pub fn run(argument: &str) -> u8 {
    let Ok(first) = argument.parse() else { return 2 };
    let [image, device, control] = crate::sys::own::inherit(first);
    let mut control = UnixStream::from(control);
    let machine = frame::read(&mut control, CONTROL_LIMIT).map_err(io::Error::other);
    let machine = machine.and_then(|settings: Option<Settings>| {
        let settings = settings.ok_or(io::ErrorKind::UnexpectedEof)?;
        prepare(&settings, File::from(image), device, first)
    });
    match machine {
        Ok((keep, confinement)) => {
            let _ = frame::write(&mut control, &Launched::Yes(confinement), CONTROL_LIMIT);
            thread::run(&Arc::new(keep), control)
        }
        Err(error) => {
            let _ = frame::write(&mut control, &Launched::No(error.to_string()), CONTROL_LIMIT);
            2
        }
    }
}

/// Makes the machine, and enters the confinement.
fn prepare(
    settings: &Settings,
    image: File,
    device: OwnedFd,
    first: i32,
) -> io::Result<(thread::Keep, Confinement)> {
    check_counter()?;
    let plan = plan(&image, settings.size)?;
    let memory = load(&plan, &image)?;
    let blocks = GuestMemory::new(MEMORY)?;
    let machine = Machine::new(device)?;
    machine.add_memory(0, 0, &blocks)?;
    machine.add_memory(1, MEMORY, &memory)?;
    let keep = thread::Keep::new(machine, blocks, &plan, first)?;
    let (realtime, monotonic) = (now(ClockId::Realtime), now(ClockId::Monotonic));
    let descriptors = first.unsigned_abs().into();
    let given = Given {
        realtime,
        monotonic,
        tsc_khz: keep.counter_khz(),
        descriptors,
        processors: settings.processors,
    };
    blocks.write(abi::block::HEADER as u64, &given.encode())?;
    prepare_kicks()?;
    let dirs = crate::sys::own::copies(api::launch::FIRST_DIRECTORY..first)?;
    let confine = Confine::of_machine(&settings.needs, &dirs).map_err(io::Error::other)?;
    drop((image, dirs));
    confine_self(confine.landlock(), confine.filter())?;
    Ok((keep, confine.report))
}

/// A keep's clock is the time stamp counter. Where processors disagree on it, Linux stops offering it as a clock, and so
/// do we: a clock that never goes backwards would stand still.
fn check_counter() -> io::Result<()> {
    const OFFERED: &str = "/sys/devices/system/clocksource/clocksource0/available_clocksource";
    match std::fs::read_to_string(OFFERED) {
        Ok(offered) if !offered.split_whitespace().any(|clock| clock == "tsc") => {
            Err(io::Error::other("the time stamp counters of this host's processors do not agree"))
        }
        _ => Ok(()),
    }
}

/// What the memory of a keep with this runtime begins with.
pub(crate) fn plan(image: &File, size: Size) -> io::Result<Plan> {
    let mut start = [0; HEADERS];
    let read = image.read_at(&mut start, 0)?;
    Plan::new(&start[..read], image.metadata()?.len(), size).map_err(|error| {
        let source =
            std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        io::Error::other(format!("{error}{source}"))
    })
}

/// Puts the plan's pages into memory; those of the program stay the file's until they are written.
fn load(plan: &Plan, image: &File) -> io::Result<GuestMemory> {
    let memory = GuestMemory::new(plan.end - MEMORY)?;
    for (address, page) in plan.pages.all() {
        // What is zero is so already.
        if page.iter().any(|byte| *byte != 0) {
            memory.write(address - MEMORY, page)?;
        }
    }
    for part in &plan.program {
        let at = part.physical - MEMORY;
        memory.map_file(at, image, part.offset, part.len.next_multiple_of(PAGE))?;
        let rest = part.len.next_multiple_of(PAGE) - part.len;
        if part.ends_in_zeros && rest > 0 {
            memory.write(at + part.len, &vec![0; rest as usize])?;
        }
    }
    Ok(memory)
}

fn now(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    now.tv_sec.unsigned_abs().saturating_mul(1_000_000_000).saturating_add(now.tv_nsec.unsigned_abs())
}

#[cfg(test)]
mod tests;
