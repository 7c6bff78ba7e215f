//! A deterministic host that counts requests and wasmtime fuel. The simulator's model answers in process, and the clock
//! is virtual. No sockets, threads, timers or hash seeds are involved, so every run gives the same counts.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use onepassword_users_component::COMPONENT;
use onepassword_users_simulator::{Account, Request, Service};
use wasmtime::component::{Component, HasData, Linker, Resource, ResourceTable};
use wasmtime::{Cache, CacheConfig, Config, Engine, Store};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi_http::p2::bindings::http::{outgoing_handler, types as http_types};
use wasmtime_wasi_http::{
    Error as HttpError, RequestOptions, WasiBody, WasiHttp, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};
use wasmtime_wasi_io::IoView;
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};

use bindings::automation::connector::{secrets, settings};
pub(crate) use bindings::exports::onepassword::users::types;
pub(crate) use bindings::{Plugin, PluginPre};

#[allow(unreachable_pub, reason = "generated code")]
mod bindings {
    wasmtime::component::bindgen!({
        inline: "
            package local:meter;
            world plugin {
                import automation:connector/settings@0.1.0;
                import automation:connector/secrets@0.1.0;
                export onepassword:users/types@0.1.0;
                export onepassword:users/actions@0.1.0;
            }
        ",
        path: "../wit",
        exports: { default: async },
    });
}

/// Number of users in the account.
pub(crate) const USERS: usize = 2500;

/// The component, compiled once by an engine that counts fuel.
static COMPILED: LazyLock<PluginPre<State>> = LazyLock::new(|| {
    let mut config = Config::new();
    config.consume_fuel(true).cache(Cache::new(CacheConfig::new()).ok());
    let engine = Engine::new(&config).unwrap();
    let component = Component::new(&engine, COMPONENT).unwrap();
    let mut linker = Linker::<State>::new(&engine);
    wasmtime_wasi_io::add_to_linker_async(&mut linker).unwrap();
    monotonic_clock::add_to_linker::<State, State>(&mut linker, |state| state).unwrap();
    let options = http_types::LinkOptions::default();
    http_types::add_to_linker::<State, WasiHttp>(&mut linker, &options, State::http).unwrap();
    outgoing_handler::add_to_linker::<State, WasiHttp>(&mut linker, State::http).unwrap();
    Plugin::add_to_linker::<State, State>(&mut linker, |state| state).unwrap();
    PluginPre::new(linker.instantiate_pre(&component).unwrap()).unwrap()
});

/// The account that each meter starts with.
static ACCOUNT: LazyLock<Account> = LazyLock::new(|| Account::generate(USERS, 1));

/// One instance of the component, with an account of its own.
pub(crate) struct Meter {
    pub(crate) store: Store<State>,
    pub(crate) plugin: Plugin,
}

/// Cost of one or more calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) requests: u64,
    pub(crate) fuel: u64,
}

impl Meter {
    /// Creates an instance, which has no token yet.
    pub(crate) async fn new() -> Self {
        let service = Service::new(ACCOUNT.clone(), 2);
        let application = service.application();
        let values = BTreeMap::from([
            ("base-url", "http://127.0.0.1:8080".to_owned()),
            ("account-id", service.account().id().to_owned()),
            ("client-id", application.client_id.clone()),
            ("client-secret", application.client_secret.clone()),
        ]);
        let wire = Wire(Arc::new(Mutex::new((service, 0))));
        let state = State { table: ResourceTable::new(), http: WasiHttpCtx::new(), wire, values, now: 0 };
        let mut store = Store::new(COMPILED.engine(), state);
        store.set_fuel(u64::MAX).unwrap();
        let plugin = COMPILED.instantiate_async(&mut store).await.unwrap();
        Self { store, plugin }
    }

    /// Cost since the instance was created, instantiation included.
    pub(crate) fn count(&self) -> Count {
        let requests = self.store.data().wire.0.lock().unwrap().1;
        Count { requests, fuel: u64::MAX - self.store.get_fuel().unwrap() }
    }
}

/// The platform of one instance.
pub(crate) struct State {
    table: ResourceTable,
    http: WasiHttpCtx,
    wire: Wire,
    values: BTreeMap<&'static str, String>,
    /// Nanoseconds.
    now: u64,
}

impl State {
    fn look_up(&self, names: &[String]) -> Vec<Option<String>> {
        names.iter().map(|name| self.values.get(name.as_str()).cloned()).collect()
    }
}

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
        WasiHttpCtxView { hooks: &mut self.wire, table: &mut self.table, ctx: &mut self.http }
    }
}

impl settings::Host for State {
    fn get(&mut self, names: Vec<String>) -> Result<Vec<Option<String>>, settings::LookupError> {
        Ok(self.look_up(&names))
    }
}

impl secrets::Host for State {
    fn get(&mut self, names: Vec<String>) -> Result<Vec<Option<String>>, secrets::LookupError> {
        Ok(self.look_up(&names))
    }
}

/// The clock advances by one millisecond per reading. Timers never fire.
impl monotonic_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<u64> {
        self.now += 1_000_000;
        Ok(self.now)
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(1_000_000)
    }

    fn subscribe_instant(&mut self, _: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let never = self.table.push(Never)?;
        subscribe(&mut self.table, never)
    }

    fn subscribe_duration(&mut self, _: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.subscribe_instant(0)
    }
}

struct Never;

#[wasmtime_wasi_io::async_trait]
impl Pollable for Never {
    async fn ready(&mut self) {
        pending().await
    }
}

/// The service in process, and the number of requests that it answered.
struct Wire(Arc<Mutex<(Service, u64)>>);

type Answer = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), HttpError>> + Send>);

impl WasiHttpHooks for Wire {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = Result<Answer, HttpError>> + Send> {
        let wire = self.0.clone();
        Box::new(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let headers: Vec<(&str, &str)> =
                parts.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
            let request = Request {
                method: parts.method.as_str(),
                path: parts.uri.path(),
                query: parts.uri.query(),
                headers: &headers,
                body: &body,
            };
            let answer = {
                let (service, requests) = &mut *wire.lock().unwrap();
                *requests += 1;
                service.handle(&request, Duration::from_secs(*requests))
            };
            assert_eq!(answer.status, 200, "{} {}: {:?}", parts.method, parts.uri, answer.reason);
            let response = http::Response::builder()
                .header("content-type", "application/json")
                .header("content-length", answer.body.len())
                // One frame: each further read of a body would cost fuel.
                .body(Full::from(answer.body).map_err(|never| match never {}).boxed_unsync())
                .unwrap();
            Ok((response, Box::new(async { Ok(()) }) as Box<_>))
        })
    }
}
