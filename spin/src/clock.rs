//! Waiting, and limits on how long other work may take.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};

/// Lets time pass.
pub(crate) async fn sleep(duration: Duration) {
    spin_sdk::time::sleep(duration).await;
}

/// The result of the work, if it is done in time.
pub(crate) async fn within<T>(max: Duration, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), pin!(sleep(max))).await {
        Either::Left((result, _)) => Some(result),
        Either::Right(_) => None,
    }
}
