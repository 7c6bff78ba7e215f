//! The built component in the host, compiled once, and a connector to a simulated account of each test's own.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};

use onepassword_users_component::COMPONENT;
use onepassword_users_host::types::{ChangeOptions, ListQuery, UserRef};
use onepassword_users_host::{Connector, Error, Host, HostConfig, Options, Source, SourceError, Value, types};
use onepassword_users_simulator::{Config, Record, Simulator};

/// Compiled once for all tests.
pub static HOST: LazyLock<Host> = LazyLock::new(|| Host::new(COMPONENT, HostConfig::default()).unwrap());

pub const API_VERSIONS: [&str; 2] = ["v1", "v1beta1"];

/// Values that a test may change between two calls.
#[derive(Clone, Debug, Default)]
pub struct Values(Arc<Mutex<BTreeMap<String, Value>>>);

impl Values {
    pub fn set(&self, name: &str, value: &str) {
        self.0.lock().unwrap().insert(name.into(), value.to_owned().into());
    }

    pub fn unset(&self, name: &str) {
        self.0.lock().unwrap().remove(name);
    }
}

impl Source for Values {
    fn get(&self, name: &str) -> Result<Option<Value>, SourceError> {
        Ok(self.0.lock().unwrap().get(name).cloned())
    }
}

/// A connector, and the simulated account that its settings lead to.
#[derive(Debug)]
pub struct Harness {
    pub simulator: Simulator,
    pub values: Values,
    pub connector: Connector,
}

impl Harness {
    pub async fn new() -> Self {
        Self::with(Config { users: 60, ..Config::default() }).await
    }

    /// A harness whose connector does not try again.
    pub async fn impatient() -> Self {
        let harness = Self::new().await;
        harness.values.set("max-attempts", "1");
        harness
    }

    pub async fn with(config: Config) -> Self {
        let simulator = Simulator::start(config).await.unwrap();
        let values = values(&simulator);
        let connector = HOST.connector(options(&values)).unwrap();
        Self { simulator, values, connector }
    }

    pub fn id(&self, email: &str) -> String {
        self.simulator.account(|account| account.by_email(email).unwrap().id.clone())
    }

    /// Methods and targets since the last look, with the account's id and the routes' version taken out.
    pub fn requests(&self) -> Vec<String> {
        let line = |record: Record| {
            let target = record.target.replace(self.simulator.account_id(), "A").replace("/v1beta1/", "/v1/");
            format!("{} {}", record.method, target.replace("/users/oauth2/", "/oauth/"))
        };
        self.simulator.take_records().into_iter().map(line).collect()
    }

    pub fn state(&self, id: &str) -> String {
        self.simulator.account(|account| account.person(id).unwrap().state.clone())
    }
}

/// The settings and secrets of an account.
pub fn values(simulator: &Simulator) -> Values {
    let values = Values::default();
    values.set("base-url", &simulator.base_url());
    values.set("account-id", simulator.account_id());
    values.set("client-id", simulator.client_id());
    values.set("client-secret", simulator.client_secret());
    values
}

pub fn options(values: &Values) -> Options {
    let source: Arc<dyn Source> = Arc::new(values.clone());
    Options { settings: source.clone(), secrets: source, ..Options::default() }
}

pub fn id(id: &str) -> UserRef {
    UserRef::Id(id.into())
}

pub fn email(email: &str) -> UserRef {
    UserRef::Email(email.into())
}

pub const ALL: ListQuery = ListQuery { state: None, limit: None, page_token: None };

pub const NORMAL: fn() -> ChangeOptions = ChangeOptions::empty;

/// The component's own error.
pub fn action_error<T: std::fmt::Debug>(result: Result<T, Error>) -> types::Error {
    match result {
        Err(Error::Action(error)) => error,
        other => panic!("this is not an error of the action: {other:?}"),
    }
}
