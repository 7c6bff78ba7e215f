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
        Self {
            table: ResourceTable::new(),
            clocks: WasiClocksCtx::default(),
            limits: MemoryLimit { most: memory, used: 0 },
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
        lookup(&*self.settings, &name)
    }
}

impl secrets::Host for State {
    fn get(&mut self, name: String) -> Result<Option<String>, secrets::LookupError> {
        let value = lookup(&*self.secrets, &name)?;
        tracing::debug!(name, "the component reads a secret");
        Ok(value)
    }
}

/// The longest name of a value, in bytes. A longer one is not even logged.
const MAX_NAME: usize = 64;

fn lookup(source: &dyn Source, name: &str) -> Result<Option<String>, secrets::LookupError> {
    if name.len() > MAX_NAME {
        return Err(secrets::LookupError::Denied(format!("a name has at most {MAX_NAME} bytes")));
    }
    match source.get(name) {
        Ok(value) => Ok(value.map(|value| value.to_string())),
        Err(SourceError::Denied(why)) => Err(secrets::LookupError::Denied(why)),
        Err(SourceError::Unavailable(why)) => Err(secrets::LookupError::Unavailable(why)),
    }
}

/// Bounds the memory of an instance, and knows how much it uses.
pub(crate) struct MemoryLimit {
    most: usize,
    pub(crate) used: usize,
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired <= self.most;
        if allowed {
            self.used = desired;
        } else {
            tracing::warn!(desired, most = self.most, "the component wants more memory than it may use");
        }
        Ok(allowed)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= 10_000)
    }
}
