//! The data of an instance: its resources, its limits, and what it shares with the other instances of its application.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::log::Log;
use crate::outbound::Outbound;
use crate::variables::Variables;

/// The data of a store.
pub(crate) struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
    pub(crate) variables: Variables,
    pub(crate) limit: MemoryLimit,
}

impl State {
    pub(crate) fn new(outbound: Outbound, variables: Variables, log: &Log, memory: usize, counts: Arc<Counts>) -> Self {
        Self {
            table: ResourceTable::new(),
            wasi: WasiCtx::builder().stdout(log.clone()).stderr(log.clone()).build(),
            http: WasiHttpCtx::new(),
            outbound,
            variables,
            limit: MemoryLimit { most: memory, counts },
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outbound, table: &mut self.table, ctx: &mut self.http }
    }
}

/// Counts of all instances of an application.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// How many were started.
    pub(crate) instances: AtomicUsize,
    /// The most memory that one of them had, in bytes.
    pub(crate) memory: AtomicUsize,
}

/// Bounds the memory of an instance, and counts it.
pub(crate) struct MemoryLimit {
    most: usize,
    counts: Arc<Counts>,
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired <= self.most;
        if allowed {
            self.counts.memory.fetch_max(desired, Ordering::Relaxed);
        }
        Ok(allowed)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= 100_000)
    }
}
