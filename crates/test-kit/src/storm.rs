//! Simulation testing: the real core against the simulated service, with injected faults, under virtual time.
//!
//! The seed determines the account, the settings, the actions and the faults of a run. The service is the model of
//! `onepassword-users-simulator`. The checks do not depend on it: they compare a result with the account before and after the
//! action, and with the responses that were sent.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;
use onepassword_users_core::{
    ChangeMode, ChangeOutcome, Error, ListQuery, LookupError, Method, Request, Response, Session, StateChange,
    StateFilter, TransportError, TransportFault, User, UserList, UserRef, UserState,
};

use onepassword_users_simulator::{Account, Person, Role, Service};
use serde_json::Value;

use crate::driver::{ACCOUNT, World, application, ask};

/// The statistics of one run or of many.
#[derive(Debug, Default)]
pub struct Tally {
    pub actions: u64,
    pub requests: u64,
    /// The number of injected faults, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// The number of results, by `ok` or the code of the error.
    pub outcomes: BTreeMap<&'static str, u64>,
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        self.actions += other.actions;
        self.requests += other.requests;
        for (sums, counts) in [(&mut self.faults, other.faults), (&mut self.outcomes, other.outcomes)] {
            for (name, count) in counts {
                *sums.entry(name).or_default() += count;
            }
        }
    }
}

/// Runs the actions of a seed.
///
/// # Errors
///
/// Describes a wrong result, and gives the command that replays it.
pub fn run(seed: u64) -> Result<Tally, String> {
    let mut rng = Rng::with_seed(seed);
    let model = Rc::new(RefCell::new(Model::new(&mut rng)));
    let service = model.clone();
    let mut world =
        World::new(move |request: &Request, now: &mut Duration| service.borrow_mut().exchange(request, now));
    let (attempts, deadline) = (rng.u32(1..=6), rng.u64(1..=400));
    world.values.insert("client-secret", model.borrow().secret.clone());
    world.values.insert("max-attempts", attempts.to_string());
    world.values.insert("deadline", deadline.to_string());
    world.values.insert("timeout", rng.u32(1..=60).to_string());
    world.values.insert("api-version", if rng.bool() { "v1" } else { "v1beta1" }.into());
    let session = Session::new();
    let bounds = Bounds { attempts: u64::from(attempts), deadline: Duration::from_secs(deadline) };
    for number in 0..rng.u32(1..=5) {
        world.lookup_errors.clear();
        if rng.f64() < model.borrow().fault_rate / 20.0 {
            let name = rng.choice(["base-url", "account-id", "client-id", "client-secret"]).unwrap_or("timeout");
            world.lookup_errors.insert(name, LookupError::Unavailable("sealed".into()));
            model.borrow_mut().count("lookup fails");
        }
        let op = Op::new(&mut rng, &model.borrow());
        model.borrow_mut().begin();
        let start = world.now;
        let result = op.run(&mut world, &session);
        let mut model = model.borrow_mut();
        if !world.lookup_errors.is_empty() {
            model.faults += 1;
        }
        let check = model.check_result(&op, &result, world.now.saturating_sub(start), &bounds);
        let outcome = result.as_ref().map_or_else(Error::code, |_| "ok");
        *model.tally.outcomes.entry(outcome).or_default() += 1;
        model.tally.actions += 1;
        if let Err(problem) = check {
            return Err(format!(
                "seed {seed}, action {number} ({op:?}): {problem}\n  result: {result:?}\n  requests: {:#?}\n  \
                 replay: cargo run --release -p onepassword-users-test-kit --example storm -- --seed {seed}",
                model.log
            ));
        }
    }
    drop(world);
    let tally = std::mem::take(&mut model.borrow_mut().tally);
    Ok(tally)
}

/// The bounds that the settings of a run put on each action.
struct Bounds {
    attempts: u64,
    deadline: Duration,
}

/// A call of one action.
#[derive(Debug)]
enum Op {
    List(ListQuery),
    Get(UserRef),
    Change { user: UserRef, wanted: UserState, mode: ChangeMode },
}

