//! The state of one instance: its resources, its limits, and its imports.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::ResourceLimiter;
use wasmtime::component::{HasData, ResourceTable};
use wasmtime_wasi::clocks::WasiClocksCtx;
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use wasmtime_wasi_io::IoView;

use crate::bindings::connector::automation::connector::secrets::LookupErrorKind;
use crate::bindings::connector::automation::connector::{secrets, settings};
use crate::outbound::Outbound;
use crate::values::{Source, SourceError};

/// The most core modules in one component, and the most tables. This component has three.
pub(crate) const MAX_CORE_MODULES: u32 = 4;
/// The most linear memories in one component. Most have one.
pub(crate) const MAX_MEMORIES: u32 = 4;

/// The data of a store.
pub(crate) struct State {
    pub(crate) table: ResourceTable,
    pub(crate) clocks: WasiClocksCtx,
    pub(crate) memory: MemoryLimit,
    http: WasiHttpCtx,
    outbound: Outbound,
    settings: Arc<dyn Source>,
    secrets: Arc<dyn Source>,
    lookup_timeout: Duration,
}

impl State {
    pub(crate) fn new(
        outbound: Outbound,
        settings: Arc<dyn Source>,
        secrets: Arc<dyn Source>,
        lookup_timeout: Duration,
        max_memory: usize,
    ) -> Self {
        // Bounds the host memory that a guest can occupy. An action needs some twenty resources at a time.
        let mut table = ResourceTable::new();
        table.set_max_capacity(1000);
        Self {
            table,
            clocks: WasiClocksCtx::default(),
            memory: MemoryLimit::new(max_memory),
            http: WasiHttpCtx::new(),
            outbound,
            settings,
            secrets,
            lookup_timeout,
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
    async fn get(&mut self, names: Vec<String>) -> Result<Vec<Option<String>>, settings::LookupError> {
        check(&self.outbound, &names)?;
        tracing::trace!("the component reads settings");
        lookup(self.settings.clone(), self.lookup_timeout, names).await
    }
}

impl secrets::Host for State {
    async fn get(&mut self, names: Vec<String>) -> Result<Vec<Option<String>>, secrets::LookupError> {
        // Logged after the check, so that the log cannot be flooded.
        check(&self.outbound, &names)?;
        tracing::debug!(names = names.join(" "), "the component reads secrets");
        let values = lookup(self.secrets.clone(), self.lookup_timeout, names).await?;
        values.iter().flatten().for_each(|value| self.outbound.hand_out(value.trim()));
        Ok(values)
    }
}

/// The longest name of a value, in bytes. A longer name is refused without being logged.
const MAX_NAME_BYTES: usize = 64;
/// The most values that one look-up may ask for.
const MAX_NAMES: usize = 100;
/// The most look-ups in one call. An action makes three.
const MAX_LOOKUPS: u32 = 1000;

/// Counts a look-up, and refuses one beyond the limits of a call.
pub(crate) fn check(outbound: &Outbound, names: &[String]) -> Result<(), secrets::LookupError> {
    let denied = |message| Err(secrets::LookupError { kind: LookupErrorKind::Denied, name: None, message });
    if names.len() > MAX_NAMES {
        return denied(format!("a look-up asks for at most {MAX_NAMES} values"));
    }
    if names.iter().any(|name| name.len() > MAX_NAME_BYTES) {
        return denied(format!("a name has at most {MAX_NAME_BYTES} bytes"));
    }
    let mut stats = outbound.stats();
    stats.lookups += 1;
    if stats.lookups > MAX_LOOKUPS {
        return denied(format!("a call may make at most {MAX_LOOKUPS} look-ups"));
    }
    Ok(())
}

/// Looks values up in a source, within a time limit.
pub(crate) async fn lookup(
    source: Arc<dyn Source>,
    timeout: Duration,
    names: Vec<String>,
) -> Result<Vec<Option<String>>, secrets::LookupError> {
    let failed = |kind, name, message| Err(secrets::LookupError { kind, name, message });
    let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
    match tokio::time::timeout(timeout, source.get(&borrowed)).await {
        Ok(Ok(values)) if values.len() == names.len() => {
            Ok(values.into_iter().map(|value| value.map(|value| value.to_string())).collect())
        }
        Ok(Ok(_)) => {
            let message = "the source returned another number of values than it was asked for".into();
            failed(LookupErrorKind::Unavailable, None, message)
        }
        Ok(Err(SourceError::Denied { name, reason })) => failed(LookupErrorKind::Denied, Some(name), reason),
        Ok(Err(SourceError::Unavailable { name, reason })) => failed(LookupErrorKind::Unavailable, name, reason),
        Err(_) => {
            let message = format!("the source did not answer within {} s", timeout.as_secs_f64());
            failed(LookupErrorKind::Unavailable, None, message)
        }
    }
}

/// The most elements of all tables of an instance together.
const MAX_TABLE_ELEMENTS: usize = 10_000;

/// Limits and counts what an instance has: the bytes of all its memories together, and the elements of all its tables.
pub(crate) struct MemoryLimit {
    max: usize,
    pub(crate) used: usize,
    table_elements: usize,
    /// The latest growth that was allowed, to be taken back if it fails.
    growth: usize,
    /// Set at the first refusal, so that later ones are not logged.
    is_refusal_logged: bool,
}

impl MemoryLimit {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, used: 0, table_elements: 0, growth: 0, is_refusal_logged: false }
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        self.growth = desired.saturating_sub(current);
        let total = self.used.saturating_add(self.growth);
        let allowed = total <= self.max;
        if allowed {
            self.used = total;
        } else if !std::mem::replace(&mut self.is_refusal_logged, true) {
            tracing::warn!(total, max = self.max, "the component exceeds its memory limit");
        }
        Ok(allowed)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.used = self.used.saturating_sub(std::mem::take(&mut self.growth));
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.table_elements.saturating_add(desired.saturating_sub(current));
        let allowed = total <= MAX_TABLE_ELEMENTS;
        if allowed {
            self.table_elements = total;
        }
        Ok(allowed)
    }

