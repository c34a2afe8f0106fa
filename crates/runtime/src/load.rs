//! From the workload's bytes to machine code: checked, taken from the cache or compiled, never executed here.
//!
//! A workload is compiled once by Cranelift. Where that would take seconds, the first start runs code of the baseline
//! compiler instead, and Cranelift's follows into the cache while the workload runs.

use crate::cache;
use crate::engine::{self, Purpose, Tier};
use crate::host::{Host, Place};
use crate::sys::{self, Authentic, Mapping};
use crate::workload::Workload;
use api::launch::{Ending, Notice};
use std::fs::File;
use std::io::{Seek, Write};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;
use wasmtime::component::Component;
use wasmtime::wasmparser::{Parser, Payload};
use wasmtime::{Engine, Module};

/// Functions a workload may have: CPython has 20 thousand. A million empty ones would compile for a minute.
const FUNCTIONS_LIMIT: u64 = 250_000;
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
    /// What it does.
    pub flavour: Flavour,
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

/// How a workload is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Once, from its start function to its end.
    Command,
    /// For each request that arrives at a declared listener.
    Http {
        /// By the asynchronous functions of WASI 0.3.
        tasks: bool,
    },
}

/// Loads the workload.
pub fn load(workload: &Workload) -> Result<Loaded, Ending> {
    let bytes = read(workload)?;
    let kind = Kind::of(&bytes).map_err(Ending::BadModule)?;
    let flavour = flavour(&bytes)?;
    let purpose = match (kind, flavour) {
        (Kind::Module, _) => Purpose::Module,
        (Kind::Component, Flavour::Command) => Purpose::Component,
        (Kind::Component, Flavour::Http { tasks }) => {
            Purpose::Requests { concurrency: workload.manifest.http.concurrency, tasks }
        }
    };
    let source = Source { bytes: Arc::new(bytes), kind, purpose };
    let (engine, code, stored) = source.load(workload)?;
    Ok(Loaded { engine, code, flavour, stored })
}

/// A workload's WebAssembly, and what decides the code made of it.
#[derive(Clone)]
struct Source {
    bytes: Arc<Mapping>,
    kind: Kind,
    purpose: Purpose,
}

impl Source {
    /// Machine code from the cache, or made now and left there for the next start.
    fn load(&self, workload: &Workload) -> Result<(Engine, Code, Option<Receiver<()>>), Ending> {
        let limits = &workload.manifest.limits;
        let optimized = engine::new(Tier::Optimized, self.purpose, limits)?;
        let (mut slot, cached) = Slot::open(&optimized, &self.bytes, workload);
        if let Some((tier, code)) = cached {
            let engine = match tier {
                Tier::Optimized => optimized,
                Tier::Baseline => {
                    let baseline = engine::new(Tier::Baseline, self.purpose, limits)?;
                    self.improve_later(optimized, slot, None);
                    baseline
                }
            };
            let code = match self.kind {
                Kind::Module => sys::load_module(&engine, code).map(Code::Module),
                Kind::Component => sys::load_component(&engine, code).map(Code::Component),
            };
            let code = code.map_err(|error| Ending::Failed(format!("cached machine code: {error:#}")))?;
            return Ok((engine, code, None));
        }
        if self.bytes.len() >= BASELINE_FROM && limits.fuel.is_none() {
            let baseline = engine::new(Tier::Baseline, self.purpose, limits)?;
            // What the baseline compiler does not support, Cranelift compiles below.
            if let Ok(code) = self.compile(&baseline) {
                let stored = self.improve_later(optimized, slot, Some(code.clone()));
                return Ok((baseline, code, stored));
            }
        }
        let code = self.compile(&optimized).map_err(|error| Ending::BadModule(format!("{error:#}")))?;
        slot.put(Tier::Optimized, &code);
        Ok((optimized, code, None))
    }

    fn compile(&self, engine: &Engine) -> wasmtime::Result<Code> {
        match self.kind {
            Kind::Module => Module::from_binary(engine, &self.bytes).map(Code::Module),
            Kind::Component => Component::from_binary(engine, &self.bytes).map(Code::Component),
        }
    }

