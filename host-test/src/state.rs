//! The state of one instance: its resources, its limits, and its imports.

use std::sync::Arc;

use wasmtime::ResourceLimiter;
use wasmtime::component::{HasData, ResourceTable};
use wasmtime_wasi::clocks::WasiClocksCtx;
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use wasmtime_wasi_io::IoView;

use crate::bindings::automation::connector::{secrets, settings};
use crate::outbound::Outbound;
use crate::values::{Source, SourceError};

/// The data of a store.
pub(crate) struct State {
    pub(crate) table: ResourceTable,
    pub(crate) clocks: WasiClocksCtx,
    pub(crate) memory: MemoryLimit,
    http: WasiHttpCtx,
    outbound: Outbound,
    settings: Arc<dyn Source>,
    secrets: Arc<dyn Source>,
}

impl State {
    pub(crate) fn new(
        outbound: Outbound,
        settings: Arc<dyn Source>,
        secrets: Arc<dyn Source>,
        max_memory: usize,
    ) -> Self {
        // Bounds the host memory that a guest can occupy. An action needs some twenty resources at a time.
        let mut table = ResourceTable::new();
        table.set_max_capacity(1000);
        Self {
            table,
            clocks: WasiClocksCtx::default(),
            memory: MemoryLimit { max: max_memory, used: 0, is_refusal_logged: false },
            http: WasiHttpCtx::new(),
            outbound,
            settings,
            secrets,
        }
    }
}

/// The imports get the whole state.
impl HasData for State {
    type Data<'a> = &'a mut State;
}

impl IoView for State {
    fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outbound, table: &mut self.table, ctx: &mut self.http }
    }
}

impl settings::Host for State {
    fn get(&mut self, name: String) -> Result<Option<String>, settings::LookupError> {
        self.lookup(&*self.settings, &name)
    }
}

impl secrets::Host for State {
    fn get(&mut self, name: String) -> Result<Option<String>, secrets::LookupError> {
        let value = self.lookup(&*self.secrets, &name)?;
        tracing::debug!(name, "the component reads a secret");
        Ok(value)
    }
}

/// The longest name of a value, in bytes. A longer name is refused without being logged.
const MAX_NAME_BYTES: usize = 64;
/// The most look-ups in one call. An action makes some ten.
const MAX_LOOKUPS: u32 = 1000;

impl State {
    fn lookup(&self, source: &dyn Source, name: &str) -> Result<Option<String>, secrets::LookupError> {
        if name.len() > MAX_NAME_BYTES {
            return Err(secrets::LookupError::Denied(format!("a name has at most {MAX_NAME_BYTES} bytes")));
        }
        let mut stats = self.outbound.stats();
        stats.lookups += 1;
        if stats.lookups > MAX_LOOKUPS {
            return Err(secrets::LookupError::Denied(format!("a call may look up at most {MAX_LOOKUPS} values")));
        }
        drop(stats);
        match source.get(name) {
            Ok(value) => Ok(value.map(|value| value.to_string())),
            Err(SourceError::Denied(reason)) => Err(secrets::LookupError::Denied(reason)),
            Err(SourceError::Unavailable(reason)) => Err(secrets::LookupError::Unavailable(reason)),
        }
    }
}

/// Limits and counts the memory of an instance, in bytes.
pub(crate) struct MemoryLimit {
    max: usize,
    pub(crate) used: usize,
    /// Set at the first refusal, so that later ones are not logged.
    is_refusal_logged: bool,
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired <= self.max;
        if allowed {
            self.used = desired;
        } else if !std::mem::replace(&mut self.is_refusal_logged, true) {
            tracing::warn!(desired, most = self.max, "the component exceeds its memory limit");
        }
        Ok(allowed)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= 10_000)
    }
}
