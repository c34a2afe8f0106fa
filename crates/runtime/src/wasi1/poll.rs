//! `poll_oneoff`: waiting for descriptors and clocks.

use super::clock;
use super::errno::{Errno, Outcome};
use super::memory::Memory;
use super::process::Process;
use super::table::Table;
use crate::net::{Interest, Readiness};
use rustix::event::PollFlags;
use rustix::time::ClockId;

/// Bytes of a `subscription`.
const SUBSCRIPTION: u32 = 48;
/// Bytes of an `event`.
const EVENT: u32 = 32;
/// Most subscriptions of one call: each descriptor in both directions, and as many clocks.
const SUBSCRIPTIONS: u32 = 16 << 10;
/// `eventrwflags`: the other side is gone.
const HANGUP: u16 = 1 << 0;
/// `subclockflags`: the timeout is a point in time.
const ABSOLUTE: u16 = 1 << 0;

/// What a module waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Subscription {
    /// The module's name for it.
    userdata: u64,
    /// Why it is over at once.
    cause: Cause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// The clock shows this time.
    Clock(Clock, u64),
    /// The descriptor is ready.
    Descriptor(u32, Interest),
}

/// A clock that can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    Realtime,
    Monotonic,
}

/// What has come of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Event {
    error: Option<Errno>,
    bytes: u64,
    hangup: bool,
}

pub fn poll_oneoff(
    process: &mut Process,
    memory: &mut Memory<'_>,
    subscriptions: u32,
    events: u32,
    count: u32,
    happened: u32,
) -> Outcome {
    if count == 0 || count > SUBSCRIPTIONS {
        return Err(Errno::Inval.into());
    }
    memory.bytes(events, count * EVENT)?;
    let list = memory.bytes(subscriptions, count * SUBSCRIPTION)?;
    let subscribed = list.chunks_exact(SUBSCRIPTION as usize).map(Subscription::read);
    let subscribed: Vec<Subscription> = subscribed.collect::<Result<_, Errno>>()?;
    let mut at = events;
    for (subscription, event) in wait(&mut process.table, &subscribed)? {
        memory.put(at, &event.bytes(&subscription))?;
        at += EVENT;
    }
    Ok(memory.put_u32(happened, (at - events) / EVENT)?)
}

/// Waits until at least one subscription has an event.
fn wait(table: &mut Table, subscribed: &[Subscription]) -> Outcome<Vec<(Subscription, Event)>> {
    let mut wanted = Vec::with_capacity(subscribed.len());
    let mut seen: Vec<PollFlags> = Vec::new();
    let mut events = Vec::new();
    loop {
        let timeout = prepare(table, subscribed, &mut wanted);
        table.poll(&wanted, &mut seen, timeout)?;
        let mut seen = seen.iter();
        for subscription in subscribed {
            let event = match subscription.cause {
                Cause::Clock(clock, time) => (time <= clock.now()).then_some(Event::CLOCK),
                Cause::Descriptor(fd, interest) => {
                    let seen = seen.next().copied().unwrap_or(PollFlags::empty());
                    ready(table, fd, interest, seen).ok()
                }
            };
            events.extend(event.map(|event| (*subscription, event)));
        }
        if !events.is_empty() {
            return Ok(events);
        }
    }
}

/// Collects what `poll(2)` is asked for each descriptor, nothing for those that are ready as it is, and for how long
/// to wait.
fn prepare(
    table: &mut Table,
    subscribed: &[Subscription],
    wanted: &mut Vec<(u32, Option<PollFlags>)>,
) -> Option<u64> {
    wanted.clear();
    let mut timeout: Option<u64> = None;
    for Subscription { cause, .. } in subscribed {
        let left = match cause {
            Cause::Clock(clock, time) => time.saturating_sub(clock.now()),
            Cause::Descriptor(fd, interest) => {
                let flags = ready(table, *fd, *interest, PollFlags::empty()).err();
                wanted.push((*fd, flags));
                match flags {
                    Some(_) => continue,
                    // The others are asked too, but not waited for.
                    None => 0,
                }
            }
        };
        timeout = Some(timeout.map_or(left, |timeout| timeout.min(left)));
    }
    timeout
}

