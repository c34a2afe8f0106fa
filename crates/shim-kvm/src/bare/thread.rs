//! Threads: each a virtual processor of its own, waiting in the host when it has nothing to do.

use super::cpu::{Cpu, Floats, flush_all, set_fs};
use super::entry::Frame;
use super::hostcall;
use super::lock::Lock;
use super::memory;
use super::time;
use abi::call::Call;
use abi::errno::Errno;
use abi::layout::{PAGE, STACK, THREADS, per_cpu, stack_top};
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Looks at the others before the host is asked once more to interrupt them.
const LOOKS: u32 = 2000;

/// What others know of a thread.
pub struct Thread {
    state: AtomicU32,
    /// It is in ring 3, where it may use translations it remembers.
    outside: AtomicBool,
    /// The generation of tables it has last seen.
    seen: AtomicU64,
    /// The base of FS it starts with.
    tls: AtomicU64,
    /// Where a zero is written when it ends.
    clear_at_end: AtomicU64,
    /// Where its signal handlers run, how long that is, and which signals wait.
    pub alternate: AtomicU64,
    pub alternate_len: AtomicU64,
    pub blocked: AtomicU64,
}

/// States of a thread: never started; ended, its processor waiting; running, or about to.
const NEW: u32 = 0;
const ENDED: u32 = 1;
const RUNNING: u32 = 2;

static ALL: [Thread; THREADS] = [const { Thread::new() }; THREADS];
/// Counts how often translations became outdated.
static GENERATION: AtomicU64 = AtomicU64::new(0);
/// One thread is started at a time.
static STARTING: Lock<()> = Lock::new(());
/// For each thread, what it waits for: an address, and a set of bits.
static WAITING: Lock<[Option<(u64, u32)>; THREADS]> = Lock::new([None; THREADS]);

impl Thread {
    const fn new() -> Self {
        Self {
            state: AtomicU32::new(NEW),
            outside: AtomicBool::new(false),
            seen: AtomicU64::new(0),
            tls: AtomicU64::new(0),
            clear_at_end: AtomicU64::new(0),
            alternate: AtomicU64::new(0),
            alternate_len: AtomicU64::new(0),
            blocked: AtomicU64::new(0),
        }
    }

    /// The thread that asks.
    pub fn current() -> &'static Self {
        &ALL[number()]
    }
}

/// The number of the thread that asks.
pub fn number() -> usize {
    Cpu::current().thread % THREADS
}

/// A thread's number as its program knows it; the first one's is also that of the process.
pub fn id() -> u64 {
    number() as u64 + 1
}

/// Where a thread's registers wait until it starts: at the upper end of its stack.
fn start_frame(thread: usize) -> *mut Frame {
    ptr::with_exposed_provenance_mut::<Frame>(stack_top(thread) as usize - size_of::<Frame>())
}

/// Gives a thread that does not run the registers to start with.
///
/// # Safety
/// The thread's stack must be mapped; the thread must not run, or be waiting in [`end`].
pub unsafe fn set_start(thread: usize, frame: Frame) {
    // SAFETY: the caller's; the place is aligned, since the stack's end is and the frame's size is a multiple of 16.
    unsafe { start_frame(thread).write(frame) };
}

/// What a processor does when its thread begins.
pub fn begin() {
    let thread = Thread::current();
    thread.state.store(RUNNING, Ordering::SeqCst);
    set_fs(thread.tls.load(Ordering::SeqCst));
    Floats::load_fresh();
}

/// Starts a thread that differs from this one in stack pointer, result and base of FS; tells its number before it runs.
pub fn start(
    frame: &Frame,
    stack: u64,
    tls: u64,
    clear_at_end: u64,
    tell: impl FnOnce(u64) -> Result<(), Errno>,
) -> Result<u64, Errno> {
    let _one = STARTING.take();
    let of_state = |wanted| ALL.iter().position(|thread| thread.state.load(Ordering::SeqCst) == wanted);
    let (number, call) = match of_state(ENDED) {
        Some(number) => (number, Call::Unpark),
        None => (of_state(NEW).ok_or(Errno::AGAIN)?, Call::Start),
    };
    if call == Call::Start {
        for page in (per_cpu(number)..per_cpu(number) + STACK).step_by(PAGE as usize) {
            memory::with(|space| space.map_own(page))?;
        }
        // SAFETY: the stack was just mapped, and nobody else starts a thread.
        unsafe { Cpu::prepare(number) };
    }
    tell(number as u64 + 1)?;
    let thread = &ALL[number];
    thread.tls.store(tls, Ordering::SeqCst);
    thread.clear_at_end.store(clear_at_end, Ordering::SeqCst);
    thread.blocked.store(Thread::current().blocked.load(Ordering::SeqCst), Ordering::SeqCst);
    thread.alternate_len.store(0, Ordering::SeqCst);
    // SAFETY: it is new, or waits in `end`.
    unsafe { set_start(number, Frame { rsp: stack, rax: 0, ..*frame }) };
    thread.state.store(RUNNING, Ordering::SeqCst);
    if let Err(error) = hostcall::ask(call, [number as u64, 0, 0, 0, 0, 0]) {
        thread.state.store(if call == Call::Start { NEW } else { ENDED }, Ordering::SeqCst);
        return Err(error);
    }
    Ok(number as u64 + 1)
}

