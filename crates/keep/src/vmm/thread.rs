//! The threads of a keep: each runs one virtual processor, and makes its calls.

use super::CONTROL_LIMIT;
use super::descriptors::Descriptors;
use super::plan::Plan;
use super::serve::{Asked, Desk};
use crate::launch::signal_name;
use crate::sys::machine::{Exit, Machine, Processor, Start, kick_signal};
use crate::sys::memory::GuestMemory;
use abi::call::Call;
use abi::layout::selector::TABLE;
use abi::layout::{BOOT, DESCRIPTOR_TABLE, FLUSH_VECTOR, PORT, THREADS, per_cpu};
use api::launch::frame;
use rustix::io::Errno;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use vmm_sys_util::signal::Killable;

/// The last byte of a task state segment.
const TASK_LIMIT: u16 = 103;

/// A keep that is ready to run.
pub(super) struct Keep {
    machine: Machine,
    blocks: GuestMemory,
    descriptors: Descriptors,
    entry: u64,
    root: u64,
    first: Mutex<Option<Processor>>,
    counter_khz: u64,
    threads: Mutex<[Option<JoinHandle<()>>; THREADS]>,
}

/// How it ended.
enum End {
    Exit(u8),
    Fault(String),
}

impl Keep {
    /// A keep with its first processor; its own descriptors are those below `first`.
    pub(super) fn new(machine: Machine, blocks: GuestMemory, plan: &Plan, first: i32) -> io::Result<Self> {
        let mut keep = Self {
            machine,
            blocks,
            descriptors: Descriptors::new(0..first.unsigned_abs().into()),
            entry: plan.entry,
            root: plan.pages.root(),
            first: Mutex::new(None),
            counter_khz: 0,
            threads: Mutex::new([const { None }; THREADS]),
        };
        let processor = keep.processor(0)?;
        keep.counter_khz = processor.counter_khz()?;
        keep.first = Mutex::new(Some(processor));
        Ok(keep)
    }

    /// How fast the time stamp counter counts.
    pub(super) const fn counter_khz(&self) -> u64 {
        self.counter_khz
    }

    fn processor(&self, number: usize) -> io::Result<Processor> {
        self.machine.processor(&Start {
            number: number as u64,
            entry: self.entry,
            stack: Plan::stack(number),
            root: self.root,
            descriptors: (BOOT + DESCRIPTOR_TABLE, (size_of_val(&TABLE) - 1) as u16),
            task: (per_cpu(number), TASK_LIMIT),
        })
    }

    fn threads(&self) -> MutexGuard<'_, [Option<JoinHandle<()>>; THREADS]> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs the keep to its end, and says how this process is to end.
pub(super) fn run(keep: &Arc<Keep>, mut control: UnixStream) -> u8 {
    let (ended, ending) = mpsc::channel();
    let first = keep.first.lock().unwrap_or_else(PoisonError::into_inner).take();
    let started = first.map(|first| start(keep, 0, first, ended));
    let end = match started {
        Some(Ok(())) => ending.recv().unwrap_or_else(|_| End::Fault("all its threads are gone".to_owned())),
        _ => End::Fault("its first thread does not start".to_owned()),
    };
    match end {
        End::Exit(code) => code,
        End::Fault(why) => {
            let _ = frame::write(&mut control, &why, CONTROL_LIMIT);
            2
        }
    }
}

fn start(keep: &Arc<Keep>, number: usize, processor: Processor, ended: Sender<End>) -> io::Result<()> {
    let mut runner = Runner { keep: keep.clone(), number, processor, ended };
    // The lock is held until the handle is in its place: the new thread may be woken at once.
    let mut threads = keep.threads();
    let handle = thread::Builder::new().name(format!("processor {number}")).spawn(move || {
        let end = runner.run();
        // If nobody listens any more, the keep has ended already.
        let _ = runner.ended.send(end);
    })?;
    threads[number] = Some(handle);
    Ok(())
}

/// One thread.
struct Runner {
    keep: Arc<Keep>,
    number: usize,
    processor: Processor,
    ended: Sender<End>,
}

impl Runner {
    fn run(&mut self) -> End {
        let mut desk = Desk::new(self.keep.blocks, self.number);
        loop {
            let served = match self.processor.run() {
                Exit::Port(PORT) => self.serve(&mut desk),
                // Only to make it forget translations.
                Exit::Interrupted => self.processor.interrupt(FLUSH_VECTOR).map(|()| None),
                Exit::Port(port) => {
                    Ok(Some(End::Fault(format!("its virtual machine wrote to port {port:#x}"))))
                }
                Exit::Broken(why) => {
                    let place = self.processor.place();
                    Ok(Some(End::Fault(format!("its virtual machine failed: {why} ({place})"))))
                }
            };
            match served {
                Ok(None) => {}
                Ok(Some(end)) => return end,
                Err(error) => return End::Fault(format!("its virtual machine cannot be served: {error}")),
            }
        }
    }

