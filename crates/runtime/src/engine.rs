//! Wasmtime, configured for hostile modules.

use crate::sys;
use api::launch::{Ending, Kind};
use api::manifest::{Limits, Manifest};
use std::sync::Arc;
use wasmtime::{Config, Enabled, Engine, OptLevel, PoolingAllocationConfig, Strategy};

/// Room on a fiber's stack beyond what WebAssembly may use: for the host's own calls.
const HOST_STACK: usize = 1 << 20;

/// Core instances of one component in the pool: an 18 MiB Python component makes some 30.
const CORE_INSTANCES: u32 = 40;
/// Linear memories of one component in the pool.
const MEMORIES: u32 = 2;
/// Tables of one component in the pool, and their size.
const TABLES: u32 = 8;
const TABLE_ELEMENTS: usize = 100_000;
/// Bytes of each memory and table that stay in use between two requests.
const KEPT_RESIDENT: usize = 512 << 10;

/// How machine code is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// One pass, four times faster to make, two to six times slower to run: for the first start of a big workload.
    Baseline,
    /// Cranelift with all optimisations.
    Optimized,
}

/// An engine of this tier for workloads of this kind.
pub fn new(tier: Tier, kind: Kind, manifest: &Manifest) -> Result<Engine, Ending> {
    let limits = &manifest.limits;
    let mut config = Config::new();
    config
        .strategy(match tier {
            Tier::Baseline => Strategy::Winch,
            Tier::Optimized => Strategy::Cranelift,
        })
        .cranelift_opt_level(OptLevel::Speed)
        .wasm_component_model(kind != Kind::Module)
        // Keeping track of the component model's tasks costs every call: services that make none do without.
        .concurrency_support(matches!(kind, Kind::Component | Kind::Service { tasks: true }))
        // Traps name functions; the map from code to lines would make every cached workload half as large again.
        .generate_address_map(false)
        // Nothing unwinds through WebAssembly's frames: traps walk frame pointers. Registering takes milliseconds.
        .native_unwind_info(false)
        .consume_fuel(limits.fuel.is_some());
    fix_target(&mut config);
    config.with_custom_code_memory(Some(Arc::new(sys::CodePages)));
    let stack = usize::try_from(limits.stack).unwrap_or(usize::MAX);
    config.max_wasm_stack(stack).async_stack_size(stack.saturating_add(HOST_STACK));
    if let Kind::Service { .. } = kind {
        // Requests share a thread: see `http::clock`.
        config.epoch_interruption(true).allocation_strategy(pool(manifest.http.concurrency, limits));
    } else {
        config.memory_init_cow(false).with_host_memory(Arc::new(sys::memory::HugePages));
    }
    Engine::new(&config).map_err(|error| Ending::Failed(format!("no engine: {error:#}")))
}

/// Generates code for one fixed processor level, so that the same workload gives the same machine code everywhere:
/// inside a TEE, what CPUID says is the host's word.
#[cfg(target_arch = "x86_64")]
fn fix_target(config: &mut Config) {
    use std::arch::is_x86_feature_detected as has;
    // The triple of this program itself, without which Wasmtime would ask CPUID.
    let _ = config.target(env!("TARGET"));
    let v3 = has!("avx2") && has!("fma") && has!("bmi1") && has!("bmi2") && has!("lzcnt") && has!("popcnt");
    if v3 {
        sys::enable_instruction_set(config, "x86-64-v3");
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn fix_target(_: &mut Config) {}

/// Ready-made slots, so that a fresh instance costs microseconds.
fn pool(concurrency: u32, limits: &Limits) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    let memory = usize::try_from(limits.memory).unwrap_or(usize::MAX);
    pool.total_component_instances(concurrency)
        .total_core_instances(concurrency.saturating_mul(CORE_INSTANCES))
        .total_memories(concurrency.saturating_mul(MEMORIES))
        .total_tables(concurrency.saturating_mul(TABLES))
        // One for the request and one for what the component calls asynchronously.
        .total_stacks(concurrency.saturating_mul(2))
        .max_memory_size(memory.min(4 << 30))
        .table_elements(usize::try_from(limits.table).unwrap_or(usize::MAX).min(TABLE_ELEMENTS))
        // What one request has touched is wiped rather than given back to the kernel and faulted in again.
        .linear_memory_keep_resident(KEPT_RESIDENT)
        .table_keep_resident(KEPT_RESIDENT)
        .pagemap_scan(Enabled::Auto);
    pool
}
