//! Playing a case: the service's part on a port of loopback, and a record of what the driver did.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use crate::answer::{self, Placeholders};
use crate::case::{Answer, Case, Entry, Exchange, Expectation, LookupFailure, Named, Part, Then};
use crate::judge::{self, Report, Verdict};
use crate::wire::{NoRequest, Request, Requests};

/// The account of every case.
const ACCOUNT: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// The token that the service gives out, unless a case says otherwise.
const TOKEN: &str = "canary-token-1";
/// The route of token requests.
const TOKEN_ROUTE: &str = "/v1/oauth/token";
/// The body of token requests.
const TOKEN_FORM: &[u8] = b"grant_type=client_credentials";
/// The time for a look-up, unless a case says otherwise.
const LOOKUP_LIMIT: Duration = Duration::from_secs(5);
/// The most connections of a run at one time.
const MAX_CONNECTIONS: usize = 64;
/// The most problems that are noted. The first ones tell enough.
const MAX_PROBLEMS: usize = 32;

/// Headers that a request must not have: those of cookies, of where a caller comes from, and those that change an answer.
const REFUSED_HEADERS: [&str; 12] = [
    "cookie",
    "cookie2",
    "expect",
    "forwarded",
    "from",
    "if-modified-since",
    "if-none-match",
    "origin",
    "proxy-authorization",
    "range",
    "referer",
    "x-forwarded-for",
];

/// The part of a case that a driver's runner needs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Task {
    /// The actions to run in one session.
    pub actions: Vec<TaskAction>,
    /// True if all actions begin at once. Otherwise each begins after the end of the one before.
    pub together: bool,
    /// The settings that are set, by name.
    pub settings: BTreeMap<String, String>,
    /// The secrets that are set, by name.
    pub secrets: BTreeMap<String, String>,
    /// The settings and secrets whose look-up fails, by name.
    pub failing_lookups: BTreeMap<String, LookupFailure>,
    /// The settings and secrets whose look-up takes this many milliseconds, by name.
    pub slow_lookups_ms: BTreeMap<String, u64>,
    /// The settings and secrets whose look-up never ends, by name.
    pub hanging_lookups: Vec<String>,
    /// The longest duration of a look-up that the driver allows, in milliseconds.
    pub lookup_limit_ms: u64,
}

/// An action of a [`Task`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskAction {
    /// The name of the action, or `test` for the test.
    pub action: String,
    /// The arguments, as JSON in a text.
    pub arguments: String,
    /// The time after which the runner drops the action, in milliseconds.
    pub drop_after_ms: Option<u64>,
}

/// A case that is being played. Dropping it closes its ports.
#[derive(Debug)]
pub struct Play {
    case: Case,
    task: Task,
    shared: Arc<Shared>,
    started: Instant,
    /// Holds the port of a case without a service.
    _closed_port: Option<TcpSocket>,
    listeners: Vec<JoinHandle<()>>,
}

impl Drop for Play {
    fn drop(&mut self) {
        self.listeners.iter().for_each(JoinHandle::abort);
    }
}

#[derive(Debug)]
struct Shared {
    exchanges: Vec<Exchange>,
    placeholders: Placeholders,
    authority: String,
    basic: String,
    state: Mutex<State>,
}

/// The record of what the driver did.
#[derive(Debug, Default)]
struct State {
    /// The number of times that each exchange is still expected.
    left: Vec<u32>,
    requests: u32,
    last_answer: Option<Instant>,
    problems: Vec<String>,
}

impl State {
    fn problem(&mut self, problem: String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        }
    }
}

