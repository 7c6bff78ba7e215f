//! The store data of an instance: its resources, its limits, and the counters that all instances of an application share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{HostMonotonicClock, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::options::Options;
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
    pub(crate) fn new(outbound: Outbound, variables: Variables, options: &Options, counts: Arc<Counts>) -> Self {
        let Options { max_memory, log, clock_rate, .. } = options;
        let clock = Clock { start: Instant::now(), rate: *clock_rate };
        Self {
            table: ResourceTable::new(),
            wasi: WasiCtx::builder().stdout(log.clone()).stderr(log.clone()).monotonic_clock(clock).build(),
            http: WasiHttpCtx::new(),
            outbound,
            variables,
            limit: MemoryLimit { max: *max_memory, counts },
        }
    }
}

/// A monotonic clock that runs at another speed.
struct Clock {
    start: Instant,
    rate: u64,
}

impl HostMonotonicClock for Clock {
    fn resolution(&self) -> u64 {
        self.rate
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX).saturating_mul(self.rate)
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

/// Counters over all instances of an application.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// The number of instances that were started.
    pub(crate) instances: AtomicUsize,
    /// The peak memory of any instance, in bytes.
    pub(crate) peak_memory: AtomicUsize,
}

/// Limits the memory of an instance, and records its peak.
pub(crate) struct MemoryLimit {
    max: usize,
    counts: Arc<Counts>,
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired <= self.max;
        if allowed {
            self.counts.peak_memory.fetch_max(desired, Ordering::Relaxed);
        }
        Ok(allowed)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= 100_000)
    }
}
