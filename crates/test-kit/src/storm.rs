//! Simulation testing: the real core against the simulated service, with injected faults, under virtual time.
//!
//! The seed determines the account, the dialect of the service, the settings, the actions and the faults of a run. The service is
//! the model of `onepassword-users-simulator`. The checks do not depend on it: they compare a result with the account before,
//! during and after the action. A result must be right in every dialect. In a dialect without defects, nothing may be refused
//! without a fault; in a defective one, an error is right as long as it claims nothing wrong.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;
use onepassword_users_core::{
    ChangeMode, ChangeOutcome, Error, ListQuery, LookupError, Method, Request, Response, Session, StateChange,
    StateFilter, TransportError, TransportFault, User, UserList, UserRef, UserState,
};

use onepassword_users_simulator::{Account, ChangeAnswer, Dialect, Person, Role, Service};

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
    if rng.u32(0..4) == 0 {
        let people = model.borrow().people().to_vec();
        let mut names = Vec::new();
        for person in &people {
            // An address in another case, or an id.
            match rng.u32(0..8) {
                0 => names.push(person.id.clone()),
                1 => names.push(person.email.to_uppercase()),
                _ => {}
            }
        }
        world.values.insert("protected-users", names.join(", "));
        let is_named = |person: &&Person| names.contains(&person.id) || names.contains(&person.email.to_uppercase());
        model.borrow_mut().protected = people.iter().filter(is_named).map(|person| person.id.clone()).collect();
    }
    let session = Session::new();
    let bounds = Bounds { attempts: u64::from(attempts), deadline: Duration::from_secs(deadline) };
    model.borrow_mut().has_time = attempts > 1 && deadline > 60;
    for number in 0..rng.u32(1..=5) {
        world.lookup_errors.clear();
        if rng.f64() < model.borrow().fault_rate / 20.0 {
            let names = ["base-url", "account-id", "client-id", "client-secret", "protected-users"];
            let name = rng.choice(names).unwrap_or("timeout");
            world.lookup_errors.insert(name, LookupError::unavailable(name, "sealed"));
            model.borrow_mut().count("lookup fails");
        }
        let op = Op::new(&mut rng, &model.borrow());
        let (is_suspension, is_dry_run) = match &op {
            Op::Change { wanted, mode, .. } => (*wanted == UserState::Suspended, *mode == ChangeMode::DryRun),
            _ => (false, true),
        };
        model.borrow_mut().begin();
        let is_unprotected = world.lookup_errors.contains_key("protected-users");
        model.borrow_mut().forbidden = match (is_dry_run, is_suspension && is_unprotected) {
            (true, _) => Forbidden::Changes,
            (_, true) => Forbidden::Suspensions,
            _ => Forbidden::Protected,
        };
        let start = world.now;
        let result = op.run(&mut world, &session);
        let mut model = model.borrow_mut();
        // Nothing but a suspension needs the protected users.
        if !world.lookup_errors.is_empty() && (is_suspension || !is_unprotected) {
            model.faults += 1;
        }
        let check = model.check_result(&op, &result, world.now.saturating_sub(start), &bounds);
        let outcome = result.as_ref().map_or_else(|error| error.code().name(), |_| "ok");
        *model.tally.outcomes.entry(outcome).or_default() += 1;
        model.tally.actions += 1;
        if let Err(problem) = check {
            return Err(format!(
                "seed {seed}, action {number} ({op:?}): {problem}\n  result: {result:?}\n  requests: {:#?}\n  {:?}\n  \
                 replay: cargo run --release -p onepassword-users-test-kit --example storm -- --seed {seed}",
                model.log,
                model.service.dialect()
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
    /// A list with a limit, and then the rest of it.
    Continue(ListQuery),
    Get(UserRef),
    Find(Vec<UserRef>),
    Change {
        user: UserRef,
        wanted: UserState,
        mode: ChangeMode,
    },
}

/// The result of an action.
#[derive(Debug)]
enum Output {
    List(UserList),
    User(User),
    Found(Vec<Result<User, Error>>),
    Change(StateChange),
}

impl Op {
    fn new(rng: &mut Rng, model: &Model) -> Self {
        let user = |rng: &mut Rng| match rng.choice(model.people()) {
            Some(person) if rng.u32(0..10) > 0 => match rng.u32(0..5) {
                0 | 1 => UserRef::Id(person.id.clone()),
                2 => UserRef::Known { id: person.id.clone(), email: person.email.to_uppercase() },
                _ => UserRef::Email(person.email.to_uppercase()),
            },
            Some(person) if rng.bool() => UserRef::Known { id: person.id.clone(), email: "other@example.com".into() },
            Some(person) if rng.bool() => UserRef::Email(person.email.replace("user", "usér")),
            _ if rng.bool() => UserRef::Id("NOBODY".into()),
            _ => UserRef::Email("nobody@example.com".into()),
        };
        let state = rng.choice([None, Some(StateFilter::Active), Some(StateFilter::Suspended)]).flatten();
        match rng.u32(0..6) {
            0 => Self::List(ListQuery { state, limit: rng.bool().then(|| rng.u32(1..=20)), page_token: None }),
            1 => Self::Continue(ListQuery { state, limit: Some(rng.u32(1..=20)), page_token: None }),
            2 => Self::Get(user(rng)),
            3 => Self::Find((0..rng.u32(0..6)).map(|_| user(rng)).collect()),
            _ => Self::Change {
                user: user(rng),
                wanted: if rng.u32(0..3) > 0 { UserState::Suspended } else { UserState::Active },
                mode: if rng.u32(0..5) == 0 { ChangeMode::DryRun } else { ChangeMode::Apply },
            },
        }
    }

    fn run<S>(&self, world: &mut World<S>, session: &Session) -> Result<Output, Error>
    where
        S: FnMut(&Request, &mut Duration) -> Result<Response, TransportError>,
    {
        match self {
            Self::List(query) => world.run(session.list_users(query.clone())).map(Output::List),
            Self::Continue(query) => {
                let mut list = world.run(session.list_users(query.clone()))?;
                if list.next_page_token.is_some() {
                    let rest = ListQuery { limit: None, page_token: list.next_page_token, ..query.clone() };
                    let rest = world.run(session.list_users(rest))?;
                    list.users.extend(rest.users);
                    list.next_page_token = rest.next_page_token;
                }
                Ok(Output::List(list))
            }
            Self::Get(user) => world.run(session.get_user(user.clone())).map(Output::User),
            Self::Find(users) => world.run(session.find_users(users.clone())).map(Output::Found),
            Self::Change { user, wanted: UserState::Suspended, mode } => {
                world.run(session.suspend_user(user.clone(), *mode)).map(Output::Change)
            }
            Self::Change { user, mode, .. } => {
                world.run(session.reactivate_user(user.clone(), *mode)).map(Output::Change)
            }
        }
    }
}

/// The changes that must not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Forbidden {
    /// Suspensions of protected users.
    Protected,
    /// All suspensions, since nobody knows who is protected.
    Suspensions,
    Changes,
}

/// The service, the faults around it, and a record of the requests and responses.
struct Model {
    rng: Rng,
    service: Service,
    secret: String,
    /// All tokens that the service issued.
    issued: Vec<String>,
    /// The ids of the users that must not be suspended.
    protected: BTreeSet<String>,
    /// A fault answered that there is no such user.
    denied_a_user: bool,
    /// A fault made a text of a response unreadable, maybe the address of a namesake.
    garbled_a_text: bool,
    /// There are attempts and time enough for a service that needs a while.
    has_time: bool,
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
    /// The users as they were at any time during the action.
    versions: Vec<Person>,
    log: Vec<String>,
    forbidden: Forbidden,
    /// The encoded credentials that responses repeated.
    echoes: Vec<String>,
    /// A rule that was broken by a request, or a leak.
    violation: Option<String>,
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
        for n in 0..rng.usize(1..=25) {
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
        let seed = rng.u64(..);
        service.set_dialect(match rng.u32(0..8) {
            0 | 1 => Dialect::default(),
            2 | 3 => Dialect::defective(seed),
            _ => Dialect::seeded(seed),
        });
        Self {
            service,
            secret,
            issued: Vec::new(),
            protected: BTreeSet::new(),
            denied_a_user: false,
            garbled_a_text: false,
            has_time: false,
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
            versions: Vec::new(),
            log: Vec::new(),
            forbidden: Forbidden::Changes,
            echoes: Vec::new(),
            violation: None,
        }
    }

    fn begin(&mut self) {
        self.service.settle_changes();
        self.before = self.people().to_vec();
        (self.faults, self.requests, self.posts, self.jumped) = (0, 0, 0, Duration::ZERO);
        (self.streak, self.max_streak, self.changes) = ((String::new(), 0), 0, 0);
        self.versions.clone_from(&self.before);
        (self.denied_a_user, self.garbled_a_text) = (false, false);
        self.log.clear();
        self.echoes.clear();
    }

    /// Notes the users who have changed.
    fn note_versions(&mut self) {
        for person in self.service.account().people() {
            if !self.versions.contains(person) {
                self.versions.push(person.clone());
            }
        }
    }

    fn count(&mut self, fault: &'static str) {
        *self.tally.faults.entry(fault).or_default() += 1;
    }

    fn exchange(&mut self, request: &Request, now: &mut Duration) -> Result<Response, TransportError> {
        self.requests += 1;
        self.tally.requests += 1;
        let name = format!("{:?} {}", request.method, request.path_and_query);
        self.streak = if self.streak.0 == name { (name.clone(), self.streak.1 + 1) } else { (name.clone(), 1) };
        self.max_streak = self.max_streak.max(self.streak.1);
        let shown = format!("{request:?}");
        self.check_for_leaks(&shown, "a request's Debug form");
        if request.method == Method::Post && !request.path_and_query.ends_with("/token") {
            self.changes += 1;
            let suspended = request.path_and_query.strip_suffix(":suspend");
            let id = suspended.and_then(|path| path.rsplit('/').next());
            let is_allowed = match self.forbidden {
                Forbidden::Protected => id.is_none_or(|id| !self.protected.contains(id)),
                Forbidden::Suspensions => suspended.is_none(),
                Forbidden::Changes => false,
            };
            if !is_allowed {
                self.violation = Some(format!("{name} was sent ({:?})", self.forbidden));
            }
        }
        if self.rng.bool() {
            self.deliver_delayed(*now);
        }
        if self.others_act && self.rng.u32(0..4) == 0 {
            self.change_account();
            self.note_versions();
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
                let status = self.rng.choice([400, 401, 403, 404, 405, 407, 409, 410, 418, 422, 451]).unwrap_or(400);
                Ok(self.refusal(status, request))
            }
            Some("5xx") => {
                let statuses = [408, 425, 499, 500, 501, 502, 503, 504, 511, 520, 522, 525, 530, 599];
                let status = self.rng.choice(statuses).unwrap_or(500);
                // These are certain; the others may come after the change was made.
                if !matches!(status, 501 | 511) && self.rng.bool() {
                    self.act(request, *now);
                }
                Ok(self.refusal(status, request))
            }
            Some("429") => {
                let mut response = self.refusal(429, request);
                let pauses = [
                    "0",
                    "1",
                    "2.5",
                    "30",
                    "100000",
                    "-1",
                    "soon",
                    "99999999999999999999",
                    "1704067200",
                    "Mon, 01 Jan 2024 00:00:20 GMT",
                    "Monday, 01-Jan-24 00:00:20 GMT",
                    "Mon Jan  1 00:00:20 2024",
                ];
                response.headers.push(("Retry-After".into(), self.rng.choice(pauses).unwrap_or_default().into()));
                response.headers.push(("Date".into(), b"Mon, 01 Jan 2024 00:00:00 GMT".to_vec()));
                Ok(response)
            }
            Some("redirect") => {
                let mut response = Response::new(self.rng.choice([301, 302, 307, 308]).unwrap_or(302), Vec::new());
                response.headers.push(("Location".into(), b"https://evil.example/".to_vec()));
                Ok(response)
            }
            Some("truncated") => {
                let mut response = self.act(request, *now);
                let end = self.rng.usize(0..response.body.len().max(1));
                response.body.truncate(end);
                Ok(response)
            }
            Some("garbled") => {
                // A byte that is valid nowhere in JSON. Within a text it may be replaced.
                let mut response = self.act(request, *now);
                let place = self.rng.usize(0..response.body.len().max(1));
                self.garbled_a_text = true;
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
                if request.method == Method::Post
                    && let Ok(body) = std::str::from_utf8(&response.body)
                {
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
            let posts = self.posts;
            // The response is dropped.
            self.act(&request, now);
            self.posts = posts;
        }
    }

    /// A refusal in one of the forms that services and gateways use. Some echo the credentials that they were sent.
    fn refusal(&mut self, status: u16, request: &Request) -> Response {
        let authorization =
            request.headers.iter().find(|(name, _)| *name == "authorization").map_or("", |(_, value)| value.expose());
        let credentials = authorization.split_once(' ').map_or("", |(_, credentials)| credentials).to_owned();
        // A service can repeat only what it was sent.
        let is_token_request = request.path_and_query.ends_with("/token");
        let echoed = if is_token_request && self.rng.bool() { &self.secret } else { &credentials };
        let (echo, json) = echo(&mut self.rng, echoed);
        self.echoes.extend(echo);
        let mut headers = Vec::new();
        let body = match self.rng.u32(0..10) {
            0 => r#"{"code":13,"message":"its words","details":[]}"#.to_owned(),
            5 => r#"{"error":{"code":503,"status":"UNAVAILABLE","message":"its words","details":[{"retryDelay":"1.5s"}]}}"#.into(),
            6 => r#"{"errors":[{"code":"ABORTED","message":"its words"}]}"#.into(),
            7 => r#"{"code":16,"message":"its words"}"#.into(),
            8 => {
                headers.push(("WWW-Authenticate".into(), b"Negotiate".to_vec()));
                String::new()
            }
            9 => {
                self.denied_a_user |= status == 404;
                r#"{"code":5,"message":"Not Found","details":[]}"#.into()
            }
            1 => r#"{"error":"server_error","error_description":"its words"}"#.to_owned(),
            2 => "<html>Bad Gateway</html>".to_owned(),
            3 => String::new(),
            _ if is_token_request => {
                format!(r#"{{"error":"invalid_request","error_description":"{json} is wrong"}}"#)
            }
            _ => format!(r#"{{"code":3,"message":"you sent {json}"}}"#),
        };
        let mut response = Response::new(status, body.into());
        response.headers = headers;
        response
    }

    /// The response of the service without a fault.
    fn act(&mut self, request: &Request, now: Duration) -> Response {
        let is_token_request = request.path_and_query.ends_with("/token");
        if is_token_request {
            self.service.set_token_lifetime(Duration::from_secs(self.rng.choice([900, 900, 60, 5]).unwrap_or(900)));
        }
        let response = ask(&mut self.service, request, now);
        self.note_versions();
        if is_token_request && response.status == 200 {
            let text = response.text();
            if let Some((_, rest)) = text.split_once("access_token\":\"")
                && let Some((token, _)) = rest.split_once('"')
            {
                self.issued.push(token.into());
            }
        }
        if request.method == Method::Post && !is_token_request && !matches!(response.status, 401 | 404) {
            self.posts += 1;
        }
        let mut answer = Response::new(response.status, response.body);
        answer.headers = response.headers.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
        answer
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
        let secrets = self.issued.iter().chain([&self.secret]).chain(&forms).chain(&self.echoes);
        if secrets.into_iter().any(|secret| text.contains(secret)) {
            self.violation = Some(format!("{place} shows a secret: {text}"));
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
        if let Some(violation) = self.violation.take() {
            return Err(violation);
        }
        let (actions, lookups) = match op {
            Op::Continue(_) => (2, 0),
            Op::Find(users) => (1, users.len()),
            _ => (1, 0),
        };
        let pages = (2 * (self.versions.len() + self.people().len() + self.before.len()) + lookups + 4) as u64;
        let max_requests = u64::from(actions) * 4 * bounds.attempts * (pages + 2 * bounds.attempts);
        check(self.requests <= max_requests, || {
            format!("{} requests were sent, at most {max_requests} are allowed", self.requests)
        })?;
        let max_changes = 2 * bounds.attempts;
        check(self.changes <= max_changes, || {
            format!("{} changes were sent, at most {max_changes} are allowed", self.changes)
        })?;
        // The same user may be asked for several times in a row, after each attempt of a change and after its answer.
        let max_streak = bounds.attempts * (lookups as u64).max(u64::from(actions)).max(2) + 1;
        check(self.max_streak <= max_streak, || format!("a request was attempted {} times", self.max_streak))?;
        check(elapsed <= bounds.deadline * actions + self.jumped, || {
            format!("the action took {elapsed:?}, its deadline is {:?}", bounds.deadline)
        })?;
        // A result must match a response. If nobody else acts, it must match the account as well.
        let was_sent = |user: &User| self.versions.iter().any(|person| self.is_person(person, user));
        match (op, result) {
            (Op::Continue(query), Ok(Output::List(list))) => {
                check(list.next_page_token.is_none(), || "a list without a limit has a page token".into())?;
                check(list.users.iter().all(was_sent), || "a listed user was never such".into())?;
                let expected: Vec<&Person> =
                    self.people().iter().filter(|person| is_in_state(query.state, person)).collect();
                let is_same = expected.len() == list.users.len()
                    && expected.iter().zip(&list.users).all(|(person, user)| self.is_person(person, user));
                check(self.others_act || is_same, || "the list and its continuation differ from the account".into())
            }
            (Op::List(query), Ok(Output::List(list))) => {
                let ids: BTreeSet<&str> = list.users.iter().map(|user| user.id.as_str()).collect();
                check(ids.len() == list.users.len(), || "a user is listed twice".into())?;
                check(list.users.iter().all(was_sent), || "a listed user was never such".into())?;
                let limit = query.limit.map_or(usize::MAX, |limit| limit as usize);
                check(list.users.len() <= limit, || "the list exceeds its limit".into())?;
                check(query.limit.is_some() || list.next_page_token.is_none(), || {
                    "a list without a limit has a page token".into()
                })?;
                if !self.others_act {
                    let expected: Vec<&Person> =
                        self.people().iter().filter(|person| is_in_state(query.state, person)).collect();
                    let cut = &expected[..expected.len().min(list.users.len())];
                    let is_same = cut.iter().zip(&list.users).all(|(person, user)| self.is_person(person, user));
                    check(is_same && cut.len() == list.users.len(), || "the list differs from the account".into())?;
                    let is_complete = list.users.len() == expected.len();
                    check(is_complete || list.next_page_token.is_some(), || "the list was cut silently".into())?;
                    check(is_complete || list.users.len() == limit, || "the list ends before its limit".into())?;
                }
                Ok(())
            }
            (Op::Get(named), Ok(Output::User(user))) => {
                check(was_sent(user), || "the user was never such".into())?;
                check(self.others_act || self.is_right(named, user), || "the result is about another user".into())
            }
            (Op::Find(users), Ok(Output::Found(results))) => {
                check(users.len() == results.len(), || "there is not one result for each reference".into())?;
                for (named, result) in users.iter().zip(results) {
                    match result {
                        Ok(user) => {
                            check(was_sent(user), || "the user was never such".into())?;
                            check(self.others_act || self.is_right(named, user), || {
                                format!("{named:?}: another user was found")
                            })?;
                        }
                        Err(error) => self.check_error(&Op::Get(named.clone()), error)?,
                    }
                }
                Ok(())
            }
            (Op::Change { user: named, wanted, mode }, Ok(Output::Change(StateChange { user, outcome }))) => {
                check(was_sent(user), || "the user was never such".into())?;
                check((user.state == *wanted) != (*outcome == ChangeOutcome::WouldChange), || {
                    "the user is not in the wanted state".into()
                })?;
                check(
                    (*mode == ChangeMode::DryRun) == (*outcome == ChangeOutcome::WouldChange)
                        || *outcome == ChangeOutcome::Unchanged,
                    || "the outcome does not match the dry run".into(),
                )?;
                check(
                    *wanted != UserState::Suspended
                        || *outcome == ChangeOutcome::Unchanged
                        || !self.protected.contains(&user.id),
                    || "a protected user was suspended".into(),
                )?;
                let is_unsent = matches!(outcome, ChangeOutcome::Unchanged | ChangeOutcome::WouldChange);
                check(!is_unsent || self.posts == 0, || "a change was sent and not reported".into())?;
                if self.others_act {
                    return Ok(());
                }
                let before = self.before.iter().find(|person| person.id == user.id);
                let after = self.people().iter().find(|person| person.id == user.id);
                check(after.is_some_and(|person| self.is_person(person, user)), || {
                    "the user differs from the account".into()
                })?;
                let was_in_state = before.is_some_and(|person| state(&person.state) == *wanted);
                let is_exact = was_in_state == (*outcome == ChangeOutcome::Unchanged);
                check(is_exact, || "the outcome does not match the account".into())?;
                check(self.is_right(named, user), || "the result is about another user".into())
            }
            (_, Ok(_)) => Err("the result belongs to another action".into()),
            (op, Err(error)) => self.check_error(op, error),
        }
    }

    /// Checks that an error has a reason, and that it reports a change that was made.
    fn check_error(&self, op: &Op, error: &Error) -> Result<(), String> {
        let (named, protects) = match op {
            Op::List(_) | Op::Continue(_) | Op::Find(_) => (None, false),
            Op::Get(named) => (Some(named), false),
            Op::Change { user, wanted, .. } => (Some(user), *wanted == UserState::Suspended),
        };
        check(!error.may_have_changed() || self.changes > 0, || {
            "no change was sent, and the error reports that one may have been made".into()
        })?;
        let is_there = |people: &[Person], id: &str| people.iter().any(|person| person.id == id);
        match error {
            // Nobody gets an id back that was removed.
            Error::UserNotFound { user: UserRef::Id(id), .. } if !self.denied_a_user => {
                check(!is_there(&self.before, id) || !is_there(self.people(), id), || {
                    "a user was reported as missing who was there all the time".into()
                })?;
            }
            Error::ProtectedUser { user_id } => check(protects && self.protected.contains(user_id), || {
                "a user was reported as protected who is not".into()
            })?,
            _ => {}
        }
        if self.others_act {
            return Ok(());
        }
        check(error.may_have_changed() || self.before == self.people(), || {
            "the account changed, and the error denies it".into()
        })?;
        let expected = named.map(|named| self.expected(named));
        let is_justified = match (error, expected) {
            (Error::UserNotFound { .. }, Some(Err(0))) => true,
            (Error::AmbiguousUser { ids, is_similar: false, .. }, Some(Err(count))) => {
                ids.len() == count || self.garbled_a_text || self.service.dialect().unreadable
            }
            (Error::LastOwner { .. }, Some(Ok(person))) => person.role == Role::Owner && protects,
            (Error::ExternallyManaged { .. }, Some(Ok(person))) => {
                person.role == Role::ExternallyManagedAdministrator && protects
            }
            (Error::AddressMismatch { .. }, _) => {
                let known = named.map(|named| match named {
                    UserRef::Known { id, email } => {
                        self.people().iter().any(|person| person.id == *id && !person.email.eq_ignore_ascii_case(email))
                    }
                    _ => false,
                });
                known == Some(true) || self.faults > 0
            }
            (Error::AmbiguousUser { is_similar: true, ids, .. }, Some(Err(0))) => {
                let asked = named.map(|named| match named {
                    UserRef::Email(email) => email.replace('é', "e"),
                    _ => String::new(),
                });
                let similar = self
                    .people()
                    .iter()
                    .filter(|person| asked.as_ref().is_some_and(|email| person.email.eq_ignore_ascii_case(email)));
                let similar: Vec<&String> = similar.map(|person| &person.id).collect();
                if self.garbled_a_text || self.service.dialect().unreadable {
                    ids.iter().all(|id| similar.contains(&id))
                } else {
                    similar.into_iter().eq(ids)
                }
            }
            (Error::ProtectedUser { user_id }, Some(Ok(person))) => {
                protects && person.id == *user_id && self.protected.contains(user_id)
            }
            // A namesake could not be read.
            (
                Error::LastOwner { .. } | Error::ExternallyManaged { .. } | Error::ProtectedUser { .. },
                Some(Err(count)),
            ) if count > 0 => protects && (self.garbled_a_text || self.service.dialect().unreadable),
            // An injected 404 in the service's own form.
            (Error::UserNotFound { user: UserRef::Id(_), .. }, Some(Ok(_))) if self.denied_a_user => true,
            // A service that needs a while needs attempts and time.
            (Error::InvalidResponse { may_have_changed: Some(_), .. }, Some(Ok(_))) if !self.has_time => {
                self.service.dialect().changes == ChangeAnswer::Accepted || self.faults > 0
            }
            (Error::UserNotFound { .. } | Error::AmbiguousUser { .. } | Error::ProtectedUser { .. }, _) => false,
            _ if self.service.dialect().is_defective() => true,
            (Error::LastOwner { .. } | Error::ExternallyManaged { .. } | Error::InvalidArgument { .. }, _) => false,
            _ => self.faults > 0,
        };
        check(is_justified, || format!("the error has no reason ({} faults)", self.faults))
    }

    /// Returns true if a user is this person of the account, in every field. Texts that no action depends on may be replaced, if the
    /// dialect or a fault makes them unreadable.
    fn is_person(&self, person: &Person, user: &User) -> bool {
        let Person { id, email, display_name, state: of_person, create_time, path, role: _ } = person;
        let dialect = self.service.dialect();
        let may_be_odd = self.garbled_a_text || dialect.odd_records;
        let is_same =
            |stored: &str, got: &str| stored == got || may_be_odd && (got.is_empty() || got.contains('\u{fffd}'));
        let is_same_email =
            *email == user.email || user.email.contains('\u{fffd}') && (self.garbled_a_text || dialect.unreadable);
        let is_same_state = *of_person == user.service_state
            || of_person == "STATE_UNSPECIFIED" && dialect.unknown_states && user.state == UserState::Other
            || self.garbled_a_text && user.service_state.contains('\u{fffd}');
        *id == user.id
            && is_same_email
            && is_same_state
            && is_same(display_name, &user.display_name)
            && is_same(create_time, &user.create_time)
            && is_same(path, &user.path)
            && (state(of_person) == user.state || user.service_state.contains('\u{fffd}'))
    }

    /// Returns true if a user is the one that a reference names. A namesake whose address cannot be read does not count.
    fn is_right(&self, named: &UserRef, user: &User) -> bool {
        let is_expected = self.expected(named).is_ok_and(|person| self.is_person(person, user));
        let is_namesake = || {
            let UserRef::Email(email) = named else { return false };
            let mut people = self.people().iter();
            people.any(|person| person.email.eq_ignore_ascii_case(email) && self.is_person(person, user))
        };
        is_expected || (self.service.dialect().unreadable || self.garbled_a_text) && is_namesake()
    }

    /// The person that a reference names, or the number of matches if it is not one.
    fn expected(&self, named: &UserRef) -> Result<&Person, usize> {
        let names = |person: &&Person| match named {
            UserRef::Id(id) => person.id == *id,
            UserRef::Email(email) => person.email.eq_ignore_ascii_case(email),
            UserRef::Known { id, email } => person.id == *id && person.email.eq_ignore_ascii_case(email),
        };
        let mut found = self.people().iter().filter(names);
        match (found.next(), found.count()) {
            (Some(person), 0) => Ok(person),
            (None, _) => Err(0),
            (_, others) => Err(others + 1),
        }
    }
}

/// A credential in an encoding in which a service may repeat it: the texts that no result may show, and the text in JSON.
fn echo(rng: &mut Rng, credential: &str) -> (Option<String>, String) {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    let each = |form: &dyn Fn(u8) -> String| credential.bytes().map(form).collect::<String>();
    let lead = "x".repeat(rng.usize(0..4));
    let encoded = match rng.u32(0..9) {
        0 => each(&|byte| format!("%{byte:02x}")),
        1 => each(&|byte| format!("%25{byte:02X}")),
        2 => each(&|byte| format!("{byte:02x}")),
        3 => each(&|byte| format!("{byte:02X}")),
        4 => each(&|byte| format!("&#{byte};")),
        5 => STANDARD.encode(format!("{lead}{credential}: ")),
        6 => URL_SAFE_NO_PAD.encode(format!("{lead}{credential}")),
        7 => credential.to_uppercase(),
        _ => credential.to_owned(),
    };
    let json = match rng.u32(0..4) {
        0 => encoded.bytes().map(|byte| format!("\\u{byte:04x}")).collect(),
        _ => encoded.clone(),
    };
    ((!encoded.is_empty()).then_some(encoded), json)
}

fn check(holds: bool, problem: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(problem()) }
}

fn state(state: &str) -> UserState {
    match state {
        "ACTIVE" => UserState::Active,
        "SUSPENDED" => UserState::Suspended,
        _ => UserState::Other,
    }
}

fn is_in_state(filter: Option<StateFilter>, person: &Person) -> bool {
    match filter {
        None => true,
        Some(StateFilter::Active) => person.state == "ACTIVE",
        Some(StateFilter::Suspended) => person.state == "SUSPENDED",
    }
}
