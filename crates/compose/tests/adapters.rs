//! Runs the adapters, and the component composed with them, on wasmtime. The compositions get the interfaces that they are made
//! for and no others, and a simulated account.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::path::Path;
use std::sync::LazyLock;

use onepassword_users_compose::{portable, wasi_config};
use onepassword_users_simulator::{Config, Simulator};
use onepassword_users_test_kit::plain_wasi::connector::AnyConnector;
use onepassword_users_test_kit::plain_wasi::connector::exports::automation::connector::failures::{
    Failure, FailureClass, SubjectKind,
};
use onepassword_users_test_kit::plain_wasi::{self, linker};
use serde_json::{Value as Json, json};
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Engine, Store};
use wasmtime_wasi::WasiCtx;
use wasmtime_wasi_config::{WasiConfig, WasiConfigVariables};

mod environment {
    wasmtime::component::bindgen!({
        world: "automation:environment/adapter",
        path: ["../../wit/deps/automation-connector", "../../adapters/environment/wit"],
    });
}

mod store {
    wasmtime::component::bindgen!({
        world: "automation:wasi-config/adapter",
        path: ["../../wit/deps/automation-connector", "../../adapters/wasi-config/wit"],
    });
}

static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::default);
static PORTABLE: LazyLock<Component> = LazyLock::new(|| component(&portable(workspace(), target_dir()).unwrap()));
static WASI_CONFIG: LazyLock<Component> = LazyLock::new(|| component(&wasi_config(workspace(), target_dir()).unwrap()));

fn component(bytes: &[u8]) -> Component {
    Component::new(&ENGINE, bytes).unwrap()
}

fn adapter(package: &str) -> Component {
    component(
        &std::fs::read(onepassword_users_guest_build::build(workspace(), package, target_dir()).unwrap()).unwrap(),
    )
}

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn target_dir() -> &'static Path {
    Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/compose"))
}

/// The data of a store: WASI with outbound HTTP, and `wasi:config`.
type State = plain_wasi::State<WasiConfigVariables>;

type Values = Vec<(String, String)>;

/// A running composition.
struct Running {
    store: Store<State>,
    instance: AnyConnector,
}

impl Running {
    /// The component with the environment adapter, in this environment.
    async fn portable(environment: &Values) -> Self {
        let wasi_ctx = WasiCtx::builder().envs(environment).build();
        Self::new(&PORTABLE, &linker(&ENGINE), wasi_ctx, WasiConfigVariables::new()).await
    }

    /// The component with the adapter for `wasi:config`, with this configuration.
    async fn wasi_config(configuration: &Values) -> Self {
        let mut linker = linker(&ENGINE);
        wasmtime_wasi_config::add_to_linker(&mut linker, |state: &mut State| WasiConfig::from(&state.further)).unwrap();
        let configuration = configuration.iter().cloned().collect();
        Self::new(&WASI_CONFIG, &linker, WasiCtx::builder().build(), configuration).await
    }

    async fn new(component: &Component, linker: &Linker<State>, wasi: WasiCtx, config: WasiConfigVariables) -> Self {
        let mut store = Store::new(&ENGINE, State::new(wasi, config));
        let instance = AnyConnector::instantiate_async(&mut store, component, linker).await.unwrap();
        Self { store, instance }
    }

    async fn describe(&mut self) -> Json {
        let manifest = self.instance.automation_connector_manifest();
        serde_json::from_str(&manifest.call_describe(&mut self.store).await.unwrap()).unwrap()
    }

    async fn invoke(&mut self, action: &str, arguments: Json) -> Result<Json, Failure> {
        let connector = self.instance.automation_connector_connector();
        let output = connector.call_invoke(&mut self.store, action, &arguments.to_string()).await.unwrap()?;
        Ok(serde_json::from_str(&output.parts.concat()).unwrap())
    }
}

async fn simulator() -> Simulator {
    Simulator::start(Config { users: 60, ..Config::default() }).await.unwrap()
}

