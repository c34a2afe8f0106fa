//! What a workload may use at most, enforced while it runs.

use api::launch::Ending;
use api::manifest::Limits;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wasmtime::{ResourceLimiter, Trap};
use wasmtime_wasi::I32Exit;

/// Ends the workload: it asked to, with this exit code.
#[derive(Debug, thiserror::Error)]
#[error("exit code {0}")]
pub struct Exit(pub u8);

/// Ends the workload: this limit is reached.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct LimitReached(pub String);

/// Counts memories, tables and instances of one store. Those of all stores of a workload share its limits.
pub struct Limiter {
    memory: Quota,
    table: Quota,
    instances: usize,
    /// The last refusal, told when the workload then fails because of it.
    refused: Option<String>,
}

impl Limiter {
    /// A limiter with nothing used yet.
    pub fn new(limits: &Limits) -> Self {
        Self {
            memory: Quota::new("memory", "bytes", limits.memory),
            table: Quota::new("table", "elements", limits.table),
            instances: usize::try_from(limits.instances).unwrap_or(usize::MAX),
            refused: None,
        }
    }

    /// A limiter for another store of the same workload.
    pub fn another(&self) -> Self {
        let (memory, table) = (self.memory.another(), self.table.another());
        Self { memory, table, instances: self.instances, refused: None }
    }

    /// Says how the workload ended, from the error its call returned.
    pub fn ending(&self, error: &wasmtime::Error) -> Ending {
        if let Some(Exit(code)) = error.downcast_ref() {
            return Ending::Exit(*code);
        }
        if let Some(I32Exit(code)) = error.downcast_ref() {
            // As a process does on Linux: the low eight bits.
            return Ending::Exit(code.to_le_bytes()[0]);
        }
        if let Some(LimitReached(what)) = error.downcast_ref() {
            return Ending::Limit(what.clone());
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => Ending::Limit("its fuel is used up".to_owned()),
            Some(trap) => Ending::Trap(self.after_refusal(&backtraced(trap, error))),
            None => match &self.refused {
                Some(refused) => Ending::Limit(refused.clone()),
                None => Ending::Trap(format!("{error:#}")),
            },
        }
    }

    fn after_refusal(&self, what: &str) -> String {
        match &self.refused {
            Some(refused) => format!("{what}\n  note: before that, {refused}"),
            None => what.to_owned(),
        }
    }
}

/// The trap, and the functions it happened in.
fn backtraced(trap: &Trap, error: &wasmtime::Error) -> String {
    let mut text = trap.to_string();
    if let Some(backtrace) = error.downcast_ref::<wasmtime::WasmBacktrace>() {
        for frame in backtrace.frames().iter().take(16) {
            match frame.func_name() {
                Some(name) => text.push_str(&format!("\n  at {name}")),
                None => text.push_str(&format!("\n  at function {}", frame.func_index())),
            }
        }
    }
    text
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.memory.grow(current, desired, &mut self.refused))
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory.give_back();
        self.refused = Some(format!("memory could not grow: {error}"));
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.table.grow(current, desired, &mut self.refused))
    }

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.table.give_back();
        Ok(())
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        usize::MAX
    }

    fn memories(&self) -> usize {
        usize::MAX
    }
}

/// A sum over all memories, or all tables, that may not pass its limit.
struct Quota {
    what: &'static str,
    unit: &'static str,
    limit: u64,
    /// By all stores of the workload.
    used: Arc<AtomicU64>,
    /// By this one.
    own: u64,
    last: u64,
}

impl Quota {
    fn new(what: &'static str, unit: &'static str, limit: u64) -> Self {
        Self { what, unit, limit, used: Arc::default(), own: 0, last: 0 }
    }

    fn another(&self) -> Self {
        Self { used: self.used.clone(), own: 0, last: 0, ..*self }
    }

    fn grow(&mut self, current: usize, desired: usize, refused: &mut Option<String>) -> bool {
        let growth = desired.saturating_sub(current) as u64;
        let wanted = self.used.fetch_add(growth, Ordering::Relaxed).saturating_add(growth);
        if wanted > self.limit {
            self.used.fetch_sub(growth, Ordering::Relaxed);
            let Self { what, unit, limit, .. } = self;
            *refused = Some(format!("{what} of {wanted} {unit} was refused (limits.{what} is {limit})"));
            return false;
        }
        self.own += growth;
        self.last = growth;
        true
    }

    /// The growth just allowed did not happen.
    fn give_back(&mut self) {
        let last = std::mem::take(&mut self.last);
        self.own -= last;
        self.used.fetch_sub(last, Ordering::Relaxed);
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        self.used.fetch_sub(self.own, Ordering::Relaxed);
    }
}

/// What may still be written to standard output and error, shared by all who write there.
#[derive(Clone)]
pub struct Output(Arc<AtomicU64>, u64);

impl Output {
    /// Nothing written yet.
    pub fn new(limits: &Limits) -> Self {
        let limit = limits.output.unwrap_or(u64::MAX);
        Self(Arc::new(AtomicU64::new(0)), limit)
    }

    /// Counts `bytes` about to be written; refused when they would pass the limit.
    pub fn charge(&self, bytes: usize) -> Result<(), LimitReached> {
        let written = self.0.fetch_add(bytes as u64, Ordering::Relaxed).saturating_add(bytes as u64);
        if written <= self.1 {
            return Ok(());
        }
        Err(LimitReached(format!("its output of {} bytes (limits.output) is used up", self.1)))
    }
}