    /// While the workload runs, stores the `baseline` code just made, and then makes optimized code for the next start,
    /// once this one has proved to be more than a short command. The receiver is told when the first is done.
    fn improve_later(&self, engine: Engine, mut slot: Slot, baseline: Option<Code>) -> Option<Receiver<()>> {
        slot.writable.as_ref()?;
        let source = self.clone();
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
}

/// The workload's place in the compile cache.
struct Slot {
    host: Arc<Host>,
    key: [u8; 32],
    writable: Option<File>,
}

impl Slot {
    /// The place, and what was found there, authenticated.
    fn open(engine: &Engine, bytes: &[u8], workload: &Workload) -> (Self, Option<(Tier, Authentic)>) {
        let host = workload.host.clone();
        let place =
            if workload.cache { host.cache_entry(cache::name(engine, bytes)) } else { Place::default() };
        let Place { key, existing, writable } = place;
        let cached = existing.and_then(|file| sys::map_authentic(&file, |entry| cache::open(&key, entry)));
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

/// What the workload's file contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Module,
    Component,
}

impl Kind {
    fn of(bytes: &[u8]) -> Result<Self, String> {
        match bytes {
            [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => Ok(Self::Module),
            [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => Ok(Self::Component),
            [0, b'a', b's', b'm', version @ ..] => {
                Err(format!("WebAssembly of an unknown version ({:02x?})", &version[..version.len().min(4)]))
            }
            [] => Err("the file is empty".to_owned()),
            [0x7f, b'E', b'L', b'F', ..] => Err("machine code (an ELF file), not WebAssembly; \
                 a keep compiles the .wasm file itself"
                .to_owned()),
            [0x1f, 0x8b, ..] => Err("a gzip archive, not WebAssembly; unpack it first".to_owned()),
            _ if looks_like_text(bytes) => Err("WebAssembly text, not its binary form; translate it first, \
                 for example with `wasm-tools parse app.wat -o app.wasm`"
                .to_owned()),
            _ => Err("not a WebAssembly file".to_owned()),
        }
    }
}

fn looks_like_text(bytes: &[u8]) -> bool {
    let start = bytes.trim_ascii_start();
    start.starts_with(b"(module") || start.starts_with(b"(component") || start.starts_with(b";;")
}

fn read(workload: &Workload) -> Result<Mapping, Ending> {
    let failed = |error| Ending::Failed(format!("the workload cannot be read: {error}"));
    let len = workload.wasm.metadata().map_err(failed)?.len();
    let limit = workload.manifest.limits.module;
    if len > limit {
        return Err(Ending::Limit(format!("a workload of {len} bytes (limits.module is {limit})")));
    }
    Mapping::new(&workload.wasm, usize::try_from(len).unwrap_or(usize::MAX)).map_err(failed)
}

/// Reads the outline of the workload, without its code: what it exports, and how much there would be to compile.
fn flavour(bytes: &[u8]) -> Result<Flavour, Ending> {
    let bad = |error: wasmtime::wasmparser::BinaryReaderError| Ending::BadModule(error.to_string());
    let (mut functions, mut depth) = (0, 0_u32);
    let (mut http, mut tasks, mut command) = (false, false, false);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(bad)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::FunctionSection(section) => functions += u64::from(section.count()),
            Payload::ComponentExportSection(exports) if depth == 0 => {
                for export in exports {
                    let name = export.map_err(bad)?.name.name;
                    tasks |= name.starts_with("wasi:http/handler@");
                    http |= tasks || name.starts_with("wasi:http/incoming-handler@");
                    command |= name.starts_with("wasi:cli/run@");
                }
            }
            _ => {}
        }
    }
    if functions > FUNCTIONS_LIMIT {
        return Err(Ending::Limit(format!("{functions} functions (at most {FUNCTIONS_LIMIT} are compiled)")));
    }
    Ok(if http && !command { Flavour::Http { tasks } } else { Flavour::Command })
}
