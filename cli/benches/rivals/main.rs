//! Benchmark: both components, in the host library, against native Rust on the same HTTP client.
//!
//! `cargo bench --bench rivals` runs it, and `-- --short` runs a few rounds only. The contestants take turns against one
//! simulated service on loopback. The table shows the median of the rounds, the fastest and the slowest. A call that
//! fails ends the benchmark.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark may end anywhere")]

mod crossings;
mod native;

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossings::crossings;
use native::{Credentials, Native};
use onepassword_users_component::{COMPONENT, STEPS};
use onepassword_users_host::types::{ListQuery, UserRef};
use onepassword_users_host::{Connector, Environment, Host, HostConfig, Network, Options, Source, Value};
use onepassword_users_simulator::{Config, Simulator};
use tokio::task::JoinSet;

/// The argument with which this program is a native command line, the rival of a one-shot command.
const ONE_SHOT: &str = "--native-one-shot";

const USERS: usize = 2500;
/// Number of concurrent actions.
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
        cache_dir: Some(cache.path().join("code")),
        ..HostConfig::default()
    };
    let files = tempfile::tempdir().unwrap();
    let steps_file = files.path().join("steps.wasm");
    std::fs::write(&steps_file, STEPS).unwrap();
    let rivals = Rivals {
        credentials: Credentials {
            base_url: simulator.base_url(),
            account_id: simulator.account_id().to_owned(),
            client_id: simulator.client_id().to_owned(),
            client_secret: simulator.client_secret().to_owned(),
        },
        id: simulator.account(|account| account.by_email(&simulator.example_email()).unwrap().id.as_str().into()),
        wasi: Host::new(COMPONENT, limits.clone()).unwrap(),
        steps: Host::new(STEPS, limits).unwrap(),
        steps_file,
        rounds: if is_short { 3 } else { 15 },
        divisor: if is_short { 10 } else { 1 },
    };
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    println!("WASI component: {} bytes; steps component: {} bytes", COMPONENT.len(), STEPS.len());
    println!("profile: {profile}; rounds: {}\n", rivals.rounds);
    let thread = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!("calls between host and component, in both directions\n");
    println!("| job | WASI | steps |\n|---|---|---|");
    thread.block_on(rivals.crossings());
    println!("\ntime of one job: median of the rounds (fastest to slowest)\n");
    println!("| job | WASI | steps | native | WASI/native | steps/native |\n|---|---|---|---|---|---|");
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
    /// The component over WASI.
    wasi: Host,
    /// The component without imports.
    steps: Host,
    /// A file with the component without imports, for the command line.
    steps_file: PathBuf,
    rounds: usize,
    /// Divides the number of repetitions in each round.
    divisor: u32,
}

impl Rivals {
    /// Prints the calls of warm actions, which need no token.
    async fn crossings(&self) {
        let jobs: [(&str, Option<u32>); 3] = [
            ("get-user by id, warm", None),
            ("list of 1,000 users", Some(1000)),
            ("list of all 2,500 users", Some(USERS as u32)),
        ];
        for (name, limit) in jobs {
            let mut counts = Vec::new();
            for host in [&self.wasi, &self.steps] {
                let connector = self.connector(host);
                get(&connector, &self.id).await;
                let job = async || match limit {
                    None => get(&connector, &self.id).await,
                    Some(limit) => list(&connector, limit).await,
                };
                counts.push(crossings(job).await);
            }
            let [wasi, steps] = counts.try_into().unwrap();
            println!("| {name} | {wasi} | {steps} |");
        }
    }

    async fn one_after_another(&self) {
        let [wasi, steps] = self.connectors();
        let native = Native::new(self.credentials.clone());
        self.run(
            "get-user by id, warm",
            200,
            async || get(&wasi, &self.id).await,
            async || get(&steps, &self.id).await,
            async || drop(native.get_user(&self.id).await),
        )
        .await;
        for (name, users, times) in [("list of 1,000 users", 1000, 20), ("list of all 2,500 users", USERS, 8)] {
            self.run(
                name,
                times,
                async || list(&wasi, users as u32).await,
                async || list(&steps, users as u32).await,
                async || assert_eq!(native.list_users(users).await.len(), users),
            )
            .await;
        }
    }

