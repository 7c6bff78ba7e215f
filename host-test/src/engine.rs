//! The engine and one compiled component: linking, the pooling allocator, the compilation cache, and epoch interruption.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Cache, CacheConfig, Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksCtxView};
use wasmtime_wasi_http::{WasiHttp, WasiHttpView};

use crate::bindings::connector::{AnyConnector, AnyConnectorIndices};
use crate::bindings::steps::AnyStepsIndices;
use crate::bindings::users::TypedUsersIndices;
use crate::manifest::SharedManifest;
use crate::state::State;

/// The interval at which a running guest yields, so that others can run and the deadline of a call can end it.
pub(crate) const EPOCH_INTERVAL: Duration = Duration::from_millis(10);
/// The most core modules in one component. This component has three.
const MAX_CORE_MODULES: u32 = 4;

/// The configuration of a [`Host`](crate::Host).
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// The most memory of one instance, in bytes. 250,000 users, the longest list, take about 200 MB.
    pub max_memory: usize,
    /// The most instances at once. A connector keeps one while it is warm.
    pub max_instances: u32,
    /// The directory of the compilation cache, an absolute path. `None` stands for wasmtime's default, in the user's cache
    /// directory.
    pub cache_dir: Option<PathBuf>,
}

impl Default for HostConfig {
    /// 512 MiB per instance, 64 instances, and the default cache directory.
    fn default() -> Self {
        Self { max_memory: 512 * 1024 * 1024, max_instances: 64, cache_dir: None }
    }
}

/// A compiled and linked component. Clones are cheap.
#[derive(Clone)]
pub(crate) struct Compiled {
    pub(crate) component: InstancePre<State>,
    pub(crate) interface: Interface,
    /// Its description, once the first instance has been asked for it. The same for all connectors of a host.
    pub(crate) manifest: SharedManifest,
    pub(crate) config: HostConfig,
}

/// The way in which a component is driven. Its exports decide.
#[derive(Clone)]
pub(crate) enum Interface {
    /// It sends its requests itself. It may have the typed interface, too.
    Wasi(AnyConnectorIndices, Option<TypedUsersIndices>),
    /// It says what to do.
    Steps(AnyStepsIndices),
}

impl Compiled {
    pub(crate) fn new(bytes: &[u8], config: HostConfig) -> wasmtime::Result<Self> {
        let engine = engine(&config)?;
        let component = Component::new(&engine, bytes)?;
        let component = linker(&engine)?.instantiate_pre(&component)?;
        let interface = match AnyStepsIndices::new(&component) {
            Ok(steps) => Interface::Steps(steps),
            Err(_) => Interface::Wasi(AnyConnectorIndices::new(&component)?, TypedUsersIndices::new(&component).ok()),
        };
        Ok(Self { component, interface, manifest: SharedManifest::default(), config })
    }
}

fn engine(config: &HostConfig) -> wasmtime::Result<Engine> {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(config.max_instances)
        .total_core_instances(config.max_instances.saturating_mul(MAX_CORE_MODULES))
        .max_core_instances_per_component(MAX_CORE_MODULES)
        .total_memories(config.max_instances)
        .total_tables(config.max_instances.saturating_mul(MAX_CORE_MODULES))
        .total_stacks(config.max_instances)
        .max_memory_size(config.max_memory);

    let mut cache = CacheConfig::new();
    if let Some(directory) = &config.cache_dir {
        cache.with_directory(directory);
    }
    // Without a writable directory (no home directory, a read-only file system), each start compiles the component.
    let cache = Cache::new(cache).inspect_err(|error| tracing::debug!(%error, "compiled code is not cached")).ok();

    let mut engine_config = Config::new();
    engine_config.epoch_interruption(true).allocation_strategy(InstanceAllocationStrategy::Pooling(pool)).cache(cache);
    let engine = Engine::new(&engine_config)?;

    // On a thread of its own: spinning guests may occupy every thread of the async runtime.
    let weak = engine.weak();
    thread::Builder::new().name("epoch".into()).spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(EPOCH_INTERVAL);
        }
    })?;
    Ok(engine)
}

/// Every import that this host provides. A component that imports anything else does not link.
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
    AnyConnector::add_to_linker::<State, State>(&mut linker, |state| state)?;
    Ok(linker)
}