/// The settings and secrets of a simulated account, under names made by `key`.
fn values(simulator: &Simulator, key: fn(&str) -> String) -> Values {
    let (id, secret) = (simulator.client_id().to_owned(), simulator.client_secret().to_owned());
    let settings = [("base-url", simulator.base_url()), ("account-id", simulator.account_id().to_owned())];
    let secrets = [("client-id", id), ("client-secret", secret)];
    settings.into_iter().chain(secrets).map(|(name, value)| (key(name), value)).collect()
}

/// The variable of a setting or secret.
fn variable(name: &str) -> String {
    format!("CONNECTOR_{}", name.to_uppercase().replace('-', "_"))
}

async fn lists_and_gets_users(mut running: Running, simulator: &Simulator) {
    assert_eq!(running.describe().await["name"], "onepassword-users");

    let email = "wendy.appleseed@example.com";
    let user = running.invoke("get-user", json!({ "user": email })).await.unwrap();
    assert_eq!((&user["email"], &user["state"]), (&json!(email), &json!("active")));

    let list = running.invoke("list-users", json!({})).await.unwrap();
    assert_eq!(list["users"].as_array().unwrap().len(), 60);

    let change = running.invoke("suspend-user", json!({ "user": email })).await.unwrap();
    assert_eq!(change["outcome"], "changed");
    assert_eq!(simulator.account(|account| account.by_email(email).unwrap().state.clone()), "SUSPENDED");
}

/// Asserts that the failure names this setting or secret.
async fn reports_as_misconfigured(mut running: Running, name: &str) {
    let failure = running.invoke("list-users", json!({})).await.unwrap_err();
    assert_eq!((failure.code.as_str(), failure.class), ("misconfigured", FailureClass::Settings), "{failure:?}");
    let kind = if name == "account-id" { SubjectKind::Setting } else { SubjectKind::Secret };
    let subject = failure.subject.unwrap();
    assert_eq!((subject.kind, subject.name.as_str()), (kind, name));
}

/// The values without this one, and with an empty one in its place.
fn without(values: &Values, key: &str) -> [Values; 2] {
    let absent: Values = values.iter().filter(|(other, _)| other != key).cloned().collect();
    assert_eq!(absent.len() + 1, values.len());
    let empty = [absent.clone(), vec![(key.into(), String::new())]].concat();
    [absent, empty]
}

#[tokio::test]
async fn the_portable_component_runs_with_wasi_alone() {
    let simulator = simulator().await;
    let running = Running::portable(&values(&simulator, variable)).await;
    lists_and_gets_users(running, &simulator).await;
}

#[tokio::test]
async fn a_missing_variable_is_a_missing_setting_or_secret() {
    let environment = values(&simulator().await, variable);
    for name in ["account-id", "client-id", "client-secret"] {
        for environment in without(&environment, &variable(name)) {
            reports_as_misconfigured(Running::portable(&environment).await, name).await;
        }
    }
}

#[tokio::test]
async fn the_component_for_wasi_config_runs_with_wasi_and_a_store() {
    let simulator = simulator().await;
    let running = Running::wasi_config(&values(&simulator, str::to_owned)).await;
    lists_and_gets_users(running, &simulator).await;
}

#[tokio::test]
async fn a_missing_key_is_a_missing_setting_or_secret() {
    let configuration = values(&simulator().await, str::to_owned);
    for name in ["account-id", "client-id", "client-secret"] {
        for configuration in without(&configuration, name) {
            reports_as_misconfigured(Running::wasi_config(&configuration).await, name).await;
        }
    }
}

/// The names that no value can have.
const BAD_NAMES: [&str; 8] = ["", "-", "client-", "-secret", "client--secret", "Client", "client_secret", "ünit"];

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn found(values: &[Option<&str>]) -> Vec<Option<String>> {
    values.iter().map(|value| value.map(str::to_owned)).collect()
}

/// An environment that is given as a list.
struct Environment(Vec<(&'static str, &'static str)>);

impl environment::wasi::cli::environment::Host for Environment {
    fn get_environment(&mut self) -> Vec<(String, String)> {
        self.0.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }
}