impl Play {
    /// Starts the service's part of a case.
    ///
    /// # Errors
    ///
    /// No port of loopback is free.
    pub async fn start(case: &Case) -> io::Result<Self> {
        let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (service, closed_port) = if case.port_closed {
            // A port that is bound, but does not listen, refuses connections, and nobody else gets it.
            let socket = TcpSocket::new_v4()?;
            socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
            (None, Some(socket))
        } else {
            (Some(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?), None)
        };
        let address = match (&service, &closed_port) {
            (Some(service), _) => service.local_addr()?,
            (None, Some(socket)) => socket.local_addr()?,
            (None, None) => other.local_addr()?,
        };
        let placeholders = Placeholders(vec![
            ("$USERS", format!("/v1/accounts/{ACCOUNT}/users")),
            ("$SELF", format!("http://{address}")),
            ("$OTHER", format!("http://{}", other.local_addr()?)),
        ]);
        let task = task(case, &format!("http://{address}"));
        let secret = |name: &str| task.secrets.get(name).map(|secret| secret.trim()).unwrap_or_default();
        let basic = STANDARD.encode(format!("{}:{}", secret("client-id"), secret("client-secret")));
        let exchanges: Vec<Exchange> = case.exchanges.iter().map(exchange).collect();
        let left = exchanges.iter().map(|exchange| exchange.times).collect();
        let shared = Arc::new(Shared {
            exchanges,
            placeholders,
            authority: address.to_string(),
            basic,
            state: Mutex::new(State { left, ..State::default() }),
        });
        let mut listeners = vec![tokio::spawn(listen(other, shared.clone(), Role::Other))];
        listeners.extend(service.map(|service| tokio::spawn(listen(service, shared.clone(), Role::Service))));
        let started = Instant::now();
        Ok(Self { case: case.clone(), task, shared, started, _closed_port: closed_port, listeners })
    }

    /// The part of the case that a driver's runner needs.
    #[must_use]
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// The name of the case.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.case.name
    }

    /// Judges what the driver did and what its runner reports. Waits a moment for requests that should not come.
    pub async fn judge(&self, report: &Report) -> Verdict {
        let elapsed = self.started.elapsed();
        tokio::time::sleep(Duration::from_millis(self.case.settle_ms.max(20))).await;
        let (mut problems, unsent) = {
            let state = self.shared.state();
            let unsent = self.shared.exchanges.iter().zip(&state.left);
            let unsent = unsent.filter(|(exchange, left)| !exchange.optional && **left > 0);
            let unsent: Vec<String> = unsent
                .map(|(Exchange { request, times, .. }, left)| {
                    let target = self.shared.placeholders.fill(&request.target);
                    let sent = if *times > 1 { format!(" more than {} times", times - left) } else { String::new() };
                    format!("{} {target} was not sent{sent}", request.method)
                })
                .collect();
            (state.problems.clone(), unsent)
        };
        problems.extend(unsent);
        problems.extend(judge::timing(&self.case, elapsed));
        let mut notes = Vec::new();
        judge::outcomes(&self.case, report, &mut problems, &mut notes);
        judge::leaks(&self.secrets(), report, &mut problems);
        Verdict { passed: problems.is_empty(), problems, notes }
    }

    /// Everything that must not be shown, with its name.
    fn secrets(&self) -> Vec<(String, String)> {
        let mut secrets: Vec<(String, String)> =
            self.task.secrets.iter().map(|(name, value)| (name.clone(), value.trim().to_owned())).collect();
        secrets.push(("client id and secret in base64".into(), self.shared.basic.clone()));
        for exchange in &self.shared.exchanges {
            for part in &exchange.answer.body {
                if let Part::Json(json) = part
                    && let Some(token) = json.get("access_token").and_then(Value::as_str)
                {
                    secrets.push(("access token".into(), token.into()));
                }
            }
        }
        secrets.retain(|(_, value)| value.len() >= 6);
        secrets
    }
}