/// The descriptor's event, or what to wait for.
fn ready(table: &mut Table, fd: u32, interest: Interest, seen: PollFlags) -> Result<Event, PollFlags> {
    let readiness = table.get(fd).ok().and_then(|descriptor| descriptor.ready(interest, seen));
    match readiness {
        Some(Readiness::Wait(flags)) => Err(flags),
        Some(Readiness::Ready { bytes, hangup }) => Ok(Event { error: None, bytes, hangup }),
        None => Ok(Event { error: Some(Errno::Badf), bytes: 0, hangup: false }),
    }
}

impl Subscription {
    fn read(bytes: &[u8]) -> Result<Self, Errno> {
        let number = |at: usize, len: usize| {
            bytes[at..at + len].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
        };
        let descriptor = u32::try_from(number(16, 4)).map_err(|_| Errno::Badf)?;
        let cause = match bytes[8] {
            0 => {
                let clock = match number(16, 4) {
                    0 => Clock::Realtime,
                    1 => Clock::Monotonic,
                    _ => return Err(Errno::Inval),
                };
                let absolute = number(40, 2) & u64::from(ABSOLUTE) != 0;
                let timeout = number(24, 8);
                // A span of time is not affected when someone sets the clock (clock_nanosleep(2)).
                match absolute {
                    true => Cause::Clock(clock, timeout),
                    false => Cause::Clock(Clock::Monotonic, Clock::Monotonic.now().saturating_add(timeout)),
                }
            }
            1 => Cause::Descriptor(descriptor, Interest::Read),
            2 => Cause::Descriptor(descriptor, Interest::Write),
            _ => return Err(Errno::Inval),
        };
        Ok(Self { userdata: number(0, 8), cause })
    }
}

impl Clock {
    fn now(self) -> u64 {
        clock::now(match self {
            Self::Realtime => ClockId::Realtime,
            Self::Monotonic => ClockId::Monotonic,
        })
    }
}

impl Event {
    const CLOCK: Self = Self { error: None, bytes: 0, hangup: false };

    fn bytes(&self, subscription: &Subscription) -> [u8; EVENT as usize] {
        let mut bytes = [0; EVENT as usize];
        bytes[..8].copy_from_slice(&subscription.userdata.to_le_bytes());
        bytes[8..10].copy_from_slice(&self.error.map_or(0, |errno| errno as u16).to_le_bytes());
        bytes[10] = match subscription.cause {
            Cause::Clock(..) => 0,
            Cause::Descriptor(_, Interest::Read) => 1,
            Cause::Descriptor(_, Interest::Write) => 2,
        };
        bytes[16..24].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[24..26].copy_from_slice(&if self.hangup { HANGUP } else { 0 }.to_le_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscriptions_are_read_as_the_witx_file_lays_them_out() {
        let mut bytes = [0; SUBSCRIPTION as usize];
        bytes[0] = 7;
        bytes[8] = 1;
        bytes[16] = 5;
        assert_eq!(
            Subscription::read(&bytes),
            Ok(Subscription { userdata: 7, cause: Cause::Descriptor(5, Interest::Read) })
        );
        bytes[8] = 0;
        bytes[16] = 0;
        bytes[24] = 9;
        bytes[40] = 1;
        assert_eq!(
            Subscription::read(&bytes),
            Ok(Subscription { userdata: 7, cause: Cause::Clock(Clock::Realtime, 9) })
        );
        bytes[16] = 2;
        assert_eq!(Subscription::read(&bytes), Err(Errno::Inval));
        bytes[8] = 3;
        assert_eq!(Subscription::read(&bytes), Err(Errno::Inval));
    }

    #[test]
    fn events_are_written_as_the_witx_file_lays_them_out() {
        let subscription = Subscription { userdata: 0x0102, cause: Cause::Descriptor(3, Interest::Write) };
        let bytes = Event { error: Some(Errno::Badf), bytes: 9, hangup: true }.bytes(&subscription);
        assert_eq!((bytes[0], bytes[1], bytes[8], bytes[10], bytes[16], bytes[24]), (2, 1, 8, 2, 9, 1));
    }
}
