//! Counts the calls between a host and a component.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tracing::subscriber::set_default;
use tracing::{Event, Level, Subscriber, span};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// Runs an action on this thread and returns the number of calls, in both directions: those of the component to WASI and to the
/// host library, and those of the host library to the component.
pub(crate) async fn crossings(action: impl AsyncFnOnce()) -> u32 {
    let calls = Arc::new(AtomicU32::new(0));
    let guard = set_default(tracing_subscriber::registry().with(Calls(calls.clone())));
    action().await;
    drop(guard);
    calls.load(Ordering::Relaxed)
}

struct Calls(Arc<AtomicU32>);

impl<S: Subscriber> Layer<S> for Calls {
    /// Each call of a component to wasmtime's WASI has a span.
    fn on_new_span(&self, span: &span::Attributes<'_>, _: &span::Id, _: Context<'_, S>) {
        if span.metadata().name() == "wit-bindgen import" {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Each other call has an event of the host library.
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let is_look_up = metadata.target() == "onepassword_users_host::state";
        let is_call = metadata.target().starts_with("onepassword_users_host") && *metadata.level() == Level::TRACE;
        if is_look_up || is_call {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}
