//! The channel to the host: the order comes in, notices go out.

use crate::sys;
use api::launch::{CHANNEL, CacheEntry, Denial, Ending, NOTICE_LIMIT, Notice, ORDER_LIMIT, Order};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, IoSliceMut, Read, Write};
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

impl Host {
    /// Takes over the channel this process was started with.
    pub fn inherit() -> Self {
        Self { channel: Mutex::new(sys::inherit(CHANNEL).into()), denials: Mutex::default() }
    }

    /// Waits for the order, the first frame.
    pub fn order(&self) -> Result<Order, Ending> {
        receive(&mut self.channel(), ORDER_LIMIT, &mut Vec::new())
            .map_err(|error| Ending::Failed(format!("no order from the host: {error}")))
    }

    /// Tells the host. A host that no longer listens has ended the keep already.
    pub fn notify(&self, notice: &Notice) {
        let _ = send(&mut self.channel(), notice);
    }

    /// Tells the host that `operation` was refused and which `rule` would allow it, once per operation.
    pub fn deny(&self, operation: String, rule: String) {
        let mut denials = lock(&self.denials);
        if denials.len() < DENIALS_TOLD && denials.insert(operation.clone()) {
            self.notify(&Notice::Denied(Denial { operation, rule }));
        }
    }

    /// Tells the host where the listener `name` is bound.
    pub fn listening(&self, name: &str, prot: api::manifest::Prot, addr: SocketAddr) {
        self.notify(&Notice::Listening { name: name.to_owned(), prot, addr });
    }

    /// Asks for the cache entry `name`: a file to read it from, and one to write a new one to.
    pub fn cache_entry(&self, name: String) -> io::Result<(Option<File>, Option<File>)> {
        let mut channel = self.channel();
        send(&mut channel, &Notice::CacheLookup(name))?;
        let mut descriptors = Vec::new();
        let entry: CacheEntry = receive(&mut channel, NOTICE_LIMIT, &mut descriptors)?;
        let mut descriptors = descriptors.into_iter().map(File::from);
        let mut take = |attached: bool| if attached { descriptors.next() } else { None };
        Ok((take(entry.found), take(entry.writable)))
    }

    fn channel(&self) -> MutexGuard<'_, UnixStream> {
        lock(&self.channel)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn send(channel: &mut UnixStream, notice: &Notice) -> io::Result<()> {
    let body = serde_json::to_vec(notice)?;
    let len = u32::try_from(body.len()).map_err(io::Error::other)?;
    channel.write_all(&[&len.to_le_bytes(), body.as_slice()].concat())
}

/// Reads one frame of at most `limit` bytes, and the descriptors that came with its first byte.
fn receive<T: DeserializeOwned>(
    channel: &mut UnixStream,
    limit: usize,
    descriptors: &mut Vec<OwnedFd>,
) -> io::Result<T> {
    let mut len = [0; 4];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let read = recvmsg(&*channel, &mut [IoSliceMut::new(&mut len)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            descriptors.extend(received);
        }
    }
    channel.read_exact(&mut len[read.bytes..])?;
    let len = u32::from_le_bytes(len) as usize;
    if read.bytes == 0 || len > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {len} bytes")));
    }
    let mut body = vec![0; len];
    channel.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}
