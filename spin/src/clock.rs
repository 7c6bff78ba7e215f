//! Waits and timeouts.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};

/// Waits.
pub(crate) async fn sleep(duration: Duration) {
    spin_sdk::time::sleep(duration).await;
}

/// Runs `work`, and drops it after `timeout`. Returns its result, or `None` if it took longer.
pub(crate) async fn within<T>(timeout: Duration, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), pin!(sleep(timeout))).await {
        Either::Left((result, _)) => Some(result),
        Either::Right(_) => None,
    }
}
