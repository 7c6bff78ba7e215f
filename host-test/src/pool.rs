//! The warm instances of all connectors of a host. One that is idle makes room for a new one.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

/// The most memory of an instance that is kept warm, in bytes. A guest's memory never shrinks, so a larger instance is dropped.
pub(crate) const MAX_WARM_MEMORY: usize = 64 * 1024 * 1024;

/// The place where a connector keeps its warm instance.
pub(crate) trait Warm: Send + Sync {
    /// The time of the last use of an instance that is not in use now.
    fn idle_since(&self) -> Option<Instant>;
    /// Drops that instance. False if there is none any more, or it is in use.
    fn evict(&self) -> bool;
}

/// The places of all connectors.
#[derive(Default)]
pub(crate) struct Pool(Mutex<Vec<Weak<dyn Warm>>>);

impl Pool {
    pub(crate) fn add(&self, warm: Weak<dyn Warm>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|warm| warm.strong_count() > 0);
        all.push(warm);
    }

    /// Drops the instance that has been idle for longest. False if none is idle.
    pub(crate) fn evict_idle(&self) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let warm = all.iter().filter_map(Weak::upgrade);
        let mut idle: Vec<(Instant, Arc<dyn Warm>)> =
            warm.filter_map(|warm| Some((warm.idle_since()?, warm))).collect();
        idle.sort_by_key(|(since, _)| *since);
        idle.iter().any(|(_, warm)| warm.evict())
    }
}
