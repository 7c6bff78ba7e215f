//! What belongs to one instance: its resources, its limits, and its view of the platform.

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
    pub(crate) limits: MemoryLimit,
    http: WasiHttpCtx,
    outbound: Outbound,
    settings: Arc<dyn Source>,
    secrets: Arc<dyn Source>,
}

impl State {
    pub(crate) fn new(outbound: Outbound, settings: Arc<dyn Source>, secrets: Arc<dyn Source>, memory: usize) -> Self {
        // What a guest holds of the host's memory: an action needs some twenty resources at a time.
        let mut table = ResourceTable::new();
        table.set_max_capacity(1000);
        Self {
            table,
            clocks: WasiClocksCtx::default(),
            limits: MemoryLimit { most: memory, used: 0, refused: false },
            http: WasiHttpCtx::new(),
            outbound,
            settings,
            secrets,
        }
    }
}

/// The component borrows the whole state.
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

/// The longest name of a value, in bytes. A longer one is not even logged.
const MAX_NAME: usize = 64;
/// How many values one call may ask for. An action asks for some ten.
const MAX_LOOKUPS: u32 = 1000;

impl State {
    fn lookup(&self, source: &dyn Source, name: &str) -> Result<Option<String>, secrets::LookupError> {
        if name.len() > MAX_NAME {
            return Err(secrets::LookupError::Denied(format!("a name has at most {MAX_NAME} bytes")));
        }
        let mut trail = self.outbound.trail();
        trail.lookups += 1;
        if trail.lookups > MAX_LOOKUPS {
            return Err(secrets::LookupError::Denied(format!("a call may ask for {MAX_LOOKUPS} values at most")));
        }
        drop(trail);
        match source.get(name) {
            Ok(value) => Ok(value.map(|value| value.to_string())),
            Err(SourceError::Denied(why)) => Err(secrets::LookupError::Denied(why)),
            Err(SourceError::Unavailable(why)) => Err(secrets::LookupError::Unavailable(why)),
        }
    }
}

/// Bounds the memory of an instance, and knows how much it uses.
pub(crate) struct MemoryLimit {
    most: usize,
    pub(crate) used: usize,
    /// Whether growth was refused: of many times, only the first is logged.
    refused: bool,
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired <= self.most;
        if allowed {
            self.used = desired;
        } else if !std::mem::replace(&mut self.refused, true) {
            tracing::warn!(desired, most = self.most, "the component wants more memory than it may use");
        }
        Ok(allowed)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= 10_000)
    }
}
