//! The test harness: the application, built once, and served for each test with its own account and keys.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use onepassword_users_simulator::{Config, Simulator};
use onepassword_users_spin_host::{Application, Failure, Log, Manifest, Options, Server};
use onepassword_users_test_kit::hostile::{self, Answer, Target};
use reqwest::Method;
use serde_json::Value;

pub const READER: &str = "canary-reader-key-aaaaaaaaaaaaaaaa";
pub const RESPONDER: &str = "canary-responder-key-bbbbbbbbbbbbbb";
pub const WENDY: &str = "wendy.appleseed@example.com";

/// The manifest of the application. Its component is built once.
static MANIFEST: LazyLock<Manifest> = LazyLock::new(|| built("spin/spin.toml"));

/// Reads a manifest of this project and runs its build command.
pub fn built(path: &str) -> Manifest {
    let manifest = Manifest::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap();
    manifest.build().unwrap_or_else(|error| panic!("{error}"));
    manifest
}

pub fn manifest() -> Manifest {
    MANIFEST.clone()
}

/// An HTTP client that ignores proxies.
pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
}

/// A simulated account, and the options of the application.
pub struct Setup {
    pub simulator: Simulator,
    pub manifest: Manifest,
    pub variables: BTreeMap<String, String>,
    pub max_memory: usize,
    pub failures: BTreeMap<String, Failure>,
    pub clock_rate: u64,
}

impl Setup {
    pub async fn new() -> Self {
        Self::with(Config { users: 60, ..Config::default() }).await
    }

    pub async fn with(config: Config) -> Self {
        let simulator = Simulator::start(config).await.unwrap();
        let pairs = [
            ("base_url", simulator.base_url()),
            ("account_id", simulator.account_id().into()),
            ("client_id", simulator.client_id().into()),
            ("client_secret", simulator.client_secret().into()),
            ("max_attempts", "1".into()),
            ("reader_keys", format!("soc:{READER}")),
            ("responder_keys", format!("ir:{RESPONDER}")),
        ];
        let variables = pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let (max_memory, failures) = (512 * 1024 * 1024, BTreeMap::new());
        Self { simulator, manifest: manifest(), variables, max_memory, failures, clock_rate: 1 }
    }

    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    pub async fn serve(self) -> Harness {
        let (log, lines) = Log::collecting();
        let options =
            Options { max_memory: self.max_memory, log, failures: self.failures, clock_rate: self.clock_rate };
        let application = Application::load(&self.manifest, &self.variables, options).unwrap();
        let server = Server::start(application, 0).await.unwrap();
        Harness { simulator: self.simulator, server, client: client(), lines }
    }
}