/// The result of an action.
#[derive(Debug)]
enum Output {
    List(UserList),
    User(User),
    Change(StateChange),
}

impl Op {
    fn new(rng: &mut Rng, model: &Model) -> Self {
        let mut user = || match rng.choice(model.people()) {
            Some(person) if rng.u32(0..10) > 0 => match rng.bool() {
                true => UserRef::Id(person.id.clone()),
                false => UserRef::Email(person.email.to_uppercase()),
            },
            _ if rng.bool() => UserRef::Id("NOBODY".into()),
            _ => UserRef::Email("nobody@example.com".into()),
        };
        let user = user();
        match rng.u32(0..4) {
            0 => Self::List(ListQuery {
                state: rng.choice([None, Some(StateFilter::Active), Some(StateFilter::Suspended)]).flatten(),
                limit: rng.bool().then(|| rng.u32(1..=20)),
                page_token: None,
            }),
            1 => Self::Get(user),
            _ => Self::Change {
                user,
                wanted: if rng.u32(0..3) > 0 { UserState::Suspended } else { UserState::Active },
                mode: match rng.u32(0..5) {
                    0 => ChangeMode::DryRun,
                    1 => ChangeMode::WithoutLookup,
                    _ => ChangeMode::LookUpFirst,
                },
            },
        }
    }

    fn run<S>(&self, world: &mut World<S>, session: &Session) -> Result<Output, Error>
    where
        S: FnMut(&Request, &mut Duration) -> Result<Response, TransportError>,
    {
        match self {
            Self::List(query) => world.run(session.list_users(query.clone())).map(Output::List),
            Self::Get(user) => world.run(session.get_user(user.clone())).map(Output::User),
            Self::Change { user, wanted: UserState::Suspended, mode } => {
                world.run(session.suspend_user(user.clone(), *mode)).map(Output::Change)
            }
            Self::Change { user, mode, .. } => {
                world.run(session.reactivate_user(user.clone(), *mode)).map(Output::Change)
            }
        }
    }
}

/// The service, the faults around it, and a record of the requests and responses.
struct Model {
    rng: Rng,
    service: Service,
    secret: String,
    /// All tokens that the service issued.
    issued: Vec<String>,
    /// The probability of a fault in a request.
    fault_rate: f64,
    /// Others change the account during the action.
    others_act: bool,
    tally: Tally,

    // The record of the action in progress.
    before: Vec<Person>,
    faults: u64,
    requests: u64,
    posts: u64,
    jumped: Duration,
    /// Delayed requests, which arrive later.
    late: Vec<Request>,
    /// The number of changes that were sent, whether they arrived or not.
    changes: u64,
    /// The latest request, and the number of times that it was sent in a row.
    streak: (String, u64),
    max_streak: u64,
    /// The users in all responses that were sent.
    sent: Vec<Value>,
    log: Vec<String>,
    leak: Option<String>,
}

/// The faults of one request.
const FAULTS: [&str; 20] = [
    "request lost",
    "response lost",
    "delayed",
    "sent twice",
    "timeout",
    "slow",
    "4xx",
    "5xx",
    "429",
    "redirect",
    "truncated",
    "garbled",
    "duplicated",
    "other user",
    "other state",
    "other shape",
    "token revoked",
    "clock jumps",
    "too large",
    "compressed",
];

