//! The engine and one compiled component: linking, the pooling allocator, and epoch interruption.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use wasmtime::component::{InstancePre, Linker};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksCtxView};
use wasmtime_wasi_http::{WasiHttp, WasiHttpView};

use crate::bindings::connector::{AnyConnector, AnyConnectorIndices};
use crate::bindings::steps::AnyStepsIndices;
use crate::bindings::users::TypedUsersIndices;
use crate::code_cache;
use crate::manifest::SharedManifest;
use crate::pool::Pool;
use crate::state::{MAX_CORE_MODULES, MAX_MEMORIES, State};

/// The interval at which a running guest yields, so that others can run and the deadline of a call can end it.
pub(crate) const EPOCH_INTERVAL: Duration = Duration::from_millis(10);

/// The configuration of a [`Host`](crate::Host).
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// The most memory of one instance, in bytes: all its linear memories together. 250,000 users, the longest list, take about
    /// 200 MB.
    pub max_memory: usize,
    /// The most instances at once. A connector keeps one while it is warm. If all are taken, the one that has been idle for
    /// longest is dropped for a new one; if none is idle, the call fails with [`Error::Busy`](crate::Error::Busy).
    ///
    /// Address space for all of them is reserved at the start, 4 GiB and more for each. A program with a limit on its address
    /// space (`ulimit -v`) sets [`reserve_memory`](Self::reserve_memory) to false.
    pub max_instances: u32,
    /// Reserves 4 GiB of address space for each memory, so that compiled code needs no checks of bounds. If false, only
    /// `max_memory` is reserved, and the code checks: long lists take a little longer. True by default.
    pub reserve_memory: bool,
    /// A folder for compiled code, an absolute path. It is created with mode 0700 if it does not exist. A folder that is not the
    /// process's own is not used: its owner, its mode (0700), and the folders above it are checked, and the last two parts of its
    /// path must not be symbolic links. Code is used only if it has the hash that was stored with it. `None`, the default, stands
    /// for no cache: each start compiles the component, which takes some 0.1 to 0.3 seconds.
    pub cache_dir: Option<PathBuf>,
}

impl Default for HostConfig {
    /// 512 MiB per instance, 64 instances, and no cache.
    fn default() -> Self {
        Self { max_memory: 512 * 1024 * 1024, max_instances: 64, reserve_memory: true, cache_dir: None }
    }
}

impl HostConfig {
    /// The folder for compiled code of a program, in the user's cache directory: `$XDG_CACHE_HOME`, `~/.cache`, or on macOS
    /// `~/Library/Caches`. `None` if the environment names none. For [`cache_dir`](Self::cache_dir).
    #[must_use]
    pub fn user_cache_dir(program: &str) -> Option<PathBuf> {
        code_cache::user_folder(program)
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
    pub(crate) pool: Arc<Pool>,
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
        let component = code_cache::load(&engine, bytes, config.cache_dir.as_deref())?;
        let component = linker(&engine)?.instantiate_pre(&component)?;
        let interface = match AnyStepsIndices::new(&component) {
            Ok(steps) => Interface::Steps(steps),
            Err(_) => Interface::Wasi(AnyConnectorIndices::new(&component)?, TypedUsersIndices::new(&component).ok()),
        };
        Ok(Self { component, interface, manifest: SharedManifest::default(), config, pool: Arc::default() })
    }
}

fn engine(config: &HostConfig) -> wasmtime::Result<Engine> {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(config.max_instances)
        .total_core_instances(config.max_instances.saturating_mul(MAX_CORE_MODULES))
        .max_core_instances_per_component(MAX_CORE_MODULES)
        .max_memories_per_component(MAX_MEMORIES)
        .max_tables_per_component(MAX_CORE_MODULES)
        .total_memories(config.max_instances)
        .total_tables(config.max_instances.saturating_mul(MAX_CORE_MODULES))
        .total_stacks(config.max_instances)
        .max_memory_size(config.max_memory);

    let mut engine_config = Config::new();
    engine_config.epoch_interruption(true).allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    if !config.reserve_memory {
        engine_config.memory_reservation(config.max_memory as u64).memory_guard_size(64 * 1024);
    }
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
