//! The conversation between a keep's host and the runtime inside it.
//!
//! ```text
//! host ── Order ─────────────────▶ runtime        once, first
//!      ◀──────────────── Notice ──                 any number, in order
//!      ── CacheEntry ───────────▶                  the answer to Notice::CacheLookup
//!      ◀───────── Notice::Ended ──                 once, last
//! ```
//!
//! Each message is one frame: its length in bytes as a little-endian `u32`, then that many bytes of JSON. Both
//! sides refuse a frame longer than its limit before reading it, and both treat the other as hostile ([`frame`]).
//!
//! Descriptors are numbered by position: [`CHANNEL`] carries the frames, the workload is [`WORKLOAD`], and the
//! directories of [`Order::dirs`] follow in their order.

pub mod frame;

use crate::manifest::Prot;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

/// The descriptor on which host and runtime exchange frames.
pub const CHANNEL: i32 = 3;
/// The descriptor the workload's WebAssembly is read from.
pub const WORKLOAD: i32 = 4;
/// The descriptor of the first preopened directory.
pub const FIRST_DIRECTORY: i32 = 5;

/// Longest [`Order`] in bytes: a manifest (64 KiB) and trust anchors, with room.
pub const ORDER_LIMIT: usize = 4 << 20;
/// Longest [`Notice`] or [`CacheEntry`] in bytes.
pub const NOTICE_LIMIT: usize = 64 << 10;

/// What the host tells a keep's runtime at its start.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The text of `Enarx.toml`; the runtime reads it itself, so that host and keep cannot disagree on it.
    pub manifest: String,
    /// Arguments appended to those of the manifest.
    pub args: Vec<String>,
    /// Environment variables that join those of the manifest, or replace them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Directories preopened for the workload, in descriptor order.
    pub dirs: Vec<Directory>,
    /// PEM certificates trusted for outgoing TLS instead of the web's roots.
    pub roots: Option<String>,
    /// The host has a compile cache; without one, the workload is compiled every time.
    pub cache: bool,
    /// What an earlier start found in the very same file. The host's word, good enough where the keep trusts the host
    /// with the file anyway: in a process keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Known>,
}

/// What a keep found in a workload's file, so that another start need not read it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The runtime's way to digest: what another runtime noted in another way says nothing.
    pub scheme: u8,
    /// The digest of its bytes.
    pub digest: [u8; 32],
    /// What it is.
    pub kind: Kind,
}

/// What a workload is.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Kind {
    /// A core module, run once.
    Module,
    /// A component, run once.
    Component,
    /// A component that answers the requests arriving at a declared listener.
    Service {
        /// By the asynchronous functions of WASI 0.3.
        tasks: bool,
    },
}

/// A host directory preopened for the workload.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// The path under which the workload finds it.
    pub guest: String,
    /// Refuse every change below it.
    pub read_only: bool,
}

/// What the runtime tells the host.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Notice {
    /// Asks for the compile cache's entry of this name (hexadecimal digits). Answered with a [`CacheEntry`]; a keep
    /// may ask once.
    CacheLookup {
        /// The entry's name.
        name: String,
        /// What the workload's file contains.
        known: Known,
    },
    /// The descriptor for a new entry is completely written.
    CacheStored,
    /// A declared listener is bound.
    Listening {
        /// Its name in the manifest.
        name: String,
        /// Its protocol.
        prot: Prot,
        /// Where it listens; tells the port when the manifest asked for any.
        addr: SocketAddr,
    },
    /// The workload tried what its manifest does not declare, and was refused.
    Denied(Denial),
    /// The workload failed to answer a request, for this reason; it goes on serving.
    RequestFailed(String),
    /// The workload is over; nothing follows.
    Ended(Ending),
}

/// An operation refused to the workload, with the rule that would allow it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Denial {
    /// What was tried, such as "connect to 192.0.2.1:443 (tcp)".
    pub operation: String,
    /// What to write into `Enarx.toml` to allow it.
    pub rule: String,
}

/// The host's answer to [`Notice::CacheLookup`]. Descriptors travel with the frame, in field order.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CacheEntry {
    /// A descriptor to read the existing entry from is attached.
    pub found: bool,
    /// A descriptor to write a new entry to is attached.
    pub writable: bool,
    /// Authenticates what stands under this name, and nothing else.
    pub key: [u8; 32],
}

/// How a workload ended.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Ending {
    /// It returned, or called `proc_exit` with this code.
    Exit(u8),
    /// It trapped: an invalid memory access, an unreachable instruction, a stack overflow.
    Trap(String),
    /// It reached one of its limits.
    Limit(String),
    /// It could not be loaded: not WebAssembly, invalid, or in need of something a keep does not have.
    BadModule(String),
    /// The keep was stopped because it attempted what is not allowed to any workload.
    Denied(String),
    /// The manifest asks for something that cannot be had: a port in use, an unreachable peer.
    Refused(String),
    /// The keep itself failed.
    Failed(String),
}

impl Ending {
    /// The exit code of `enarx run`: the program's own, or one of those documented in its help.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Exit(code) => *code,
            Self::Refused(_) => 1,
            Self::Failed(_) => 2,
            Self::Limit(_) => 124,
            Self::Denied(_) => 125,
            Self::BadModule(_) => 126,
            Self::Trap(_) => 134,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "the workload exited with code {code}"),
            Self::Trap(what) => write!(f, "the workload trapped: {what}"),
            Self::Limit(what) => write!(f, "the workload reached its limit: {what}"),
            Self::BadModule(what) => write!(f, "the workload cannot be loaded: {what}"),
            Self::Denied(what) => write!(f, "the keep was stopped: {what}"),
            Self::Refused(what) => write!(f, "{what}"),
            Self::Failed(what) => write!(f, "the keep failed: {what}"),
        }
    }
}
