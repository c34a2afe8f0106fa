//! From the workload's bytes to machine code: checked, taken from the cache or compiled, never executed here.
//!
//! A workload is compiled once by Cranelift. Where that would take seconds, the first start runs code of the baseline
//! compiler instead, and Cranelift's follows into the cache while the workload runs.

mod kind;

use crate::cache;
use crate::engine::{self, Tier};
use crate::host::{Host, Place};
use crate::sys::{self, Authentic};
use crate::workload::Workload;
use api::launch::{Ending, Kind, Known, Notice};
use std::fs::File;
use std::io::{Seek, Write};
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

/// Code from which on the first start does not wait for Cranelift, in bytes: about half a second of it.
const BASELINE_FROM: usize = 2 << 20;
/// How long a workload runs on baseline code before better code is made for its next start.
const IMPROVE_AFTER: Duration = Duration::from_secs(1);

/// A workload ready to be instantiated.
pub struct Loaded {
    /// The engine its code is for.
    pub engine: Engine,
    /// Its machine code.
    pub code: Code,
    /// Whether it serves requests rather than runs once.
    pub serves: bool,
    stored: Option<Receiver<()>>,
}

impl Loaded {
    /// Waits until code made for this start is in the cache for the next, if that is under way.
    pub fn stored(&self) {
        // Nothing is ever sent: the end of the channel is the signal.
        let _ = self.stored.as_ref().map(Receiver::recv);
    }
}

/// Machine code.
#[derive(Clone)]
pub enum Code {
    /// Of a core module.
    Module(Module),
    /// Of a component.
    Component(Component),
}

/// Loads the workload: machine code from the cache, or made now and left there for the next start.
pub fn load(workload: &Workload) -> Result<Loaded, Ending> {
    let manifest = &workload.manifest;
    let source = Arc::new(Source::open(workload)?);
    let serves = matches!(source.kind, Kind::Service { .. });
    let loaded = |engine, code, stored| Ok(Loaded { engine, code, serves, stored });
    let optimized = engine::new(Tier::Optimized, source.kind, manifest)?;
    let (mut slot, cached) = Slot::open(&optimized, &source, workload);
    if let Some((tier, code)) = cached {
        let engine = match tier {
            Tier::Optimized => optimized,
            Tier::Baseline => {
                let baseline = engine::new(Tier::Baseline, source.kind, manifest)?;
                improve_later(&source, optimized, slot, None);
                baseline
            }
        };
        let code = source.load(&engine, code)?;
        return loaded(engine, code, None);
    }
    if source.bytes()?.len() >= BASELINE_FROM && manifest.limits.fuel.is_none() {
        let baseline = engine::new(Tier::Baseline, source.kind, manifest)?;
        // What the baseline compiler does not support, Cranelift compiles below.
        if let Ok(code) = source.compile(&baseline) {
            let stored = improve_later(&source, optimized, slot, Some(code.clone()));
            return loaded(baseline, code, stored);
        }
    }
    let code = source.compile(&optimized)?;
    slot.put(Tier::Optimized, &code);
    loaded(optimized, code, None)
}

/// While the workload runs, stores the `baseline` code just made, and then makes optimized code for the next start,
/// once this one has proved to be more than a short command. The receiver is told when the first is done.
fn improve_later(
    source: &Arc<Source>,
    engine: Engine,
    mut slot: Slot,
    baseline: Option<Code>,
) -> Option<Receiver<()>> {
    slot.writable.as_ref()?;
    let source = source.clone();
    let (stored, done) = mpsc::channel();
    thread::spawn(move || {
        if let Some(code) = baseline {
            slot.put(Tier::Baseline, &code);
        }
        drop(stored);
        thread::sleep(IMPROVE_AFTER);
        if let Ok(code) = source.compile(&engine) {
            slot.put(Tier::Optimized, &code);
        }
    });
    Some(done)
}

/// A workload's WebAssembly, which a start from the cache need not read if the host knows the file.
struct Source {
    file: File,
    kind: Kind,
    /// Taken only where there is a cache.
    digest: Option<[u8; 32]>,
    /// A copy: a file may be written anew in its place while the workload runs.
    bytes: OnceLock<Vec<u8>>,
}

