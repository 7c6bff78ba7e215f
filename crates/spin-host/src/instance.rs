//! The instances of an application: their start, their load and their end. The numbers are Spin's defaults.
//!
//! Spin fills its instances with the same [`ProxyHandler`](wasmtime_wasi_http::handler::ProxyHandler): an instance takes a request
//! only while it is idle or all its requests wait. Otherwise another one is started, so a burst starts several.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use wasmtime::component::GuestTaskId;
use wasmtime::{Store, StoreContextMut};
use wasmtime_wasi_http::handler::{HandlerState, ProxyPre, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus};
use wasmtime_wasi_http::{WasiHttpView, handler};

use crate::application::Application;
use crate::state::State;

/// The maximum number of requests that an instance serves at once.
const MAX_CONCURRENT: usize = 16;
/// The maximum number of requests that an instance serves in all.
const MAX_REQUESTS: usize = 128;
/// The time after which an idle instance ends.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// Starts the instances of an application.
pub(crate) struct Instances(pub(crate) Application);

impl HandlerState for Instances {
    type StoreData = State;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<handler::Instance<State, Expiration, Worker>> {
        let Application { component, options, outbound, variables, counts, .. } = &self.0;
        let state = State::new(outbound.clone(), variables.clone(), options, counts.clone());
        let mut store = Store::new(component.engine(), state);
        store.limiter(|state| &mut state.limit);
        counts.instances.fetch_add(1, Ordering::Relaxed);
        let proxy = ProxyPre::P3(component.clone()).instantiate_async(&mut store).await?;
        Ok(handler::Instance { store, proxy, view: State::http, expiration: Expiration(None), state: Worker })
    }
}

/// Ends an idle instance. Holds the start of its idle time, and the timer.
pub(crate) struct Expiration(Option<(Instant, Pin<Box<tokio::time::Sleep>>)>);

impl WorkerExpiration for Expiration {
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>, status: WorkerStatus, start: Instant) -> Poll<()> {
        if status != WorkerStatus::Idle {
            return Poll::Pending;
        }
        let timer = match self.0.take() {
            Some((since, timer)) if since == start => timer,
            _ => Box::pin(tokio::time::sleep_until((start + IDLE_TIMEOUT).into())),
        };
        let (_, timer) = self.0.insert((start, timer));
        timer.as_mut().poll(context)
    }
}

pub(crate) struct Worker;

impl WorkerState for Worker {
    type StoreData = State;
    type RequestData = ();

    fn should_accept_request(&self, concurrent: usize, total: usize) -> ShouldAccept {
        if total >= MAX_REQUESTS {
            ShouldAccept::Never
        } else if concurrent >= MAX_CONCURRENT {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        _: StoreContextMut<'_, State>,
        (): (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + 'static + Send + Sync>> {
        // Spin sets no time limit by default.
        Box::pin(std::future::pending())
    }

    fn drop(&self, _: Store<State>, result: wasmtime::Result<()>) {
        if let Err(error) = result {
            tracing::error!(error = format!("{error:#}"), "an instance failed");
        }
    }
}