    fn serve(&mut self, desk: &mut Desk) -> io::Result<Option<End>> {
        match desk.take()? {
            Asked::Call(request) => desk.answer(&request, &self.keep.descriptors)?,
            Asked::Nonsense(what) => {
                return Ok(Some(End::Fault(format!("its shim broke the protocol: {what}"))));
            }
            Asked::Own(call, args) => match self.own(call, args) {
                Ok(result) => desk.reply(call, args, result.map(|()| 0))?,
                Err(end) => return Ok(Some(end)),
            },
        }
        Ok(None)
    }

    /// Calls about the machine itself.
    fn own(&self, call: Call, args: [u64; 6]) -> Result<Result<(), Errno>, End> {
        match call {
            Call::Exit => return Err(End::Exit(args[0].to_le_bytes()[0])),
            Call::Die => {
                let signal = signal_name(i32::try_from(args[0]).unwrap_or(0));
                return Err(End::Fault(format!("the runtime died of {signal}")));
            }
            Call::Fault => return Err(End::Fault(fault(args[0], args[1]))),
            Call::Park if args[0] == u64::MAX => thread::park(),
            Call::Park => thread::park_timeout(Duration::from_nanos(args[0])),
            Call::Unpark => {
                let number = usize::try_from(args[0]).unwrap_or(THREADS);
                match self.keep.threads().get(number) {
                    Some(Some(handle)) => handle.thread().unpark(),
                    _ => return Ok(Err(Errno::SRCH)),
                }
            }
            Call::Start => return Ok(self.start_another(args[0])),
            Call::Kick => {
                let threads = self.keep.threads();
                let named = threads.iter().enumerate().filter(|(number, _)| args[0] & 1 << number != 0);
                for handle in named.filter_map(|(_, handle)| handle.as_ref()) {
                    // A thread that is gone needs no reminder.
                    let _ = handle.kill(kick_signal());
                }
            }
            _ => return Ok(Err(Errno::NOSYS)),
        }
        Ok(Ok(()))
    }

    fn start_another(&self, number: u64) -> Result<(), Errno> {
        let number = usize::try_from(number).ok().filter(|number| *number < THREADS).ok_or(Errno::INVAL)?;
        if self.keep.threads()[number].is_some() {
            return Err(Errno::EXIST);
        }
        let processor = self.keep.processor(number).map_err(|_| Errno::AGAIN)?;
        start(&self.keep, number, processor, self.ended.clone()).map_err(|_| Errno::AGAIN)
    }
}

/// What the shim's fixed codes mean: it says nothing else.
fn fault(code: u64, number: u64) -> String {
    let what = match code {
        1 => "found itself at fault",
        2 => "met an exception it does not survive",
        3 => "got an answer that no honest host gives",
        4 => "got no randomness from the processor",
        5 => "cannot make sense of how it was started",
        6 => "has no memory left for its tables",
        _ => "stopped",
    };
    format!("its shim {what} (code {code}, {number:#x})")
}