impl Model {
    fn new(rng: &mut Rng) -> Self {
        let mut account = Account::new(ACCOUNT);
        for n in 0..rng.usize(0..=25) {
            // Some users share an address.
            let mailbox = if rng.u32(0..8) == 0 { n / 2 } else { n };
            let mut person = Person::new(&format!("U{n:03}"), &format!("user{mailbox}@example.com"));
            match n {
                0 => person.role = Role::Owner,
                1 => person.role = Role::ExternallyManagedAdministrator,
                _ => {
                    let states = ["ACTIVE", "ACTIVE", "SUSPENDED", "STATE_UNSPECIFIED"];
                    person.state = rng.choice(states).unwrap_or("ACTIVE").into();
                }
            }
            account.insert(person);
        }
        let secret = format!("canary-secret-{:016x}", rng.u64(..));
        let mut service = Service::new(account, rng.u64(..));
        service.set_page_size(rng.choice([1, 3, 7, 1000]).unwrap_or(7));
        service.insert_application(application(&secret));
        Self {
            service,
            secret,
            issued: Vec::new(),
            fault_rate: rng.choice([0.0, 0.02, 0.1, 0.3, 0.7]).unwrap_or(0.1),
            others_act: rng.u32(0..3) == 0,
            rng: rng.fork(),
            tally: Tally::default(),
            before: Vec::new(),
            faults: 0,
            requests: 0,
            posts: 0,
            jumped: Duration::ZERO,
            late: Vec::new(),
            changes: 0,
            streak: (String::new(), 0),
            max_streak: 0,
            sent: Vec::new(),
            log: Vec::new(),
            leak: None,
        }
    }

    fn begin(&mut self) {
        self.before = self.people().to_vec();
        (self.faults, self.requests, self.posts, self.jumped) = (0, 0, 0, Duration::ZERO);
        (self.streak, self.max_streak, self.changes) = ((String::new(), 0), 0, 0);
        self.sent.clear();
        self.log.clear();
    }

    fn count(&mut self, fault: &'static str) {
        *self.tally.faults.entry(fault).or_default() += 1;
    }

    fn exchange(&mut self, request: &Request, now: &mut Duration) -> Result<Response, TransportError> {
        self.requests += 1;
        self.tally.requests += 1;
        let name = format!("{:?} {}", request.method, request.path_and_query);
        self.streak = if self.streak.0 == name { (name, self.streak.1 + 1) } else { (name, 1) };
        self.max_streak = self.max_streak.max(self.streak.1);
        let shown = format!("{request:?}");
        self.check_for_leaks(&shown, "a request's Debug form");
        if request.method == Method::Post && !request.path_and_query.ends_with("/token") {
            self.changes += 1;
        }
        if self.rng.bool() {
            self.deliver_delayed(*now);
        }
        if self.others_act && self.rng.u32(0..4) == 0 {
            self.change_account();
        }
        let fault = if self.rng.f64() < self.fault_rate { self.rng.choice(FAULTS) } else { None };
        if let Some(fault) = fault {
            self.faults += 1;
            self.count(fault);
        }
        let result = self.exchange_with(fault, request, now);
        let outcome = match &result {
            Ok(response) => response.status.to_string(),
            Err(error) => format!("{:?}", error.fault),
        };
        self.log.push(format!("{:?} {} -> {outcome} {}", request.method, request.path_and_query, fault.unwrap_or("")));
        result
    }

