//! Benchmark: the component against native Rust on the same HTTP client.
//!
//! `cargo bench --bench rivals` runs it, and `-- --short` runs a few rounds only. The contestants take turns against one
//! simulated service on loopback. The table shows the median of the rounds, the fastest and the slowest. A call that
//! fails ends the benchmark.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark may end anywhere")]

mod native;

use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use native::{Credentials, Native};
use onepassword_users_component::COMPONENT;
use onepassword_users_host::types::{ListQuery, UserRef};
use onepassword_users_host::{Connector, Environment, Host, HostConfig, Options, Source, Value};
use onepassword_users_simulator::{Config, Simulator};
use tokio::task::JoinSet;

/// The argument with which this program is a native command line, the rival of a one-shot command.
const ONE_SHOT: &str = "--native-one-shot";

const USERS: usize = 2500;
/// Number of concurrent actions, each in an instance of its own.
const TOGETHER: usize = 64;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let Some((_, rest)) = arguments.split_first().filter(|(first, _)| *first == ONE_SHOT) {
        return one_shot(rest);
    }
    // Other arguments come from cargo.
    let is_short = arguments.iter().any(|argument| argument == "--short");

    // The service has threads of its own: it is not part of the comparison.
    let service = threads();
    let simulator = service.block_on(Simulator::start(Config { users: USERS, ..Config::default() })).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let limits = HostConfig {
        max_instances: TOGETHER as u32 + 1,
        cache_dir: Some(cache.path().to_owned()),
        ..HostConfig::default()
    };
    let rivals = Rivals {
        credentials: Credentials {
            base_url: simulator.base_url(),
            account_id: simulator.account_id().to_owned(),
            client_id: simulator.client_id().to_owned(),
            client_secret: simulator.client_secret().to_owned(),
        },
        id: simulator.account(|account| account.by_email(&simulator.example_email()).unwrap().id.as_str().into()),
        host: Host::new(COMPONENT, limits).unwrap(),
        rounds: if is_short { 3 } else { 15 },
        divisor: if is_short { 10 } else { 1 },
    };
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    println!("component: {} bytes; profile: {profile}; rounds: {}", COMPONENT.len(), rivals.rounds);
    println!("time of one job: median of the rounds (fastest to slowest)\n");
    println!("| job | component | native | component/native |\n|---|---|---|---|");
    let thread = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    thread.block_on(rivals.one_after_another());
    threads().block_on(rivals.at_once());
    thread.block_on(rivals.processes(cache.path()));
}

fn threads() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Everything that the jobs share.
struct Rivals {
    credentials: Credentials,
    /// A user.
    id: Arc<str>,
    host: Host,
    rounds: usize,
    /// Divides the number of repetitions in each round.
    divisor: u32,
}

impl Rivals {
    async fn one_after_another(&self) {
        let (connector, native) = (self.connector(), Native::new(self.credentials.clone()));
        let get = async || get(&connector, &self.id).await;
        let native_get = async || drop(native.get_user(&self.id).await);
        self.run("get-user by id, warm", 200, get, native_get).await;

        let query = ListQuery { state: None, limit: Some(1000), page_token: None };
        let list = async || assert_eq!(connector.list_users(query.clone()).await.unwrap().users.len(), 1000);
        let native_list = async || assert_eq!(native.list_users(1000).await.len(), 1000);
        self.run("list of 1,000 users", 20, list, native_list).await;
    }

    /// A connector runs one call at a time, so each action has a connector. The native actions share a client.
    async fn at_once(&self) {
        let connectors: Vec<Arc<Connector>> = (0..TOGETHER).map(|_| Arc::new(self.connector())).collect();
        let native = Native::new(self.credentials.clone());
        let gets = async || {
            let mut tasks = JoinSet::new();
            for connector in &connectors {
                let (connector, id) = (connector.clone(), self.id.clone());
                tasks.spawn(async move { get(&connector, &id).await });
            }
            tasks.join_all().await;
        };
        let native_gets = async || {
            let mut tasks = JoinSet::new();
            for _ in 0..TOGETHER {
                let (native, id) = (native.clone(), self.id.clone());
                tasks.spawn(async move { drop(native.get_user(&id).await) });
            }
            tasks.join_all().await;
        };
        self.run("64 gets at once (64 instances; 64 tasks)", 10, gets, native_gets).await;
    }

