//! The channel to the host: the order comes in, notices go out.

use crate::sys;
use api::launch::frame::{self, FrameError};
use api::launch::{CHANNEL, CacheEntry, Denial, Ending, Known, NOTICE_LIMIT, Notice, ORDER_LIMIT, Order};
use api::manifest::Prot;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Distinct refusals told to the host; a workload that tries ever new addresses is not worth more.
const DENIALS_TOLD: usize = 64;

/// The host's end of the channel.
pub struct Host {
    channel: Mutex<UnixStream>,
    denials: Mutex<BTreeSet<String>>,
}

/// Where the host keeps a workload's machine code.
#[derive(Default)]
pub struct Place {
    /// Authenticates what stands there.
    pub key: [u8; 32],
    /// What stands there.
    pub existing: Option<File>,
    /// Takes what shall stand there.
    pub writable: Option<File>,
}

impl Host {
    /// Takes over the channel this process was started with.
    pub fn inherit() -> Self {
        Self { channel: Mutex::new(sys::inherit(CHANNEL).into()), denials: Mutex::default() }
    }

    /// Waits for the order, the first frame.
    pub fn order(&self) -> Result<Order, Ending> {
        let order = frame::read(&mut Incoming::new(&self.channel()), ORDER_LIMIT);
        let failed = |why: &dyn Display| Ending::Failed(format!("no order from the host: {why}"));
        order.map_err(|error| failed(&error))?.ok_or_else(|| failed(&"it hung up"))
    }

    /// Tells the host. A host that no longer listens has ended the keep already.
    pub fn notify(&self, notice: &Notice) {
        let _ = frame::write(&mut *self.channel(), notice, NOTICE_LIMIT);
    }

    /// Tells the host that `operation` was refused and which `rule` would allow it, once per operation.
    pub fn deny(&self, operation: String, rule: String) {
        let mut denials = lock(&self.denials);
        if denials.len() < DENIALS_TOLD && denials.insert(operation.clone()) {
            self.notify(&Notice::Denied(Denial { operation, rule }));
        }
    }

    /// Tells the host that the workload failed to answer a request, and serves on.
    pub fn request_failed(&self, why: &str) {
        self.notify(&Notice::RequestFailed(why.to_owned()));
    }

    /// Tells the host where the listener `name` is bound.
    pub fn listening(&self, name: &str, prot: Prot, addr: SocketAddr) {
        self.notify(&Notice::Listening { name: name.to_owned(), prot, addr });
    }

    /// Asks for the place of the cache entry `name`, and tells what this start found in the file. A host that does not answer has no cache.
    pub fn cache_entry(&self, name: String, known: Known) -> Place {
        self.look_up(name, known).unwrap_or_default()
    }

    fn look_up(&self, name: String, known: Known) -> Result<Place, FrameError> {
        let mut channel = self.channel();
        frame::write(&mut *channel, &Notice::CacheLookup { name, known }, NOTICE_LIMIT)?;
        let mut incoming = Incoming::new(&channel);
        let Some(CacheEntry { found, writable, key }) = frame::read(&mut incoming, NOTICE_LIMIT)? else {
            return Ok(Place::default());
        };
        let mut descriptors = incoming.descriptors.into_iter().map(File::from);
        let mut take = |attached: bool| if attached { descriptors.next() } else { None };
        Ok(Place { key, existing: take(found), writable: take(writable) })
    }

    fn channel(&self) -> MutexGuard<'_, UnixStream> {
        lock(&self.channel)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The channel as a stream of bytes; descriptors that come with them are put aside.
struct Incoming<'a> {
    channel: &'a UnixStream,
    descriptors: Vec<OwnedFd>,
}

impl<'a> Incoming<'a> {
    const fn new(channel: &'a UnixStream) -> Self {
        Self { channel, descriptors: Vec::new() }
    }
}

impl Read for Incoming<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut buffers = [IoSliceMut::new(buffer)];
        let read = recvmsg(self.channel, &mut buffers, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = message {
                self.descriptors.extend(received);
            }
        }
        Ok(read.bytes)
    }
}