/// The task of a case.
fn task(case: &Case, base_url: &str) -> Task {
    let set = |defaults: &[(&str, &str)], changes: &BTreeMap<String, Option<String>>| {
        let mut values: BTreeMap<String, String> =
            defaults.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        for (name, value) in changes {
            match value {
                Some(value) => values.insert(name.clone(), value.clone()),
                None => values.remove(name),
            };
        }
        values
    };
    let settings =
        [("base-url", base_url), ("account-id", ACCOUNT), ("timeout", "5"), ("deadline", "10"), ("max-attempts", "2")];
    let secrets = [("client-id", "canary-client-id"), ("client-secret", "canary-client-secret")];
    let action = |act: &crate::case::Act| TaskAction {
        action: act.action.clone(),
        arguments: act.arguments.as_ref().map_or_else(|| "{}".into(), Value::to_string),
        drop_after_ms: act.drop_after_ms,
    };
    let lookups = &case.lookups;
    let limit = u64::try_from(LOOKUP_LIMIT.as_millis()).unwrap_or(u64::MAX);
    Task {
        actions: case.actions.iter().map(action).collect(),
        together: case.together,
        settings: set(&settings, &case.settings),
        secrets: set(&secrets, &case.secrets),
        failing_lookups: lookups.failing.clone(),
        slow_lookups_ms: lookups.slow_ms.clone(),
        hanging_lookups: lookups.hanging.clone(),
        lookup_limit_ms: lookups.limit_ms.unwrap_or(limit),
    }
}

fn exchange(entry: &Entry) -> Exchange {
    match entry {
        Entry::Exchange(exchange) => exchange.as_ref().clone(),
        Entry::Named(Named::Token) => Exchange {
            request: Expectation {
                method: "POST".into(),
                target: TOKEN_ROUTE.into(),
                bearer: None,
                headers: BTreeMap::new(),
                absent: Vec::new(),
                not_before_ms: 0,
            },
            answer: Answer {
                status: Some(200),
                body: vec![Part::Json(json!({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 900}))],
                ..Answer::default()
            },
            times: 1,
            optional: false,
        },
    }
}

/// The part that a port plays.
#[derive(Clone, Copy)]
enum Role {
    /// The service of the case.
    Service,
    /// The host that a redirect leads to, which nobody may connect to.
    Other,
}