    /// From the start of a process to its result. The command finds its compiled code in `home`.
    async fn processes(&self, home: &Path) {
        let command = |arguments: &[&str], home: &Path| {
            self.process(Command::new(env!("CARGO_BIN_EXE_onepassword-users")).args(arguments), home);
        };
        let native = |arguments: &[&str]| {
            self.process(Command::new(env::current_exe().unwrap()).arg(ONE_SHOT).args(arguments), home);
        };
        let get: &[&str] = &["get-user", &self.id];
        for (name, arguments) in [
            ("one shot: get-user by id", get),
            ("one shot: list of 2,500 users", &["list-users"]),
            ("one shot: nothing (--version)", &["--version"]),
        ] {
            self.run(name, 5, async || command(arguments, home), async || native(arguments)).await;
        }
        // A new home contains no compiled code.
        let first = async || command(get, tempfile::tempdir().unwrap().path());
        self.run("one shot: get-user by id, first start", 1, first, async || native(get)).await;
    }

    fn connector(&self) -> Connector {
        let values = self.credentials.named().map(|(name, value)| (name.to_owned(), Value::from(value.to_owned())));
        let source: Arc<dyn Source> = Arc::new(BTreeMap::from(values));
        self.host.connector(Options { settings: source.clone(), secrets: source, ..Options::default() }).unwrap()
    }

    /// Runs a process to its end. Its environment contains the account and a home only.
    fn process(&self, command: &mut Command, home: &Path) {
        command.env_clear().env("HOME", home);
        command.envs(self.credentials.named().map(|(name, value)| (Environment::variable(name), value)));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(!output.stdout.is_empty());
    }

    /// Runs a job `times` times in each round, by both contestants in turn, and prints a row of the table.
    async fn run(&self, name: &str, times: u32, component: impl AsyncFn(), native: impl AsyncFn()) {
        // Warm up: connections, tokens, caches.
        component().await;
        native().await;
        let times = (times / self.divisor).max(1);
        let (mut of_component, mut of_native) = (Vec::new(), Vec::new());
        for round in 0..self.rounds {
            // Alternate the order as well.
            if round % 2 == 0 {
                of_component.push(time(times, &component).await);
                of_native.push(time(times, &native).await);
            } else {
                of_native.push(time(times, &native).await);
                of_component.push(time(times, &component).await);
            }
        }
        let (component, native) = (Spread::of(of_component), Spread::of(of_native));
        let ratio = component.median.as_secs_f64() / native.median.as_secs_f64();
        println!("| {name} | {component} | {native} | {ratio:.2} |");
    }
}

async fn get(connector: &Connector, id: &str) {
    assert_eq!(connector.get_user(UserRef::Id(id.into())).await.unwrap().id, id);
}

/// Mean time of one repetition.
async fn time(times: u32, action: &impl AsyncFn()) -> Duration {
    let began = Instant::now();
    for _ in 0..times {
        action().await;
    }
    began.elapsed() / times
}

impl Credentials {
    /// By the names of settings and secrets.
    fn named(&self) -> [(&'static str, &str); 4] {
        let Self { base_url, account_id, client_id, client_secret } = self;
        [("base-url", base_url), ("account-id", account_id), ("client-id", client_id), ("client-secret", client_secret)]
    }

    fn from_environment() -> Self {
        let value = |name| env::var(Environment::variable(name)).unwrap();
        Self {
            base_url: value("base-url"),
            account_id: value("account-id"),
            client_id: value("client-id"),
            client_secret: value("client-secret"),
        }
    }
}

/// A native command line: the account from the environment, one action, JSON on standard output.
fn one_shot(arguments: &[String]) {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if arguments == ["--version"] {
        return println!("1.0");
    }
    let native = Native::new(Credentials::from_environment());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let users = runtime.block_on(async {
        match arguments.as_slice() {
            ["get-user", id] => vec![native.get_user(id).await],
            ["list-users"] => native.list_users(usize::MAX).await,
            other => panic!("not a command: {other:?}"),
        }
    });
    println!("{}", serde_json::to_string_pretty(&users).unwrap());
}

/// Median, shortest and longest time.
struct Spread {
    median: Duration,
    min: Duration,
    max: Duration,
}

impl Spread {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let at = |place: usize| times.get(place).copied().unwrap_or_default();
        Self { median: at(times.len() / 2), min: at(0), max: at(times.len() - 1) }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // All three in the unit of the median.
        let is_small = self.median < Duration::from_millis(1);
        let (scale, unit, digits) = if is_small { (1e6, "µs", 0) } else { (1e3, "ms", 1) };
        let [median, min, max] = [self.median, self.min, self.max].map(|time| time.as_secs_f64() * scale);
        write!(f, "{median:.digits$} {unit} ({min:.digits$} to {max:.digits$})")
    }
}
