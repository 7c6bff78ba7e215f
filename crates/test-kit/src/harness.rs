//! A harness around the built component: the host, compiled once, and a connector with its own simulated account for each
//! test.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};

use onepassword_users_component::{COMPONENT, STEPS};
use onepassword_users_host::catalogue::ErrorCode;
use onepassword_users_host::types::{KnownUser, ListQuery, UserRef};
use onepassword_users_host::{Error, Failure, Host, HostConfig, Lookup, Network, Options, Source, Value};
use onepassword_users_simulator::{Config, Record, Simulator};

use crate::checked::CheckedConnector;

/// The host, with the component compiled once for all tests.
pub static HOST: LazyLock<Host> = LazyLock::new(|| {
    let component = if is_over_steps() { STEPS } else { COMPONENT };
    Host::new(component, config()).unwrap()
});

/// The configuration of a host for tests, which caches compiled code.
pub fn config() -> HostConfig {
    HostConfig { cache_dir: HostConfig::user_cache_dir("onepassword-users-tests"), ..HostConfig::default() }
}

/// The variable that makes the tests run over the component without imports.
pub const ENGINE: &str = "CONNECTOR_ENGINE";

/// True if the tests run over the component without imports.
pub fn is_over_steps() -> bool {
    std::env::var(ENGINE).is_ok_and(|engine| engine == "steps")
}

pub const API_VERSIONS: [&str; 2] = ["v1", "v1beta1"];

/// Settings and secrets that a test may change between calls.
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
    fn get<'a>(&'a self, names: &'a [&'a str]) -> Lookup<'a> {
        let values = self.0.lock().unwrap();
        let values: Vec<Option<Value>> = names.iter().map(|name| values.get(*name).cloned()).collect();
        Box::pin(async { Ok(values) })
    }
}

/// A connector, and the simulated account that its settings name.
#[derive(Debug)]
pub struct Harness {
    pub simulator: Simulator,
    pub values: Values,
    pub connector: CheckedConnector,
}

impl Harness {
    pub async fn new() -> Self {
        Self::with(Config { users: 60, ..Config::default() }).await
    }

    /// A harness whose connector does not retry.
    pub async fn without_retries() -> Self {
        let harness = Self::new().await;
        harness.values.set("max-attempts", "1");
        harness
    }

    pub async fn with(config: Config) -> Self {
        let simulator = Simulator::start(config).await.unwrap();
        let values = values(&simulator);
        let connector = CheckedConnector::new(HOST.connector(options(&values)).unwrap());
        Self { simulator, values, connector }
    }

    pub fn id(&self, email: &str) -> String {
        self.simulator.account(|account| account.by_email(email).unwrap().id.clone())
    }

    /// The methods and targets of the requests since the last call, without the account id and the API version.
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

/// The settings and secrets of a simulated account.
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
    Options { settings: source.clone(), secrets: source, network: network(), ..Options::default() }
}

/// The rules of connections with a simulated account on loopback.
pub fn network() -> Network {
    Network { allow_loopback: true, ..Network::default() }
}

pub fn id(id: &str) -> UserRef {
    UserRef::Id(id.into())
}

pub fn email(email: &str) -> UserRef {
    UserRef::Email(email.into())
}

pub fn known(id: &str, email: &str) -> UserRef {
    UserRef::Known(KnownUser { id: id.into(), email: email.into() })
}

pub const ALL: ListQuery = ListQuery { state: None, limit: None, page_token: None };

/// The failure that the component returned. Panics on any other result.
#[track_caller]
pub fn action_failure<T: std::fmt::Debug>(result: Result<T, Error>) -> Failure {
    match result {
        Err(Error::Action(failure)) => failure,
        other => panic!("expected a failure of the action: {other:?}"),
    }
}

/// The failure that the component returned. Panics unless it has this code.
#[track_caller]
pub fn expect_failure<T: std::fmt::Debug>(code: ErrorCode, result: Result<T, Error>) -> Failure {
    let failure = action_failure(result);
    assert_eq!(failure.code, code, "{failure:?}");
    failure
}
