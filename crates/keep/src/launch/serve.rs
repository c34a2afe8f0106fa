//! The host's end of the channel.

use crate::cache::{CacheError, Entry, Stamp, Store};
use api::launch::frame::{self, FrameError};
use api::launch::{CacheEntry, Denial, Ending, Known, NOTICE_LIMIT, Notice};
use api::manifest::Prot;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::fs::File;
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
    /// The workload failed to answer a request, for this reason; it goes on serving.
    RequestFailed(String),
    /// The compile cache failed; the run does not depend on it.
    CacheFailed(String),
}

/// The compile cache, and the file whose code is looked up in it.
pub(super) struct Place<'a> {
    /// The cache.
    pub store: &'a Store,
    /// The workload.
    pub workload: File,
    /// Its stamp from before the keep could read it.
    pub stamp: Option<Stamp>,
    /// What the keep was told of it.
    pub told: Option<Known>,
}

impl Place<'_> {
    fn look_up(&self, name: &str, known: &Known) -> Result<Entry, CacheError> {
        if let Some(stamp) = self.stamp.as_ref().filter(|_| self.told != Some(*known)) {
            self.store.learn(stamp, &self.workload, known)?;
        }
        self.store.entry(name)
    }
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
pub(super) fn serve(
    channel: &mut UnixStream,
    cache: Option<&Place<'_>>,
    report: &mut dyn FnMut(Event),
) -> Told {
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
            Notice::CacheLookup { name, known } => {
                // One answer fits into the socket's buffer, so sending it never waits for the runtime.
                if std::mem::replace(&mut asked, true) {
                    return Told::Nonsense("it asked for a second cache entry".to_owned());
                }
                let entry = cache.map(|cache| cache.look_up(&name, &known)).transpose();
                let entry = entry.unwrap_or_else(|error| {
                    report(Event::CacheFailed(error.to_string()));
                    None
                });
                // A runtime that hung up may still have said how it ended.
                let _ = answer(channel, entry.as_ref());
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
            Notice::RequestFailed(why) => report(Event::RequestFailed(why)),
            Notice::Ended(ending) => return Told::Ended(ending),
        }
    }
}

/// Sends the answer to a lookup, with the descriptors it announces on its first byte.
fn answer(channel: &UnixStream, entry: Option<&Entry>) -> io::Result<()> {
    let found = entry.and_then(Entry::existing);
    let writable = entry.map(Entry::fresh);
    let key = entry.map_or([0; 32], Entry::key);
    let said = CacheEntry { found: found.is_some(), writable: writable.is_some(), key };
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

#[cfg(test)]
mod tests {
    use super::*;
    use api::launch::{Ending, Kind};

    /// What the host makes of a runtime that sends these bytes and hangs up.
    fn told(bytes: &[u8]) -> (String, usize) {
        let (mut host, mut runtime) = UnixStream::pair().unwrap();
        let bytes = bytes.to_vec();
        let writer = std::thread::spawn(move || {
            let _ = runtime.write_all(&bytes);
        });
        let mut events = 0;
        let told = match serve(&mut host, None, &mut |_| events += 1) {
            Told::Ended(ending) => ending.to_string(),
            Told::Nothing => "nothing".to_owned(),
            Told::Nonsense(why) => why,
        };
        drop(host);
        writer.join().unwrap();
        (told, events)
    }

    fn frames(notices: &[Notice]) -> Vec<u8> {
        notices.iter().flat_map(|notice| frame::encode(notice, NOTICE_LIMIT).unwrap()).collect()
    }

    #[test]
    fn hostile_runtimes_are_bounded() {
        let known = Known { scheme: 0, digest: [0; 32], kind: Kind::Module };
        let lookup = Notice::CacheLookup { name: "x".to_owned(), known };
        let denied = Notice::Denied(Denial { operation: "o".to_owned(), rule: "r".to_owned() });
        let exit = Notice::Ended(Ending::Exit(7));
        let flood = [vec![denied; EVENTS_MOST + 10], vec![exit.clone()]].concat();
        let cases: [(Vec<u8>, &str, usize); 8] = [
            (frames(std::slice::from_ref(&exit)), "the workload exited with code 7", 0),
            (frames(&[lookup.clone(), Notice::CacheStored, exit]), "the workload exited with code 7", 0),
            (frames(&[lookup.clone(), lookup]), "it asked for a second cache entry", 0),
            (frames(&flood), "the workload exited with code 7", EVENTS_MOST),
            (vec![], "nothing", 0),
            (vec![8, 0, 0, 0, b'"'], "nothing", 0),
            (vec![255; 64], "a frame of 4294967295 bytes, more than the 65536 allowed", 0),
            (b"\x02\0\0\0{}".to_vec(), "a frame that is not the message expected", 0),
        ];
        for (bytes, expected, events) in cases {
            assert_eq!(told(&bytes), (expected.to_owned(), events));
        }
    }
}