    /// Answers a request, with this fault if there is one.
    fn exchange_with(
        &mut self,
        fault: Option<&'static str>,
        request: &Request,
        now: &mut Duration,
    ) -> Result<Response, TransportError> {
        let failed = |fault| Err(TransportError { fault, detail: String::new() });
        let timeout = request.idle_timeout.min(request.total_timeout);
        let latency = Duration::from_millis(self.rng.u64(1..300));
        if latency >= timeout {
            *now += timeout;
            self.faults += 1;
            return failed(TransportFault::Timeout);
        }
        *now += latency;
        match fault {
            Some("request lost") => {
                let faults = [TransportFault::Dns, TransportFault::Connect, TransportFault::Tls];
                failed(self.rng.choice(faults).unwrap_or(TransportFault::Dns))
            }
            Some("response lost") => {
                self.act(request, *now);
                failed(TransportFault::Broken)
            }
            Some("delayed") => {
                self.late.push(request.clone());
                *now += timeout - latency;
                failed(TransportFault::Timeout)
            }
            Some("sent twice") => {
                let response = self.act(request, *now);
                self.late.push(request.clone());
                Ok(response)
            }
            Some("timeout") => {
                if self.rng.bool() {
                    self.act(request, *now);
                }
                *now += timeout - latency;
                failed(TransportFault::Timeout)
            }
            Some("slow") => {
                *now += (timeout - latency) / 2;
                Ok(self.act(request, *now))
            }
            Some("4xx") => {
                let status = self.rng.choice([400, 403, 404, 405, 409, 418, 422]).unwrap_or(400);
                Ok(self.refusal(status, request))
            }
            Some("5xx") => {
                let status = self.rng.choice([408, 500, 501, 502, 503, 504, 599]).unwrap_or(500);
                // A 501 means that nothing was changed. The others may come after a change.
                if status != 501 && self.rng.bool() {
                    self.act(request, *now);
                }
                Ok(self.refusal(status, request))
            }
            Some("429") => {
                let mut response = self.refusal(429, request);
                let pause =
                    self.rng.choice(["0", "1", "30", "100000", "-1", "soon", "99999999999999999999"]).unwrap_or("");
                response.headers.push(("Retry-After".into(), pause.into()));
                Ok(response)
            }
            Some("redirect") => {
                let mut response = Response::new(self.rng.choice([301, 302, 307, 308]).unwrap_or(302), Vec::new());
                response.headers.push(("Location".into(), b"https://evil.example/".to_vec()));
                Ok(response)
            }
            Some("truncated") => {
                let mut response = self.act(request, *now);
                let end = self.rng.usize(0..response.body.len());
                response.body.truncate(end);
                Ok(response)
            }
            Some("garbled") => {
                // A byte that is valid nowhere in JSON, so that the response is never valid.
                let mut response = self.act(request, *now);
                let place = self.rng.usize(0..response.body.len());
                response.body.insert(place, self.rng.choice([0x01, 0xff]).unwrap_or(0));
                Ok(response)
            }
            Some("duplicated") => {
                let mut response = self.act(request, *now);
                let body = response.body.to_vec();
                response.body.extend_from_slice(&body);
                Ok(response)
            }
            Some("other user") => {
                self.act(request, *now);
                Ok(Response::new(200, br#"{"id":"SOMEBODYELSE","state":"SUSPENDED"}"#.to_vec()))
            }
            Some("other state") => {
                // Only for changes: a wrong state in the response to a look-up cannot be detected.
                let mut response = self.act(request, *now);
                if request.method == Method::Post {
                    let body = String::from_utf8_lossy(&response.body);
                    *response.body = body
                        .replace("ACTIVE", "X")
                        .replace("SUSPENDED", "ACTIVE")
                        .replace("\"X\"", "\"SUSPENDED\"")
                        .into();
                }
                Ok(response)
            }
            Some("other shape") => {
                self.act(request, *now);
                let bodies = [r#"{"users":[]}"#, "[]", "null", "", "<html>Sign in</html>", r#"{"results":{}}"#];
                Ok(Response::new(200, self.rng.choice(bodies).unwrap_or("").into()))
            }
            Some("token revoked") => {
                self.service.revoke_tokens();
                Ok(self.act(request, *now))
            }
            Some("clock jumps") => {
                let jump = Duration::from_secs(self.rng.u64(1..2000));
                *now += jump;
                self.jumped += jump;
                Ok(self.act(request, *now))
            }
            Some("too large") => {
                self.act(request, *now);
                failed(TransportFault::TooLarge { status: 200 })
            }
            Some("compressed") => {
                let mut response = self.act(request, *now);
                response.headers.push(("content-encoding".into(), b"br".to_vec()));
                Ok(response)
            }
            _ => Ok(self.act(request, *now)),
        }
    }

    /// Delivers the delayed requests.
    fn deliver_delayed(&mut self, now: Duration) {
        for request in std::mem::take(&mut self.late) {
            let (posts, sent) = (self.posts, self.sent.len());
            self.act(&request, now);
            // The response is dropped.
            self.sent.truncate(sent);
            self.posts = posts;
        }
    }

    /// A refusal in one of the forms that services and gateways use. Some echo the credentials that they were sent.
    fn refusal(&mut self, status: u16, request: &Request) -> Response {
        let authorization =
            request.headers.iter().find(|(name, _)| *name == "authorization").map_or("", |(_, value)| value.expose());
        let body = match self.rng.u32(0..5) {
            0 => r#"{"code":13,"message":"its words","details":[]}"#.to_owned(),
            1 => r#"{"error":"server_error","error_description":"its words"}"#.to_owned(),
            2 => "<html>Bad Gateway</html>".to_owned(),
            3 => String::new(),
            _ if request.path_and_query.ends_with("/token") => {
                format!(r#"{{"error":"invalid_request","error_description":"{authorization} is {}"}}"#, self.secret)
            }
            _ => format!(r#"{{"code":3,"message":"you sent {authorization}"}}"#),
        };
        Response::new(status, body.into())
    }

    /// The response of the service without a fault.
    fn act(&mut self, request: &Request, now: Duration) -> Response {
        let is_token_request = request.path_and_query.ends_with("/token");
        if is_token_request {
            self.service.set_token_lifetime(Duration::from_secs(self.rng.choice([900, 900, 60, 5]).unwrap_or(900)));
        }
        let response = ask(&mut self.service, request, now);
        let json: Value = serde_json::from_str(&response.body).unwrap();
        match (is_token_request, response.status) {
            (true, 200) => self.issued.push(json["access_token"].as_str().unwrap().into()),
            (false, 200) => match &json["results"] {
                Value::Array(users) => self.sent.extend(users.iter().cloned()),
                _ => self.sent.push(json),
            },
            _ => {}
        }
        if request.method == Method::Post && !is_token_request && !matches!(response.status, 401 | 404) {
            self.posts += 1;
        }
        // A service may leave out empty fields.
        let body = if response.body == r#"{"results":[]}"# && self.rng.bool() { "{}".into() } else { response.body };
        Response::new(response.status, body.into())
    }

    fn people(&self) -> &[Person] {
        self.service.account().people()
    }

    /// Changes the account as another client would.
    fn change_account(&mut self) {
        let place = self.rng.usize(0..=self.people().len());
        let (action, number) = (self.rng.u32(0..4), self.rng.u32(..));
        let account = self.service.account_mut();
        let person = account.people().get(place).map(|person| (person.id.clone(), person.role));
        match (action, person) {
            (0, _) => {
                let id = format!("V{number:08x}");
                account.insert_at(place, Person::new(&id, &format!("{}@example.com", id.to_lowercase())));
            }
            (1, Some((id, _))) => {
                account.remove(&id);
            }
            (_, Some((id, Role::Member))) => {
                let person = account.person_mut(&id).unwrap();
                person.state = if person.state == "ACTIVE" { "SUSPENDED" } else { "ACTIVE" }.into();
            }
            _ => {}
        }
    }

    fn check_for_leaks(&mut self, text: &str, place: &str) {
        use base64::Engine;
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("client:{}", self.secret));
        let percent = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let forms = [basic, percent(&self.secret), format!("client%3A{}", self.secret)];
        let secrets = self.issued.iter().chain([&self.secret]).chain(&forms);
        if secrets.into_iter().any(|secret| text.contains(secret)) {
            self.leak = Some(format!("{place} shows a secret: {text}"));
        }
    }

    /// Checks a result against the account and the responses that were sent.
    fn check_result(
        &mut self,
        op: &Op,
        result: &Result<Output, Error>,
        elapsed: Duration,
        bounds: &Bounds,
    ) -> Result<(), String> {
        self.deliver_delayed(Duration::ZERO);
        let shown = match result {
            Ok(output) => format!("{output:?}"),
            Err(error) => format!("{error:?} {error} {}", error.remedy()),
        };
        self.check_for_leaks(&shown, "the result");
        if let Some(leak) = self.leak.take() {
            return Err(leak);
        }
        let pages = (self.sent.len() + self.people().len() + self.before.len() + 2) as u64;
        let max_requests = 4 * bounds.attempts * (pages + 2 * bounds.attempts);
        check(self.requests <= max_requests, || {
            format!("{} requests were sent, at most {max_requests} are allowed", self.requests)
        })?;
        let max_changes = 2 * bounds.attempts;
        check(self.changes <= max_changes, || {
            format!("{} changes were sent, at most {max_changes} are allowed", self.changes)
        })?;
        check(self.max_streak <= bounds.attempts, || format!("a request was attempted {} times", self.max_streak))?;
        check(elapsed <= bounds.deadline + self.jumped, || {
            format!("the action took {elapsed:?}, its deadline is {:?}", bounds.deadline)
        })?;
        // A result must match a response. If nobody else acts, it must match the account as well.
        let was_sent = |user: &User| self.sent.iter().any(|sent| is_sent_user(sent, user));
        match (op, result) {
            (Op::List(query), Ok(Output::List(list))) => {
                let ids: BTreeSet<&str> = list.users.iter().map(|user| user.id.as_str()).collect();
                check(ids.len() == list.users.len(), || "a user is listed twice".into())?;
                check(list.users.iter().all(was_sent), || "a listed user matches no response".into())?;
                let limit = query.limit.map_or(usize::MAX, |limit| limit as usize);
                check(list.users.len() <= limit, || "the list exceeds its limit".into())?;
                check(query.limit.is_some() || list.next_page_token.is_none(), || {
                    "a list without a limit has a page token".into()
                })?;
                if !self.others_act {
                    let expected: Vec<&Person> =
                        self.people().iter().filter(|person| is_in_state(query.state, person)).collect();
                    let cut = &expected[..expected.len().min(list.users.len())];
                    let is_same = cut.iter().zip(&list.users).all(|(person, user)| is_person(person, user));
                    check(is_same && cut.len() == list.users.len(), || "the list differs from the account".into())?;
                    let is_complete = list.users.len() == expected.len();
                    check(is_complete || list.next_page_token.is_some(), || "the list was cut silently".into())?;
                    check(is_complete || list.users.len() == limit, || "the list ends before its limit".into())?;
                }
                Ok(())
            }
            (Op::Get(named), Ok(Output::User(user))) => {
                check(was_sent(user), || "the user matches no response".into())?;
                check(self.others_act || self.expected(named).is_ok_and(|person| is_person(person, user)), || {
                    "the result is about another user".into()
                })
            }
            (Op::Change { user: named, wanted, mode }, Ok(Output::Change(StateChange { user, outcome }))) => {
                check(was_sent(user), || "the user matches no response".into())?;
                check((user.state == *wanted) != (*outcome == ChangeOutcome::WouldChange), || {
                    "the user is not in the wanted state".into()
                })?;
                check(
                    (*mode == ChangeMode::DryRun) == (*outcome == ChangeOutcome::WouldChange)
                        || *outcome == ChangeOutcome::Unchanged,
                    || "the outcome does not match the dry run".into(),
                )?;
                check((*mode == ChangeMode::WithoutLookup) == (*outcome == ChangeOutcome::NotChecked), || {
                    "the outcome does not match the mode without a look-up".into()
                })?;
                let is_unsent = matches!(outcome, ChangeOutcome::Unchanged | ChangeOutcome::WouldChange);
                check(!is_unsent || self.posts == 0, || "a change was sent and not reported".into())?;
                if self.others_act {
                    return Ok(());
                }
                let before = self.before.iter().find(|person| person.id == user.id);
                let after = self.people().iter().find(|person| person.id == user.id);
                check(after.is_some_and(|person| is_person(person, user)), || {
                    "the user differs from the account".into()
                })?;
                let was_in_state = before.is_some_and(|person| state(&person.state) == *wanted);
                let is_exact = was_in_state == (*outcome == ChangeOutcome::Unchanged);
                check(*outcome == ChangeOutcome::NotChecked || is_exact, || {
                    "the outcome does not match the account".into()
                })?;
                check(self.expected(named).is_ok_and(|person| person.id == user.id), || {
                    "the result is about another user".into()
                })
            }
            (_, Ok(_)) => Err("the result belongs to another action".into()),
            (op, Err(error)) => self.check_error(op, error),
        }
    }

    /// Checks that an error has a reason, and that it reports a change that was made.
    fn check_error(&self, op: &Op, error: &Error) -> Result<(), String> {
        if self.others_act {
            return Ok(());
        }
        let (named, protects) = match op {
            Op::List(_) => (None, false),
            Op::Get(named) => (Some(named), false),
            Op::Change { user, wanted, .. } => (Some(user), *wanted == UserState::Suspended),
        };
        check(error.may_have_changed() || self.before == self.people(), || {
            "the account changed, and the error denies it".into()
        })?;
        check(!error.may_have_changed() || matches!(op, Op::Change { .. }), || {
            "an action without changes reports that it may have made one".into()
        })?;
        let expected = named.map(|named| self.expected(named));
        let is_justified = match (error, expected) {
            (Error::UserNotFound { .. }, Some(Err(0))) => true,
            (Error::AmbiguousUser { ids, .. }, Some(Err(count))) => ids.len() == count,
            (Error::LastOwner { .. }, Some(Ok(person))) => person.role == Role::Owner && protects,
            (Error::ExternallyManaged { .. }, Some(Ok(person))) => {
                person.role == Role::ExternallyManagedAdministrator && protects
            }
            // An injected refusal may say so of any id.
            (Error::UserNotFound { user: UserRef::Id(_), .. }, _) => self.faults > 0,
            (Error::UserNotFound { .. } | Error::AmbiguousUser { .. }, _) => false,
            (Error::LastOwner { .. } | Error::ExternallyManaged { .. } | Error::InvalidArgument { .. }, _) => false,
            _ => self.faults > 0,
        };
        check(is_justified, || format!("the error has no reason ({} faults)", self.faults))
    }

    /// The person that a reference names, or the number of matches if it is not one.
    fn expected(&self, named: &UserRef) -> Result<&Person, usize> {
        let names = |person: &&Person| match named {
            UserRef::Id(id) => person.id == *id,
            UserRef::Email(email) => person.email.eq_ignore_ascii_case(email),
        };
        let mut found = self.people().iter().filter(names);
        match (found.next(), found.count()) {
            (Some(person), 0) => Ok(person),
            (None, _) => Err(0),
            (_, others) => Err(others + 1),
        }
    }
}

fn check(holds: bool, problem: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(problem()) }
}

fn state(state: &str) -> UserState {
    match state {
        "ACTIVE" => UserState::Active,
        "SUSPENDED" => UserState::Suspended,
        other => UserState::Other(other.into()),
    }
}

/// Returns true if a user is this person of the account, in every field.
fn is_person(person: &Person, user: &User) -> bool {
    let Person { id, email, display_name, state: of_person, create_time, path, role: _ } = person;
    let texts = [(id, &user.id), (email, &user.email), (display_name, &user.display_name)];
    let rest = [(create_time, &user.create_time), (path, &user.path)];
    texts.iter().chain(&rest).all(|(a, b)| a == b) && state(of_person) == user.state
}

/// Returns true if a user matches the JSON of a response.
fn is_sent_user(sent: &Value, user: &User) -> bool {
    let texts = [("id", &user.id), ("email", &user.email), ("display_name", &user.display_name)];
    let rest = [("create_time", &user.create_time), ("path", &user.path)];
    texts.iter().chain(&rest).all(|(key, text)| sent[key] == text.as_str())
        && sent["state"].as_str().is_some_and(|word| state(word) == user.state)
}

fn is_in_state(filter: Option<StateFilter>, person: &Person) -> bool {
    match filter {
        None => true,
        Some(StateFilter::Active) => person.state == "ACTIVE",
        Some(StateFilter::Suspended) => person.state == "SUSPENDED",
    }
}