impl Source {
    fn open(workload: &Workload) -> Result<Self, Ending> {
        let file = workload.wasm.try_clone().map_err(unreadable)?;
        let (found, limit) = (file.metadata().map_err(unreadable)?.len(), workload.manifest.limits.module);
        if found > limit {
            return Err(Ending::Limit(format!("a workload of {found} bytes (limits.module is {limit})")));
        }
        if let Some(Known { scheme: cache::SCHEME, digest, kind }) = workload.known {
            return Ok(Self { file, kind, digest: Some(digest), bytes: OnceLock::new() });
        }
        let bytes = read(&file)?;
        let (kind, digest) = (kind::of(&bytes)?, workload.cache.then(|| cache::digest(&bytes)));
        Ok(Self { file, kind, digest, bytes: bytes.into() })
    }

    fn bytes(&self) -> Result<&[u8], Ending> {
        if let Some(bytes) = self.bytes.get() {
            return Ok(bytes);
        }
        let bytes = read(&self.file)?;
        // Compiled all the same, its code would get another workload's name.
        if self.digest != Some(cache::digest(&bytes)) {
            let changed = "the workload's file has changed, but not its times; `touch` it and start again";
            return Err(Ending::Failed(changed.to_owned()));
        }
        Ok(self.bytes.get_or_init(|| bytes))
    }

    fn compile(&self, engine: &Engine) -> Result<Code, Ending> {
        let bytes = self.bytes()?;
        let code = match self.kind {
            Kind::Module => Module::from_binary(engine, bytes).map(Code::Module),
            Kind::Component | Kind::Service { .. } => {
                Component::from_binary(engine, bytes).map(Code::Component)
            }
        };
        code.map_err(|error| Ending::BadModule(format!("{error:#}")))
    }

    fn load(&self, engine: &Engine, code: Authentic) -> Result<Code, Ending> {
        let code = match self.kind {
            Kind::Module => sys::load_module(engine, code).map(Code::Module),
            Kind::Component | Kind::Service { .. } => sys::load_component(engine, code).map(Code::Component),
        };
        code.map_err(|error| Ending::Failed(format!("cached machine code: {error:#}")))
    }
}

fn read(file: &File) -> Result<Vec<u8>, Ending> {
    let length = file.metadata().map_err(unreadable)?.len();
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut bytes, 0).map_err(unreadable)?;
    Ok(bytes)
}

fn unreadable(error: std::io::Error) -> Ending {
    Ending::Failed(format!("the workload cannot be read: {error}"))
}

/// The workload's place in the compile cache.
struct Slot {
    host: Arc<Host>,
    key: [u8; 32],
    writable: Option<File>,
}

impl Slot {
    /// The place, and what was found there, authenticated.
    fn open(engine: &Engine, source: &Source, workload: &Workload) -> (Self, Option<(Tier, Authentic)>) {
        let host = workload.host.clone();
        let place = match source.digest {
            Some(digest) if workload.cache => {
                let known = Known { scheme: cache::SCHEME, digest, kind: source.kind };
                host.cache_entry(cache::name(engine, &digest), known)
            }
            _ => Place::default(),
        };
        let Place { key, existing, writable } = place;
        let cached = existing.and_then(|file| sys::map_authentic(&file, |file| cache::open(&key, file)));
        (Self { host, key, writable }, cached)
    }

    /// Leaves `code` for the next start. A cache that cannot be written costs time, nothing else.
    fn put(&mut self, tier: Tier, code: &Code) {
        let Some(file) = &mut self.writable else { return };
        let code = match code {
            Code::Module(module) => sys::module_image(module),
            Code::Component(component) => sys::component_image(component),
        };
        let Ok(trailer) = cache::seal(&self.key, tier, code) else { return };
        let written = file.rewind().and_then(|()| file.set_len(0)).and_then(|()| file.write_all(code));
        if written.and_then(|()| file.write_all(&trailer)).is_ok() {
            self.host.notify(&Notice::CacheStored);
        }
    }
}