#[test]
fn the_environment_adapter_maps_names_to_variables() {
    use environment::Adapter;
    use environment::exports::automation::connector::secrets::LookupErrorKind;

    let mut linker = Linker::new(&ENGINE);
    Adapter::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut Environment| state).unwrap();
    let variables = vec![
        ("TIMEOUT", "no prefix"),
        ("connector_timeout", "lower case"),
        ("CONNECTOR_TIMEOUT", "inherited"),
        ("CONNECTOR_TIMEOUT", "30"),
        ("CONNECTOR_CLIENT_SECRET", " as it is\n"),
        ("CONNECTOR_EMPTY", ""),
        ("CONNECTOR_KEY2", "2"),
    ];
    let mut store = Store::new(&ENGINE, Environment(variables));
    let adapter = Adapter::instantiate(&mut store, &adapter("environment-adapter"), &linker).unwrap();

    let asked = names(&["client-secret", "timeout", "empty", "absent", "key2", "timeout"]);
    let expected = found(&[Some(" as it is\n"), Some("30"), None, None, Some("2"), Some("30")]);
    let settings = adapter.automation_connector_settings();
    assert_eq!(settings.call_get(&mut store, &asked).unwrap().unwrap(), expected);
    let secrets = adapter.automation_connector_secrets();
    assert_eq!(secrets.call_get(&mut store, &asked).unwrap().unwrap(), expected);
    assert_eq!(secrets.call_get(&mut store, &[]).unwrap().unwrap(), []);

    for name in BAD_NAMES {
        let error = secrets.call_get(&mut store, &names(&["timeout", name])).unwrap().unwrap_err();
        assert!(matches!(error.kind, LookupErrorKind::Denied), "{error:?}");
        assert_eq!(error.name.as_deref(), Some(name));
    }
}

/// A store with one value, and keys whose source fails.
struct Configuration;

impl store::wasi::config::store::Host for Configuration {
    fn get(&mut self, key: String) -> Result<Option<String>, store::wasi::config::store::Error> {
        use store::wasi::config::store::Error;
        match key.as_str() {
            "client-secret" => Ok(Some(" as it is\n".into())),
            "empty" => Ok(Some(String::new())),
            "upstream" => Err(Error::Upstream("the vault is sealed".into())),
            "io" => Err(Error::Io("the file cannot be read".into())),
            _ => Ok(None),
        }
    }
}

#[test]
fn the_wasi_config_adapter_looks_keys_up_by_name() {
    use store::Adapter;
    use store::exports::automation::connector::secrets::LookupErrorKind;

    let mut linker = Linker::new(&ENGINE);
    Adapter::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut Configuration| state).unwrap();
    let mut store = Store::new(&ENGINE, Configuration);
    let adapter = Adapter::instantiate(&mut store, &adapter("wasi-config-adapter"), &linker).unwrap();

    let asked = names(&["empty", "client-secret", "absent"]);
    let expected = found(&[None, Some(" as it is\n"), None]);
    let settings = adapter.automation_connector_settings();
    assert_eq!(settings.call_get(&mut store, &asked).unwrap().unwrap(), expected);
    let secrets = adapter.automation_connector_secrets();
    assert_eq!(secrets.call_get(&mut store, &asked).unwrap().unwrap(), expected);
    assert_eq!(secrets.call_get(&mut store, &[]).unwrap().unwrap(), []);

    for name in BAD_NAMES {
        let error = secrets.call_get(&mut store, &names(&["client-secret", name])).unwrap().unwrap_err();
        assert!(matches!(error.kind, LookupErrorKind::Denied), "{error:?}");
        assert_eq!(error.name.as_deref(), Some(name));
    }
    for (name, why) in [("upstream", "the vault is sealed"), ("io", "the file cannot be read")] {
        let error = secrets.call_get(&mut store, &names(&["client-secret", name])).unwrap().unwrap_err();
        assert!(matches!(error.kind, LookupErrorKind::Unavailable), "{error:?}");
        assert_eq!((error.name.as_deref(), error.message.as_str()), (Some(name), why));
    }
}