    fn instances(&self) -> usize {
        MAX_CORE_MODULES as usize
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES as usize
    }

    fn tables(&self) -> usize {
        MAX_CORE_MODULES as usize
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end here")]
mod tests {
    use wasmtime::{Engine, Instance, Module, Store, Val};

    use super::*;

    /// Two memories and two tables, which grow in turn.
    const MODULE: &str = r#"(module
        (memory $a 1) (memory $b 1) (table $s 10 funcref) (table $t 10 funcref)
        (func (export "a") (param i32) (result i32) (memory.grow $a (local.get 0)))
        (func (export "b") (param i32) (result i32) (memory.grow $b (local.get 0)))
        (func (export "s") (param i32) (result i32) (table.grow $s (ref.null func) (local.get 0)))
        (func (export "t") (param i32) (result i32) (table.grow $t (ref.null func) (local.get 0))))"#;
    const PAGE: usize = 65536;

    fn module(engine: &Engine, text: &str) -> Module {
        Module::new(engine, wat::parse_str(text).unwrap()).unwrap()
    }

    #[test]
    fn row_57_all_memories_and_tables_of_an_instance_count_together() {
        let engine = Engine::default();
        let mut store = Store::new(&engine, MemoryLimit::new(10 * PAGE));
        store.limiter(|limit| limit);
        let instance = Instance::new(&mut store, &module(&engine, MODULE), &[]).unwrap();
        let mut grow = |name: &str, by: i32| {
            let mut result = [Val::I32(0)];
            instance.get_func(&mut store, name).unwrap().call(&mut store, &[Val::I32(by)], &mut result).unwrap();
            (result[0].unwrap_i32() >= 0, store.data().used)
        };
        assert_eq!(grow("a", 4), (true, 6 * PAGE));
        assert_eq!(grow("b", 5), (false, 6 * PAGE));
        assert_eq!(grow("b", 4), (true, 10 * PAGE));
        assert_eq!(grow("a", 1), (false, 10 * PAGE));
        assert_eq!(grow("s", 6_000), (true, 10 * PAGE));
        assert_eq!(grow("t", 6_000), (false, 10 * PAGE));
        assert_eq!(grow("t", 3_000), (true, 10 * PAGE));
    }

    #[test]
    fn row_57_a_growth_that_fails_does_not_count() {
        let engine = Engine::default();
        let mut store = Store::new(&engine, MemoryLimit::new(10 * PAGE));
        store.limiter(|limit| limit);
        let text = r#"(module (memory 1 2) (func (export "a") (result i32) (memory.grow (i32.const 5))))"#;
        let instance = Instance::new(&mut store, &module(&engine, text), &[]).unwrap();
        let mut result = [Val::I32(0)];
        instance.get_func(&mut store, "a").unwrap().call(&mut store, &[], &mut result).unwrap();
        assert_eq!((result[0].unwrap_i32(), store.data().used), (-1, PAGE));
    }
}
