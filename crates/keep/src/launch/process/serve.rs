//! The host's end of the channel.

use crate::cache::{Entry, Store};
use api::launch::frame::{self, FrameError};
use api::launch::{CacheEntry, Denial, Ending, NOTICE_LIMIT, Notice};
use api::manifest::Prot;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::io::{self, BufReader, IoSlice, Write};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;

/// Most events passed on: what a hostile runtime says beyond them is read and dropped.
const EVENTS_MOST: usize = 1024;
/// Most times an entry is stored: code made fast, then fast code, and room.
const STORED_MOST: usize = 4;

/// What a keep tells while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A declared listener is bound.
    Listening {
        /// Its name in the manifest.
        name: String,
        /// Its protocol.
        prot: Prot,
        /// Where it listens.
        addr: SocketAddr,
    },
    /// The workload tried what its manifest does not declare, and was refused.
    Denied(Denial),
    /// The compile cache failed; the run does not depend on it.
    CacheFailed(String),
}

/// What the keep told about its end.
pub(super) enum Told {
    /// How it ended.
    Ended(Ending),
    /// The channel closed first.
    Nothing,
    /// Something that is not the protocol.
    Nonsense(String),
}

/// Answers the runtime until it has ended.
pub(super) fn serve(channel: &mut UnixStream, cache: Option<&Store>, report: &mut dyn FnMut(Event)) -> Told {
    let mut pending: Option<Entry> = None;
    let mut asked = false;
    let mut stored = 0;
    let mut events = 0;
    let mut report = |event| {
        events += 1;
        if events <= EVENTS_MOST {
            report(event);
        }
    };
    let mut input = BufReader::new(&*channel);
    loop {
        let notice = match frame::read(&mut input, NOTICE_LIMIT) {
            Ok(Some(notice)) => notice,
            // A process that died in the middle of a frame is told by its status.
            Ok(None) | Err(FrameError::Channel(_)) => return Told::Nothing,
            Err(error) => return Told::Nonsense(error.to_string()),
        };
        match notice {
            Notice::CacheLookup(name) => {
                // One answer fits into the socket's buffer, so sending it never waits for the runtime.
                if std::mem::replace(&mut asked, true) {
                    return Told::Nonsense("it asked for a second cache entry".to_owned());
                }
                let entry = cache.map(|cache| cache.entry(&name)).transpose();
                let entry = entry.unwrap_or_else(|error| {
                    report(Event::CacheFailed(error.to_string()));
                    None
                });
                if answer(channel, entry.as_ref()).is_err() {
                    return Told::Nothing;
                }
                pending = entry;
            }
            Notice::CacheStored => {
                stored += 1;
                let entry = pending.as_ref().filter(|_| stored <= STORED_MOST);
                if let Some(Err(error)) = entry.map(Entry::publish) {
                    report(Event::CacheFailed(error.to_string()));
                }
            }
            Notice::Listening { name, prot, addr } => report(Event::Listening { name, prot, addr }),
            Notice::Denied(denial) => report(Event::Denied(denial)),
            Notice::Ended(ending) => return Told::Ended(ending),
        }
    }
}

/// Sends the answer to a lookup, with the descriptors it announces on its first byte.
fn answer(channel: &UnixStream, entry: Option<&Entry>) -> io::Result<()> {
    let found = entry.and_then(Entry::existing);
    let writable = entry.map(Entry::fresh);
    let said = CacheEntry { found: found.is_some(), writable: writable.is_some() };
    let frame = frame::encode(&said, NOTICE_LIMIT).map_err(io::Error::other)?;
    let descriptors: Vec<BorrowedFd<'_>> = found.into_iter().chain(writable).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    }
    let sent = sendmsg(channel, &[IoSlice::new(&frame)], &mut ancillary, SendFlags::empty())?;
    (&*channel).write_all(&frame[sent..])
}
