//! Everything a workload is given.

use crate::host::Host;
use crate::identity::Identity;
use crate::sys;
use api::launch::{Directory, Ending, FIRST_DIRECTORY, Known, Order, WORKLOAD};
use api::manifest::{FileKind, Manifest, Prot};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// A workload and what it may use.
pub struct Workload {
    /// The way to the host.
    pub host: Arc<Host>,
    /// What it declared.
    pub manifest: Manifest,
    /// Arguments, `argv[0]` first.
    pub args: Vec<String>,
    /// Preopened directories.
    pub dirs: Vec<(OwnedFd, Directory)>,
    /// Key, certificate and trust anchors; none if the manifest declares no TLS.
    pub identity: Option<Identity>,
    /// The file its WebAssembly is read from.
    pub wasm: File,
    /// The host has a compile cache.
    pub cache: bool,
    /// What an earlier start found in the file.
    pub known: Option<Known>,
}

impl Workload {
    /// Takes what the order names. A manifest that cannot be read is refused here, before anything of it is used.
    pub fn receive(order: Order, host: Arc<Host>) -> Result<Self, Ending> {
        let mut manifest =
            Manifest::parse(&order.manifest).map_err(|error| Ending::Refused(error.to_string()))?;
        manifest.env.extend(order.env);
        let dirs = (FIRST_DIRECTORY..).zip(order.dirs).map(|(fd, dir)| (sys::inherit(fd), dir)).collect();
        let args = std::iter::once("main.wasm".to_owned())
            .chain(manifest.args.iter().cloned())
            .chain(order.args)
            .collect();
        let identity = if uses_tls(&manifest) { Some(Identity::new(order.roots.as_deref())?) } else { None };
        let wasm = sys::inherit(WORKLOAD).into();
        Ok(Self { host, manifest, args, dirs, identity, wasm, cache: order.cache, known: order.known })
    }
}

fn uses_tls(manifest: &Manifest) -> bool {
    let tls = |kind: &FileKind| {
        matches!(kind, FileKind::Listen { prot: Prot::Tls, .. } | FileKind::Connect { prot: Prot::Tls, .. })
    };
    manifest.files.iter().any(|file| tls(&file.kind))
}
