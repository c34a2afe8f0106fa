//! A module's process: what it was started with, and what it holds.

use super::errno::{Errno, Outcome};
use super::memory::Memory;
use super::table::Table;
use crate::limits::{Limiter, Output};
use crate::workload::Workload;
use api::launch::Ending;
use aws_lc_rs::rand;

/// The state behind a module's calls.
pub struct Process {
    /// What it may use.
    pub limiter: Limiter,
    /// What it may still write to its standard streams.
    pub output: Output,
    /// Its descriptors.
    pub table: Table,
    /// Its memory, from the first call on.
    pub memory: Option<wasmtime::Memory>,
    args: Strings,
    environment: Strings,
}

impl Process {
    /// A process with what its manifest declares: listeners are bound and connections made.
    pub fn new(workload: Workload) -> Result<Self, Ending> {
        let limits = &workload.manifest.limits;
        let environment = workload.manifest.environment();
        Ok(Self {
            limiter: Limiter::new(limits),
            output: Output::new(limits),
            args: Strings::new(workload.args.iter().cloned()),
            environment: Strings::new(environment.iter().map(|(name, value)| format!("{name}={value}"))),
            table: Table::new(workload)?,
            memory: None,
        })
    }
}

#[cfg(test)]
impl Process {
    /// A process with these descriptors.
    pub fn of(descriptors: Vec<super::table::Descriptor>) -> Self {
        let limits = api::manifest::Limits::default();
        let strings = || Strings::new(["a".to_owned(), "b=c".to_owned()].into_iter());
        Self {
            limiter: Limiter::new(&limits),
            output: Output::new(&limits),
            args: strings(),
            environment: strings(),
            table: Table::of(descriptors),
            memory: None,
        }
    }
}

/// Strings, each ended by a zero byte, in the form they are handed out in.
struct Strings {
    bytes: Vec<u8>,
    starts: Vec<u32>,
}

impl Strings {
    fn new(strings: impl Iterator<Item = String>) -> Self {
        let (mut bytes, mut starts) = (Vec::new(), Vec::new());
        for string in strings {
            starts.push(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
            bytes.extend_from_slice(string.as_bytes());
            bytes.push(0);
        }
        Self { bytes, starts }
    }

    fn put(&self, memory: &mut Memory<'_>, pointers: u32, buffer: u32) -> Outcome {
        memory.put(buffer, &self.bytes)?;
        for (pointer, start) in (pointers..).step_by(4).zip(&self.starts) {
            memory.put_u32(pointer, buffer.wrapping_add(*start))?;
        }
        Ok(())
    }

    fn put_sizes(&self, memory: &mut Memory<'_>, count: u32, size: u32) -> Outcome {
        memory.put_len(count, self.starts.len())?;
        memory.put_len(size, self.bytes.len())
    }
}

pub fn args_get(process: &mut Process, memory: &mut Memory<'_>, argv: u32, buffer: u32) -> Outcome {
    process.args.put(memory, argv, buffer)
}

pub fn args_sizes_get(process: &mut Process, memory: &mut Memory<'_>, count: u32, size: u32) -> Outcome {
    process.args.put_sizes(memory, count, size)
}

pub fn environ_get(process: &mut Process, memory: &mut Memory<'_>, environ: u32, buffer: u32) -> Outcome {
    process.environment.put(memory, environ, buffer)
}

pub fn environ_sizes_get(process: &mut Process, memory: &mut Memory<'_>, count: u32, size: u32) -> Outcome {
    process.environment.put_sizes(memory, count, size)
}

pub fn proc_raise(_: &mut Process, _: &mut Memory<'_>, _: u32) -> Outcome {
    Err(Errno::Notsup.into())
}

pub fn random_get(_: &mut Process, memory: &mut Memory<'_>, buffer: u32, len: u32) -> Outcome {
    let bytes = memory.bytes_mut(buffer, len)?;
    Ok(rand::fill(bytes).map_err(|_| Errno::Io)?)
}

pub fn sched_yield(_: &mut Process, _: &mut Memory<'_>) -> Outcome {
    rustix::thread::sched_yield();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_handed_out_with_pointers_to_them() {
        let strings = Strings::new(["a", "", "bc"].into_iter().map(str::to_owned));
        let mut bytes = [0xff; 32];
        let mut memory = Memory(&mut bytes);
        strings.put(&mut memory, 0, 16).unwrap();
        strings.put_sizes(&mut memory, 24, 28).unwrap();
        assert_eq!(bytes[..12], [16, 0, 0, 0, 18, 0, 0, 0, 19, 0, 0, 0]);
        assert_eq!(bytes[16..22], *b"a\0\0bc\0");
        assert_eq!(bytes[24..], [3, 0, 0, 0, 6, 0, 0, 0]);
    }
}