/// The base URL of a service whose users have long names: a whole list has some 35 MB, in 10 pages.
pub async fn service_of_long_names() -> String {
    let page = |_: usize, head: &str| {
        if !head.contains("max_page_size=") {
            return Answer::Open(hostile::ok(hostile::USER));
        }
        let number = head.split("page_token=").nth(1).map_or(0, |rest| rest[..1].parse::<u32>().unwrap());
        let name = "n".repeat(3500);
        let user = |n| format!(r#"{{"id":"U{number}N{n}","email":"a@example.com","display_name":"{name}"}}"#);
        let users: Vec<String> = (0..1000).map(user).collect();
        let next = if number < 9 { format!(r#","next_page_token":"{}""#, number + 1) } else { String::new() };
        Answer::Open(hostile::ok(&format!(r#"{{"results":[{}]{next}}}"#, users.join(","))))
    };
    hostile::serve(Target::Api, Box::new(page)).await.0
}

/// A running application.
pub struct Harness {
    pub simulator: Simulator,
    pub server: Server,
    pub client: reqwest::Client,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Harness {
    pub async fn new() -> Self {
        Setup::new().await.serve().await
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.server.url()))
    }

    pub async fn get(&self, path: &str) -> Response {
        Response::of(self.request(Method::GET, path).bearer_auth(READER)).await
    }

    pub async fn post(&self, path: &str, body: &str) -> Response {
        let request = self.request(Method::POST, path).bearer_auth(RESPONDER);
        Response::of(if body.is_empty() {
            request
        } else {
            request.header("content-type", "application/json").body(body.to_owned())
        })
        .await
    }

    pub fn id(&self, email: &str) -> String {
        self.simulator.account(|account| account.by_email(email).unwrap().id.clone())
    }

    pub fn state(&self, email: &str) -> String {
        self.simulator.account(|account| account.by_email(email).unwrap().state.clone())
    }

    /// The log lines since the last call, as JSON.
    pub fn log(&self) -> Vec<Value> {
        let lines = self.raw_log();
        let parse = |line: &String| {
            assert!(is_clean(line), "it holds a secret: {line}");
            let is_raw = |c: char| c.is_control() || (c.is_whitespace() && c != ' ') || "\u{200b}\u{202e}".contains(c);
            assert!(!line.contains(is_raw), "it holds an unprintable character: {line:?}");
            serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))
        };
        lines.iter().map(parse).collect()
    }

    /// The log lines since the last call, also those that Rust's runtime writes when an instance dies.
    pub fn raw_log(&self) -> Vec<String> {
        std::mem::take(&mut *self.lines.lock().unwrap())
    }

    /// The log lines since the last call, once there are so many.
    pub async fn log_of(&self, count: usize) -> Vec<Value> {
        let mut lines = Vec::new();
        for _ in 0..200 {
            lines.extend(self.log());
            if lines.len() >= count {
                return lines;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("only {} log lines: {lines:?}", lines.len());
    }

    /// The number of requests to the service since the last call, and the number of token requests among them.
    pub fn requests(&self) -> (usize, usize) {
        let records = self.simulator.take_records();
        (records.len(), records.iter().filter(|record| record.target.ends_with("/token")).count())
    }
}

/// The members of every problem, in their order: those of RFC 9457, and those of a failure.
const PROBLEM_MEMBERS: [&str; 16] = [
    "type",
    "title",
    "status",
    "detail",
    "code",
    "class",
    "message",
    "remedy",
    "retryable",
    "retry_after",
    "may_have_changed",
    "subject",
    "user_id",
    "candidates",
    "more_candidates",
    "service",
];

/// Returns true if a text holds none of the tests' keys, secrets and tokens.
pub fn is_clean(text: &str) -> bool {
    !text.contains("canary") && !text.contains("simulated-") && !text.contains("sim_")
}

/// A response of the application, read completely.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub json: Value,
}

impl Response {
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let json = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: not JSON: {text:?}"));
        let response = Self { status, headers, json };
        response.check();
        response
    }

    /// Checks the invariants of every response.
    fn check(&self) {
        assert_eq!(self.header("cache-control"), "no-store");
        assert_eq!(self.header("x-content-type-options"), "nosniff");
        assert!(!self.headers.keys().any(|name| name.as_str().starts_with("access-control-")), "no CORS");
        let is_problem = self.status != 200;
        assert_eq!(
            self.header("content-type"),
            if is_problem { "application/problem+json" } else { "application/json" }
        );
        if is_problem {
            assert_eq!(self.json["status"], self.status);
            let code = self.json["code"].as_str().unwrap();
            assert_eq!(self.json["type"], format!("/openapi.json#/x-problems/{code}"));
            for member in ["title", "detail", "remedy"] {
                assert_ne!(self.json[member].as_str().unwrap(), "", "{member}");
            }
            let members: Vec<&String> = self.json.as_object().unwrap().keys().collect();
            assert_eq!(members, PROBLEM_MEMBERS);
            assert_eq!(self.json["message"], self.json["detail"]);
            assert_eq!(self.json["retryable"], self.json["class"] == "retry");
        }
        let text = format!("{:?} {}", self.headers, self.json);
        assert!(is_clean(&text), "it holds a secret: {text}");
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or_default()
    }

    /// The kind and the name of the subject of a problem.
    pub fn subject(&self) -> (&str, &str) {
        let member = |name: &str| self.json["subject"][name].as_str().unwrap_or_default();
        (member("kind"), member("name"))
    }
}
