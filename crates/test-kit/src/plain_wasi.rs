//! A host that knows WASI 0.2 with outbound HTTP, and nothing of connectors: for compositions that need no more.

use http::Request;
use onepassword_users_host::{Answer, Client, Network};
use wasmtime::Engine;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error as HttpError, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

/// The exports of every connector over WASI, without imports: [`linker`] has those.
#[allow(missing_debug_implementations, clippy::all, clippy::restriction, reason = "generated code")]
pub mod connector {
    wasmtime::component::bindgen!({
        inline: "
            package local:connector;
            world any-connector {
                export automation:connector/failures@0.1.0;
                export automation:connector/manifest@0.1.0;
                export automation:connector/connector@0.1.0;
            }
        ",
        path: "../../wit",
        exports: { default: async },
    });
}

/// The data of a store: WASI with outbound HTTP, and the data of further interfaces.
pub struct State<T> {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
    pub further: T,
}

impl<T> std::fmt::Debug for State<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

impl<T> State<T> {
    pub fn new(wasi: WasiCtx, further: T) -> Self {
        let outbound = Outbound(Client::new(Network::default()).unwrap());
        Self { table: ResourceTable::new(), wasi, http: WasiHttpCtx::new(), outbound, further }
    }
}

/// Sends requests with the client of the host library. wasmtime's own would bring another set of root certificates.
struct Outbound(Client);

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = Result<Answer, HttpError>> + Send> {
        let client = self.0.clone();
        Box::new(async move { client.send(request).await })
    }
}

impl<T: Send> WasiView for State<T> {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl<T: Send> WasiHttpView for State<T> {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outbound, table: &mut self.table, ctx: &mut self.http }
    }
}

/// A linker with WASI 0.2 and outbound HTTP, and nothing else.
pub fn linker<T: Send + 'static>(engine: &Engine) -> Linker<State<T>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker).unwrap();
    linker
}