    /// A connector over WASI runs one call at a time, so each action has a connector first. Then there is one for all. The native
    /// actions share a client.
    async fn at_once(&self) {
        let several: Vec<Arc<Connector>> = (0..TOGETHER).map(|_| Arc::new(self.connector(&self.wasi))).collect();
        let [wasi, steps] = self.connectors().map(Arc::new);
        let native = Native::new(self.credentials.clone());
        let gets = async |connectors: &[Arc<Connector>]| {
            let mut tasks = JoinSet::new();
            for connector in connectors.iter().cycle().take(TOGETHER) {
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
        let (one_wasi, one_steps) = ([wasi], [steps]);
        for (name, of_wasi) in [
            ("64 gets at once: 64 WASI connectors, one of steps", several.as_slice()),
            ("64 gets at once: one connector each", &one_wasi),
        ] {
            self.run(name, 10, async || gets(of_wasi).await, async || gets(&one_steps).await, &native_gets).await;
        }
    }

    /// From the start of a process to its result. The command finds its compiled code in `home`.
    async fn processes(&self, home: &Path) {
        let steps_file = self.steps_file.to_str().unwrap();
        let command = |arguments: &[&str], home: &Path| {
            self.process(Command::new(env!("CARGO_BIN_EXE_onepassword-users")).args(arguments), home);
        };
        let over_steps = |arguments: &[&str], home: &Path| {
            command(&[&["--component", steps_file], arguments].concat(), home);
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
            let wasi = async || command(arguments, home);
            self.run(name, 5, wasi, async || over_steps(arguments, home), async || native(arguments)).await;
        }
        // A new home contains no compiled code.
        let first = async || command(get, tempfile::tempdir().unwrap().path());
        let first_steps = async || over_steps(get, tempfile::tempdir().unwrap().path());
        self.run("one shot: get-user by id, first start", 1, first, first_steps, async || native(get)).await;
    }

    /// A connector of each host.
    fn connectors(&self) -> [Connector; 2] {
        [&self.wasi, &self.steps].map(|host| self.connector(host))
    }

    fn connector(&self, host: &Host) -> Connector {
        let values = self.credentials.named().map(|(name, value)| (name.to_owned(), Value::from(value.to_owned())));
        let source: Arc<dyn Source> = Arc::new(BTreeMap::from(values));
        let network = Network { allow_loopback: true, ..Network::default() };
        host.connector(Options { settings: source.clone(), secrets: source, network, ..Options::default() }).unwrap()
    }

    /// Runs a process to its end. Its environment contains the account and a home only.
    fn process(&self, command: &mut Command, home: &Path) {
        command.env_clear().env("HOME", home);
        command.envs(self.credentials.named().map(|(name, value)| (Environment::variable(name), value)));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(!output.stdout.is_empty());
    }

    /// Runs a job `times` times in each round, by the contestants in turn, and prints a row of the table.
    async fn run(&self, name: &str, times: u32, wasi: impl AsyncFn(), steps: impl AsyncFn(), native: impl AsyncFn()) {
        // Warm up: connections, tokens, caches.
        wasi().await;
        steps().await;
        native().await;
        let times = (times / self.divisor).max(1);
        let mut of = [Vec::new(), Vec::new(), Vec::new()];
        for round in 0..self.rounds {
            // The order alternates as well.
            for turn in 0..of.len() {
                let place = (round + turn) % of.len();
                let took = match place {
                    0 => time(times, &wasi).await,
                    1 => time(times, &steps).await,
                    _ => time(times, &native).await,
                };
                of.get_mut(place).unwrap().push(took);
            }
        }
        let [wasi, steps, native] = of.map(Spread::of);
        let ratio = |of: &Spread| of.median.as_secs_f64() / native.median.as_secs_f64();
        println!("| {name} | {wasi} | {steps} | {native} | {:.2} | {:.2} |", ratio(&wasi), ratio(&steps));
    }
}

async fn get(connector: &Connector, id: &str) {
    assert_eq!(connector.get_user(UserRef::Id(id.into())).await.unwrap().id, id);
}

/// Lists users from the beginning, all of them if there are as many.
async fn list(connector: &Connector, users: u32) {
    let limit = Some(users).filter(|users| (*users as usize) < USERS);
    let list = connector.list_users(ListQuery { state: None, limit, page_token: None }).await.unwrap();
    assert_eq!(list.users.len(), users as usize);
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