/// Sets where a zero is written at the end of the thread that asks.
pub fn clear_at_end(address: u64) {
    Thread::current().clear_at_end.store(address, Ordering::SeqCst);
}

/// Ends the thread that asks. Its processor waits here until another thread is to be started on it, and then returns
/// into that one: its registers have taken the place of these.
pub fn end() {
    let thread = Thread::current();
    let address = thread.clear_at_end.swap(0, Ordering::SeqCst);
    if address != 0 && memory::write(address, &[0; 4]).is_ok() {
        wake(address, 1, u32::MAX);
    }
    thread.state.store(ENDED, Ordering::SeqCst);
    while thread.state.load(Ordering::SeqCst) == ENDED {
        let _ = hostcall::ask(Call::Park, [u64::MAX, 0, 0, 0, 0, 0]);
    }
    begin();
}

/// Waits until `wake` is called for this address, if the number there is still the expected one.
pub fn wait(address: u64, expected: u32, bits: u32, deadline: Option<u64>) -> Result<u64, Errno> {
    let own = number();
    {
        let mut waiting = WAITING.take();
        if memory::with(|space| space.load(address))? != expected {
            return Err(Errno::AGAIN);
        }
        waiting[own] = Some((address, bits));
    }
    loop {
        let left = deadline.map_or(u64::MAX, |deadline| deadline.saturating_sub(time::monotonic()));
        if left > 0 {
            hostcall::ask(Call::Park, [left, 0, 0, 0, 0, 0])?;
        }
        let mut waiting = WAITING.take();
        if waiting[own].is_none() {
            return Ok(0);
        }
        if left == 0 {
            waiting[own] = None;
            return Err(Errno::TIMEDOUT);
        }
    }
}

/// Wakes threads that wait for this address; answers how many.
pub fn wake(address: u64, most: u64, bits: u32) -> u64 {
    requeue(address, most, bits, 0, 0)
}

/// Wakes some of the threads that wait for an address, and lets others wait for another.
pub fn requeue(address: u64, most: u64, bits: u32, move_most: u64, to: u64) -> u64 {
    let (mut woken, mut moved) = (0_u64, 0);
    let mut wake = 0_u64;
    for (thread, place) in WAITING.take().iter_mut().enumerate() {
        match place {
            Some((waits_for, wanted)) if *waits_for == address && *wanted & bits != 0 => {
                if woken < most {
                    (*place, wake, woken) = (None, wake | 1 << thread, woken + 1);
                } else if moved < move_most {
                    (*waits_for, moved) = (to, moved + 1);
                }
            }
            _ => {}
        }
    }
    for thread in (0..THREADS).filter(|thread| wake & 1 << thread != 0) {
        let _ = hostcall::ask(Call::Unpark, [thread as u64, 0, 0, 0, 0, 0]);
    }
    woken + moved
}

/// Sleeps until a point in time.
pub fn sleep(deadline: u64) {
    loop {
        let left = deadline.saturating_sub(time::monotonic());
        if left == 0 {
            return;
        }
        let _ = hostcall::ask(Call::Park, [left, 0, 0, 0, 0, 0]);
    }
}

/// On the way from ring 3: from here on this thread uses no translation of user addresses.
pub fn enter_shim() {
    Thread::current().outside.store(false, Ordering::SeqCst);
}

/// On the way to ring 3: first says so, then looks whether translations became outdated. Who outdates them does it the
/// other way round, so one of the two sees the other.
pub fn leave_shim() {
    let thread = Thread::current();
    thread.outside.store(true, Ordering::SeqCst);
    let generation = GENERATION.load(Ordering::SeqCst);
    if thread.seen.load(Ordering::SeqCst) != generation {
        flush_all();
        thread.seen.store(generation, Ordering::SeqCst);
    }
}

/// Waits until no other thread can use translations that were outdated before this call. It believes what the threads
/// say, not the host: a host that does not interrupt them makes it wait for ever.
pub fn flush_others() {
    let own = number();
    let generation = GENERATION.fetch_add(1, Ordering::SeqCst) + 1;
    // This thread has flushed what it changed, but not what others have.
    let _ = ALL[own].seen.compare_exchange(generation - 1, generation, Ordering::SeqCst, Ordering::SeqCst);
    let lags = |thread: &Thread| {
        thread.outside.load(Ordering::SeqCst) && thread.seen.load(Ordering::SeqCst) < generation
    };
    let late = || {
        let others = ALL.iter().enumerate().filter(|(number, thread)| *number != own && lags(thread));
        others.fold(0_u64, |set, (number, _)| set | 1 << number)
    };
    loop {
        let set = late();
        if set == 0 {
            return;
        }
        let _ = hostcall::ask(Call::Kick, [set, 0, 0, 0, 0, 0]);
        let mut looks = 0;
        while late() != 0 && looks < LOOKS {
            looks += 1;
            core::hint::spin_loop();
        }
    }
}
