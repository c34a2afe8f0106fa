//! `Enarx.toml`: what a workload asks of its keep.
//!
//! [`Manifest::parse`] is the only way from text to a [`Manifest`]: unknown keys, wrong types and values out of range
//! are refused with their place in the text. [`Manifest`]'s `Display` writes every value in force as a manifest again.

mod error;
pub mod key;
mod quantity;
mod read;
mod table;

pub use error::{Fault, ManifestError};

use quantity::{duration, optional_duration, optional_size, size};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The name of a manifest's file.
pub const FILE_NAME: &str = "Enarx.toml";
/// Longest text of a manifest in bytes.
pub const TEXT_LIMIT: usize = 64 << 10;
/// Most entries of `files`.
pub const FILES_LIMIT: usize = 256;
/// What `enarx config init` writes: every key, commented out where it shows a default or an example.
pub const TEMPLATE: &str = include_str!("manifest/template.toml");

/// A validated manifest.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Manifest {
    /// The URL of the Steward that certifies the keep; none: the certificate is self-signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steward: Option<String>,
    /// Arguments after `argv[0]`.
    pub args: Vec<String>,
    /// Environment variables, after `FD_COUNT` and `FD_NAMES`.
    pub env: BTreeMap<String, String>,
    /// The workload's descriptors: position is number.
    pub files: Vec<File>,
    /// What the workload may use at most.
    pub limits: Limits,
    /// How requests are served, for `wasi:http` components.
    pub http: Http,
}

impl Manifest {
    /// Reads the text of an `Enarx.toml`; an empty text gives a manifest of defaults.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        read::manifest(text)
    }

    /// The workload's environment in order: the names of its descriptors, then the variables of the manifest.
    pub fn environment(&self) -> Vec<(String, String)> {
        let names: Vec<&str> = self.files.iter().map(|file| file.name.as_str()).collect();
        let descriptors = [(key::FD_COUNT, names.len().to_string()), (key::FD_NAMES, names.join(":"))];
        let descriptors = descriptors.into_iter().map(|(name, value)| (name.to_owned(), value));
        descriptors.chain(self.env.clone()).collect()
    }
}

/// The manifest of a workload that came without one: its arguments, the three standard streams, default limits.
impl Default for Manifest {
    fn default() -> Self {
        let stdio = [FileKind::Stdin, FileKind::Stdout, FileKind::Stderr];
        Self {
            steward: None,
            args: Vec::new(),
            env: BTreeMap::new(),
            files: stdio.into_iter().map(|kind| File { name: kind.word().to_owned(), kind }).collect(),
            limits: Limits::default(),
            http: Http::default(),
        }
    }
}

/// Every value in force, as the text of a manifest that reads back to the same.
impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&toml::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// One descriptor of the workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct File {
    /// What it is.
    #[serde(flatten)]
    pub kind: FileKind,
    /// Its name in `FD_NAMES`.
    pub name: String,
}

/// What stands behind a descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum FileKind {
    /// Reads nothing, swallows everything.
    Null,
    /// The standard input of `enarx run`.
    Stdin,
    /// The standard output of `enarx run`.
    Stdout,
    /// The standard error of `enarx run`.
    Stderr,
    /// A bound socket.
    Listen {
        /// Transport and protection.
        prot: Prot,
        /// Local address.
        addr: String,
        /// Local port; 0 takes any free one.
        port: u16,
    },
    /// A connected socket.
    Connect {
        /// Transport and protection.
        prot: Prot,
        /// Remote name or address.
        host: String,
        /// Remote port.
        port: u16,
    },
}

impl FileKind {
    /// The value of the key `kind`.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Stdin => "stdin",
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Listen { .. } => "listen",
            Self::Connect { .. } => "connect",
        }
    }
}

/// Transport and protection of a socket.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Prot {
    /// TLS over TCP, ended inside the keep.
    Tls,
    /// Plain TCP.
    Tcp,
    /// Plain UDP, for components only.
    Udp,
}

impl Prot {
    /// The value of the key `prot`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }

    /// The port of an entry that names none; UDP has no usual one.
    pub const fn default_port(self) -> Option<u16> {
        match self {
            Self::Tls => Some(443),
            Self::Tcp => Some(80),
            Self::Udp => None,
        }
    }
}

/// What a workload may use at most. Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// All linear memories together.
    #[serde(serialize_with = "size")]
    pub memory: u64,
    /// Elements of all tables together.
    pub table: u64,
    /// Module instances.
    pub instances: u64,
    /// WebAssembly stack.
    #[serde(serialize_with = "size")]
    pub stack: u64,
    /// The workload's file.
    #[serde(serialize_with = "size")]
    pub module: u64,
    /// Everything written to stdout and stderr; none: no limit.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_size")]
    pub output: Option<u64>,
    /// Wall-clock time from start to end; none: no limit.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_duration")]
    pub deadline: Option<Duration>,
    /// WebAssembly operations; none: not counted. Counting slows tight loops by 5 to 40 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
}

/// Wide enough for real programs (an 18 MiB Python component makes some 30 instances and 50,000 table elements), and
/// narrow enough that a hostile one ends before its host suffers.
impl Default for Limits {
    fn default() -> Self {
        Self {
            // Half of what a 32-bit memory can address: a program that grows without bound is stopped on an 8 GiB host.
            memory: 2 << 30,
            table: 1_000_000,
            instances: 1_000,
            stack: 1 << 20,
            module: 256 << 20,
            output: None,
            deadline: None,
            fuel: None,
        }
    }
}

/// How a `wasi:http` component serves requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Http {
    /// Requests one instance serves before a fresh one takes its place; 1: every request has its own.
    pub reuse: u32,
    /// Requests in progress at once.
    pub concurrency: u32,
    /// Wall-clock time for one request.
    #[serde(serialize_with = "duration")]
    pub timeout: Duration,
}

impl Default for Http {
    fn default() -> Self {
        Self { reuse: 1, concurrency: 128, timeout: Duration::from_secs(30) }
    }
}

#[cfg(test)]
mod tests;
