//! The engine and one compiled component: what is linked, how instances are allocated, and the clock that interrupts guests.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use wasmtime::component::{Component, Linker};
use wasmtime::{Cache, CacheConfig, Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksCtxView};
use wasmtime_wasi_http::{WasiHttp, WasiHttpView};

use crate::bindings::{Plugin, PluginPre};
use crate::state::State;

/// How often a running guest is interrupted, so that others run and a call's deadline can end it.
const EPOCH: Duration = Duration::from_millis(10);
/// How many core modules one component may be made of: this one is made of three.
const MODULES: u32 = 4;

/// What a host grants to every connector.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The most memory that one instance may use, in bytes. 250,000 users, the longest list, take about 200 MB.
    pub memory: usize,
    /// The most instances that live at once. Each connector keeps one while it is warm.
    pub instances: u32,
    /// Where compiled code is kept between runs; `None` for the user's own cache directory.
    pub cache: Option<PathBuf>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 512 * 1024 * 1024, instances: 64, cache: None }
    }
}

/// A compiled component, ready for instances to be made of it. Clones are cheap.
#[derive(Clone)]
pub(crate) struct Compiled {
    pub(crate) component: PluginPre<State>,
    pub(crate) limits: Limits,
}

impl Compiled {
    pub(crate) fn new(bytes: &[u8], limits: Limits) -> wasmtime::Result<Self> {
        let engine = engine(&limits)?;
        let component = Component::new(&engine, bytes)?;
        let component = PluginPre::new(linker(&engine)?.instantiate_pre(&component)?)?;
        Ok(Self { component, limits })
    }
}

fn engine(limits: &Limits) -> wasmtime::Result<Engine> {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(limits.instances)
        .total_core_instances(limits.instances.saturating_mul(MODULES))
        .max_core_instances_per_component(MODULES)
        .total_memories(limits.instances)
        .total_tables(limits.instances.saturating_mul(MODULES))
        .total_stacks(limits.instances)
        .max_memory_size(limits.memory);

    let mut cache = CacheConfig::new();
    if let Some(directory) = &limits.cache {
        cache.with_directory(directory);
    }
    // Without a place to keep it (no home directory, a read-only file system), the code is compiled at each start.
    let cache = Cache::new(cache).inspect_err(|error| tracing::debug!(%error, "compiled code is not cached")).ok();

    let mut config = Config::new();
    config.epoch_interruption(true).allocation_strategy(InstanceAllocationStrategy::Pooling(pool)).cache(cache);
    let engine = Engine::new(&config)?;

    // A thread of its own: a guest that spins may keep every thread of the async runtime busy.
    let weak = engine.weak();
    thread::Builder::new().name("epoch".into()).spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(EPOCH);
        }
    })?;
    Ok(engine)
}

/// All that a component can get from this host. What is not here does not link.
fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
    use wasmtime_wasi_http::p2::bindings::http::{outgoing_handler, types};

    let mut linker = Linker::new(engine);
    wasmtime_wasi_io::add_to_linker_async(&mut linker)?;
    monotonic_clock::add_to_linker::<State, WasiClocks>(&mut linker, |state| WasiClocksCtxView {
        ctx: &mut state.clocks,
        table: &mut state.table,
    })?;
    types::add_to_linker::<State, WasiHttp>(&mut linker, &types::LinkOptions::default(), State::http)?;
    outgoing_handler::add_to_linker::<State, WasiHttp>(&mut linker, State::http)?;
    Plugin::add_to_linker::<State, State>(&mut linker, |state| state)?;
    Ok(linker)
}