async fn listen(listener: TcpListener, shared: Arc<Shared>, role: Role) {
    let mut connections = JoinSet::new();
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Ok(permit) = permits.clone().acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else { return };
        while connections.try_join_next().is_some() {}
        let shared = shared.clone();
        connections.spawn(async move {
            match role {
                Role::Service => shared.serve(stream).await,
                Role::Other => shared.refuse(stream).await,
            }
            drop(permit);
        });
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves a connection to the service.
    async fn serve(&self, mut stream: TcpStream) {
        // Small packets are sent at once, as a drip needs.
        let _ = stream.set_nodelay(true);
        let mut requests = Requests::new();
        loop {
            let mut request = match requests.head(&mut stream).await {
                Ok(request) => request,
                Err(NoRequest::Closed) => return,
                Err(NoRequest::Unreadable(problem)) => {
                    return self.state().problem(format!("a request {problem}"));
                }
            };
            let found = self.find(&request);
            let is_early = found.is_some_and(|(_, exchange)| exchange.answer.early);
            if !is_early {
                match requests.body(&mut request, &mut stream).await {
                    Ok(()) => {}
                    Err(NoRequest::Closed) => return,
                    Err(NoRequest::Unreadable(problem)) => {
                        return self.state().problem(format!("{} {problem}", name(&request)));
                    }
                }
            }
            let Some((_, exchange)) = found else {
                let answer = Answer { status: Some(400), then: Then::Close, ..Answer::default() };
                // The driver need not read it.
                let _ = answer::send(&mut stream, &answer, &self.placeholders).await;
                return;
            };
            self.check(&request, exchange, is_early);
            let sent = answer::send(&mut stream, &exchange.answer, &self.placeholders).await;
            let mut state = self.state();
            state.last_answer = Some(Instant::now());
            if let (Some(limit), Ok((sent, _))) = (exchange.answer.at_most_bytes, &sent)
                && *sent > limit
            {
                let problem = format!("{} took {sent} bytes of an endless body, more than {limit}", name(&request));
                state.problem(problem);
            }
            if !sent.is_ok_and(|(_, is_kept)| is_kept) {
                return;
            }
        }
    }

    /// The exchange that a request belongs to, which is used up by it.
    fn find(&self, request: &Request) -> Option<(usize, &Exchange)> {
        let mut state = self.state();
        state.requests += 1;
        let is_meant = |exchange: &Exchange| {
            exchange.request.method == request.method
                && self.placeholders.fill(&exchange.request.target) == request.target
        };
        let place = self.exchanges.iter().zip(&state.left).position(|(exchange, left)| *left > 0 && is_meant(exchange));
        let Some(place) = place else {
            let is_again = self.exchanges.iter().any(is_meant);
            let problem = if is_again { "was sent once too often" } else { "is not expected at all" };
            state.problem(format!("{} {problem}", name(request)));
            return None;
        };
        if let Some(left) = state.left.get_mut(place) {
            *left -= 1;
        }
        Some((place, self.exchanges.get(place)?))
    }

    /// Holds a request against what is expected.
    fn check(&self, request: &Request, Exchange { request: expected, .. }: &Exchange, is_early: bool) {
        let is_token = expected.target.ends_with("/token");
        let authorization = if is_token {
            format!("Basic {}", self.basic)
        } else {
            format!("Bearer {}", expected.bearer.as_deref().unwrap_or(TOKEN))
        };
        let mut headers = vec![
            ("host", self.authority.as_str()),
            ("accept", "application/json"),
            ("accept-encoding", "identity"),
            ("authorization", &authorization),
        ];
        let mut body: &[u8] = &[];
        if is_token {
            headers.push(("content-type", "application/x-www-form-urlencoded"));
            body = TOKEN_FORM;
        }
        let length = body.len().to_string();
        if request.method == "POST" {
            headers.push(("content-length", &length));
        }
        headers.extend(expected.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));

        let mut problems = Vec::new();
        for (name, value) in headers {
            let found: Vec<&str> = request.header(name).collect();
            match found.as_slice() {
                [found] if *found == value => {}
                [] => problems.push(format!("lacks the header {name}")),
                [_] if name == "authorization" => {
                    problems.push("has another authorization than the step says".into());
                }
                [found] => problems.push(format!("has {name}: {}, and not {value}", cut(found))),
                _ => problems.push(format!("has the header {name} {} times", found.len())),
            }
        }
        if !request.header("user-agent").any(|value| value.contains("onepassword-users/")) {
            problems.push("has another user-agent than the step says".into());
        }
        for name in REFUSED_HEADERS.iter().copied().chain(expected.absent.iter().map(String::as_str)) {
            if request.header(name).next().is_some() {
                problems.push(format!("has the header {name}, which nobody asked for"));
            }
        }
        if !is_early && request.body != body {
            problems.push(format!("has a body of {} bytes that is not the one of the step", request.body.len()));
        }
        let mut state = self.state();
        let waited = state.last_answer.map(|answered| answered.elapsed());
        let least = Duration::from_millis(expected.not_before_ms);
        // Clocks of two processes agree to a few milliseconds.
        if waited.is_some_and(|waited| waited + Duration::from_millis(20) < least) {
            let waited = waited.unwrap_or_default().as_millis();
            problems.push(format!(
                "came {waited} ms after the last answer, and not {} ms: the wait was not made",
                expected.not_before_ms
            ));
        }
        for problem in problems {
            state.problem(format!("{} {problem}", name(request)));
        }
    }

    /// Notes a connection to the other host.
    async fn refuse(&self, mut stream: TcpStream) {
        let head = Requests::new().head(&mut stream).await;
        let mut state = self.state();
        state.problem("the driver connected to another host: a redirect must not be followed".into());
        if let Ok(request) = head
            && request.header("authorization").next().is_some()
        {
            state.problem("the other host was sent an authorization".into());
        }
    }
}

/// A request in words.
fn name(request: &Request) -> String {
    format!("{} {}", cut(&request.method), cut(&request.target))
}

/// The beginning of a text that may be long.
fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
