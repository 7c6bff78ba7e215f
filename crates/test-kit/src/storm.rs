//! Simulation testing: the real core against a model of the service, with faults at every step, under virtual time.
//!
//! Everything follows from a seed: the account, the settings, what is asked for, and what goes wrong. After every action
//! the model knows the truth, and the result is held against it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;
use onepassword_users_core::{
    ChangeMode, ChangeOutcome, Error, ListQuery, LookupError, Method, Request, Response, Session, StateChange,
    StateFilter, TransportError, TransportFault, User, UserList, UserRef, UserState,
};

use crate::driver::{ACCOUNT, World};

/// What happened in one run or in many.
#[derive(Debug, Default)]
pub struct Tally {
    pub actions: u64,
    pub requests: u64,
    /// Faults injected, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// How actions ended: `ok`, or the name of the error.
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

/// Runs a few actions, all of which follow from the seed.
///
/// # Errors
///
/// What is wrong, with the command that replays it.
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
        if rng.f64() < model.borrow().rate / 20.0 {
            let name = rng.choice(["base-url", "account-id", "client-id", "client-secret"]).unwrap_or("timeout");
            world.lookup_errors.insert(name, LookupError::Unavailable("sealed".into()));
            model.borrow_mut().count("lookup fails");
        }
        let wish = Wish::new(&mut rng, &model.borrow());
        model.borrow_mut().begin();
        let began = world.now;
        let result = wish.run(&mut world, &session);
        let mut model = model.borrow_mut();
        if !world.lookup_errors.is_empty() {
            model.faults += 1;
        }
        let verdict = model.verdict(&wish, &result, world.now.saturating_sub(began), &bounds);
        let outcome = result.as_ref().map_or_else(Error::code, |_| "ok");
        *model.tally.outcomes.entry(outcome).or_default() += 1;
        model.tally.actions += 1;
        if let Err(problem) = verdict {
            return Err(format!(
                "seed {seed}, action {number} ({wish:?}): {problem}\n  result: {result:?}\n  requests: {:#?}\n  \
                 replay: cargo run --release -p onepassword-users-test-kit --example storm -- --seed {seed}",
                model.log
            ));
        }
    }
    drop(world);
    let tally = std::mem::take(&mut model.borrow_mut().tally);
    Ok(tally)
}

struct Bounds {
    attempts: u64,
    deadline: Duration,
}

/// What is asked of the component.
#[derive(Debug)]
enum Wish {
    List(ListQuery),
    Get(UserRef),
    Change { user: UserRef, wanted: UserState, options: ChangeMode },
}

/// What it gave.
#[derive(Debug)]
enum Given {
    List(UserList),
    User(User),
    Change(StateChange),
}

impl Wish {
    fn new(rng: &mut Rng, model: &Model) -> Self {
        let mut user = || match rng.choice(&model.users) {
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
                options: match rng.u32(0..5) {
                    0 => ChangeMode::DryRun,
                    1 => ChangeMode::WithoutLookup,
                    _ => ChangeMode::LookUpFirst,
                },
            },
        }
    }

    fn run<S>(&self, world: &mut World<S>, session: &Session) -> Result<Given, Error>
    where
        S: FnMut(&Request, &mut Duration) -> Result<Response, TransportError>,
    {
        match self {
            Self::List(query) => world.run(session.list_users(query.clone())).map(Given::List),
            Self::Get(user) => world.run(session.get_user(user.clone())).map(Given::User),
            Self::Change { user, wanted: UserState::Suspended, options } => {
                world.run(session.suspend_user(user.clone(), *options)).map(Given::Change)
            }
            Self::Change { user, options, .. } => {
                world.run(session.reactivate_user(user.clone(), *options)).map(Given::Change)
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Person {
    id: String,
    email: String,
    state: &'static str,
    is_last_owner: bool,
    is_external: bool,
}

impl Person {
    fn json(&self) -> String {
        let Self { id, email, state, .. } = self;
        format!(
            r#"{{"id":"{id}","email":"{email}","display_name":"N","state":"{state}","create_time":"2024-01-01T00:00:00Z","path":"p"}}"#
        )
    }
}

/// The service, and the truth.
struct Model {
    rng: Rng,
    secret: String,
    users: Vec<Person>,
    /// By token: when it expires.
    tokens: BTreeMap<String, Duration>,
    issued: Vec<String>,
    page_size: usize,
    /// How likely a request is to go wrong.
    rate: f64,
    /// Whether others change the account meanwhile.
    moves: bool,
    tally: Tally,

    // Of the action under way:
    before: Vec<Person>,
    faults: u64,
    requests: u64,
    posts: u64,
    jumped: Duration,
    /// Requests on their way, which arrive some time later.
    late: Vec<Request>,
    /// How many changes were sent, whether they arrived or not.
    changes: u64,
    /// The same request, and how often it came in a row; and the longest such row.
    row: (String, u64),
    longest_row: u64,
    /// Every form in which a user was sent.
    sent: Vec<Person>,
    log: Vec<String>,
    leak: Option<String>,
}

/// What can go wrong with one exchange.
const FAULTS: [&str; 20] = [
    "never arrives",
    "answer lost",
    "arrives late",
    "arrives twice",
    "time-out",
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
        let count = rng.usize(0..=25);
        let users =
            (0..count)
                .map(|n| Person {
                    id: format!("U{n:03}"),
                    // Some share an address.
                    email: format!("user{}@example.com", if rng.u32(0..8) == 0 { n / 2 } else { n }),
                    state: rng.choice(["ACTIVE", "ACTIVE", "SUSPENDED", "STATE_UNSPECIFIED"]).unwrap_or("ACTIVE"),
                    is_last_owner: n == 0,
                    is_external: n == 1,
                })
                .map(|person| {
                    if person.is_last_owner || person.is_external {
                        Person { state: "ACTIVE", ..person }
                    } else {
                        person
                    }
                })
                .collect();
        Self {
            secret: format!("canary-secret-{:016x}", rng.u64(..)),
            users,
            tokens: BTreeMap::new(),
            issued: Vec::new(),
            page_size: rng.choice([1, 3, 7, 1000]).unwrap_or(7),
            rate: rng.choice([0.0, 0.02, 0.1, 0.3, 0.7]).unwrap_or(0.1),
            moves: rng.u32(0..3) == 0,
            rng: rng.fork(),
            tally: Tally::default(),
            before: Vec::new(),
            faults: 0,
            requests: 0,
            posts: 0,
            jumped: Duration::ZERO,
            late: Vec::new(),
            changes: 0,
            row: (String::new(), 0),
            longest_row: 0,
            sent: Vec::new(),
            log: Vec::new(),
            leak: None,
        }
    }

    fn begin(&mut self) {
        self.before.clone_from(&self.users);
        (self.faults, self.requests, self.posts, self.jumped) = (0, 0, 0, Duration::ZERO);
        (self.row, self.longest_row, self.changes) = ((String::new(), 0), 0, 0);
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
        self.row = if self.row.0 == name { (name, self.row.1 + 1) } else { (name, 1) };
        self.longest_row = self.longest_row.max(self.row.1);
        let shown = format!("{request:?}");
        self.look_for_leaks(&shown, "a request's Debug form");
        if request.method == Method::Post && !request.path_and_query.ends_with("/token") {
            self.changes += 1;
        }
        if self.rng.bool() {
            self.arrive(*now);
        }
        if self.moves && self.rng.u32(0..4) == 0 {
            self.somebody_else_acts();
        }
        let fault = if self.rng.f64() < self.rate { self.rng.choice(FAULTS) } else { None };
        if let Some(fault) = fault {
            self.faults += 1;
            self.count(fault);
        }
        let result = self.go_wrong(fault, request, now);
        let told = match &result {
            Ok(response) => response.status.to_string(),
            Err(error) => format!("{:?}", error.fault),
        };
        self.log.push(format!("{:?} {} -> {told} {}", request.method, request.path_and_query, fault.unwrap_or("")));
        result
    }

    fn go_wrong(
        &mut self,
        fault: Option<&'static str>,
        request: &Request,
        now: &mut Duration,
    ) -> Result<Response, TransportError> {
        let failed = |fault| Err(TransportError { fault, detail: String::new() });
        let patience = request.idle_timeout.min(request.total_timeout);
        let took = Duration::from_millis(self.rng.u64(1..300));
        if took >= patience {
            *now += patience;
            self.faults += 1;
            return failed(TransportFault::Timeout);
        }
        *now += took;
        match fault {
            Some("never arrives") => {
                let faults = [TransportFault::Dns, TransportFault::Connect, TransportFault::Tls];
                failed(self.rng.choice(faults).unwrap_or(TransportFault::Dns))
            }
            Some("answer lost") => {
                self.act(request, *now);
                failed(TransportFault::Broken)
            }
            Some("arrives late") => {
                self.late.push(request.clone());
                *now += patience - took;
                failed(TransportFault::Timeout)
            }
            Some("arrives twice") => {
                let twin = request.clone();
                let response = self.act(request, *now);
                self.late.push(twin);
                Ok(response)
            }
            Some("time-out") => {
                if self.rng.bool() {
                    self.act(request, *now);
                }
                *now += patience - took;
                failed(TransportFault::Timeout)
            }
            Some("slow") => {
                *now += (patience - took) / 2;
                Ok(self.act(request, *now))
            }
            Some("4xx") => {
                let status = self.rng.choice([400, 403, 404, 405, 409, 418, 422]).unwrap_or(400);
                Ok(self.complaint(status, request))
            }
            Some("5xx") => {
                let status = self.rng.choice([408, 500, 501, 502, 503, 504, 599]).unwrap_or(500);
                // "Not implemented" is sure; the others may come after the deed.
                if status != 501 && self.rng.bool() {
                    self.act(request, *now);
                }
                Ok(self.complaint(status, request))
            }
            Some("429") => {
                let mut response = self.complaint(429, request);
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
                // A byte that stands in no JSON, so that no garbling goes unnoticed.
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
                // Of an answer to a look nobody could tell that it is wrong.
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
                self.tokens.clear();
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

    /// What was late is here now.
    fn arrive(&mut self, now: Duration) {
        for request in std::mem::take(&mut self.late) {
            let (posts, sent) = (self.posts, self.sent.len());
            self.act(&request, now);
            // Nobody sees the answer.
            self.sent.truncate(sent);
            self.posts = posts;
        }
    }

    /// A refusal in one of the forms that services and what stands before them use; some repeat what they were sent.
    fn complaint(&mut self, status: u16, request: &Request) -> Response {
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

    /// What the service does when it is left alone.
    fn act(&mut self, request: &Request, now: Duration) -> Response {
        let ok = |body: String| Response::new(200, body.into());
        let refuse = |status: u16, code: u8, message: &str| {
            Response::new(status, format!(r#"{{"code":{code},"message":"{message}","details":[]}}"#).into())
        };
        let path = request.path_and_query.as_str();
        if path.ends_with("/token") {
            let token = format!("canary-token-{:016x}", self.rng.u64(..));
            let lifetime = self.rng.choice([900, 900, 60, 5]).unwrap_or(900);
            self.tokens.insert(token.clone(), now + Duration::from_secs(lifetime));
            self.issued.push(token.clone());
            return ok(format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":{lifetime}}}"#));
        }
        let bearer =
            request.headers.iter().find_map(|(name, value)| (*name == "authorization").then(|| value.expose()));
        let expires = bearer.and_then(|value| self.tokens.get(value.strip_prefix("Bearer ")?));
        if expires.is_none_or(|expires| *expires <= now) {
            return refuse(401, 16, "the token is not valid");
        }
        let Some((_, rest)) = path.split_once(&format!("/accounts/{ACCOUNT}/users")) else {
            return refuse(404, 5, "no such route");
        };
        if let Some(query) = rest.strip_prefix('?') {
            return ok(self.page(query));
        }
        let (id, verb) = rest.trim_start_matches('/').split_once(':').unwrap_or((rest.trim_start_matches('/'), ""));
        let Some(person) = self.users.iter_mut().find(|person| person.id == id) else {
            return refuse(404, 5, "user not found");
        };
        if request.method == Method::Post {
            self.posts += 1;
            match verb {
                "suspend" if person.is_last_owner => return refuse(403, 7, "no_owner_remain"),
                "suspend" if person.is_external => return refuse(403, 7, "user_externally_managed"),
                "suspend" => person.state = "SUSPENDED",
                _ => person.state = "ACTIVE",
            }
        }
        self.sent.push(person.clone());
        ok(person.json())
    }

    fn page(&mut self, query: &str) -> String {
        let parameter = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let number = |name: &str| parameter(name).and_then(|value| value.parse::<usize>().ok());
        let wanted = match parameter("filter") {
            Some("user.isActive%28%29") => Some("ACTIVE"),
            Some("user.isSuspended%28%29") => Some("SUSPENDED"),
            _ => None,
        };
        let size = number("max_page_size").unwrap_or(25).min(self.page_size);
        let matching = || self.users.iter().filter(|person| wanted.is_none_or(|state| person.state == state));
        let start = number("page_token").unwrap_or(0);
        let page: Vec<Person> = matching().skip(start).take(size).cloned().collect();
        let next = if start + page.len() < matching().count() { Some(start + page.len()) } else { None };
        let users: Vec<String> = page.iter().map(Person::json).collect();
        self.sent.extend(page);
        match (users.is_empty(), next) {
            (true, None) if self.rng.bool() => "{}".into(),
            (_, None) => format!(r#"{{"results":[{}]}}"#, users.join(",")),
            (_, Some(next)) => format!(r#"{{"results":[{}],"next_page_token":"{next}"}}"#, users.join(",")),
        }
    }

    fn somebody_else_acts(&mut self) {
        let place = self.rng.usize(0..=self.users.len());
        match (self.rng.u32(0..4), self.users.get_mut(place)) {
            (0, _) => {
                let id = format!("V{:08x}", self.rng.u32(..));
                let email = format!("{}@example.com", id.to_lowercase());
                let person = Person { id, email, state: "ACTIVE", is_last_owner: false, is_external: false };
                self.users.insert(place, person);
            }
            (1, Some(_)) => {
                self.users.remove(place);
            }
            (_, Some(person)) if !person.is_last_owner && !person.is_external => {
                person.state = if person.state == "ACTIVE" { "SUSPENDED" } else { "ACTIVE" };
            }
            _ => {}
        }
    }

    fn look_for_leaks(&mut self, text: &str, place: &str) {
        use base64::Engine;
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("client:{}", self.secret));
        let percent = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let forms = [basic, percent(&self.secret), format!("client%3A{}", self.secret)];
        let secrets = self.issued.iter().chain([&self.secret]).chain(&forms);
        if secrets.into_iter().any(|secret| text.contains(secret)) {
            self.leak = Some(format!("{place} shows a secret: {text}"));
        }
    }

    /// Holds a result against the truth.
    fn verdict(
        &mut self,
        wish: &Wish,
        result: &Result<Given, Error>,
        took: Duration,
        bounds: &Bounds,
    ) -> Result<(), String> {
        self.arrive(Duration::ZERO);
        let shown = match result {
            Ok(given) => format!("{given:?}"),
            Err(error) => format!("{error:?} {error} {}", error.remedy()),
        };
        self.look_for_leaks(&shown, "the result");
        if let Some(leak) = self.leak.take() {
            return Err(leak);
        }
        let pages = (self.sent.len() + self.users.len() + self.before.len() + 2) as u64;
        let most = 4 * bounds.attempts * (pages + 2 * bounds.attempts);
        check(self.requests <= most, || format!("{} requests were sent, {most} are permitted", self.requests))?;
        let changes = 2 * bounds.attempts;
        check(self.changes <= changes, || format!("{} changes were sent, {changes} are permitted", self.changes))?;
        check(self.longest_row <= bounds.attempts, || format!("one request was tried {} times", self.longest_row))?;
        check(took <= bounds.deadline + self.jumped, || {
            format!("it took {took:?}, {:?} are permitted", bounds.deadline)
        })?;
        // Only what happened to the account is certain; with others acting in it, only what was sent is.
        let was = |user: &User| self.sent.iter().any(|person| is(person, user));
        match (wish, result) {
            (Wish::List(query), Ok(Given::List(list))) => {
                let ids: BTreeSet<&str> = list.users.iter().map(|user| user.id.as_str()).collect();
                check(ids.len() == list.users.len(), || "a user is listed twice".into())?;
                check(list.users.iter().all(was), || "a user is listed who was not sent so".into())?;
                let limit = query.limit.map_or(usize::MAX, |limit| limit as usize);
                check(list.users.len() <= limit, || "there are more users than the limit".into())?;
                check(query.limit.is_some() || list.next_page_token.is_none(), || {
                    "without a limit the list goes on".into()
                })?;
                if !self.moves {
                    let expected: Vec<&Person> = self.users.iter().filter(|person| fits(query.state, person)).collect();
                    let cut = &expected[..expected.len().min(list.users.len())];
                    let same = cut.iter().zip(&list.users).all(|(person, user)| is(person, user));
                    check(same && cut.len() == list.users.len(), || "the list is not the account's".into())?;
                    let whole = list.users.len() == expected.len();
                    check(whole || list.next_page_token.is_some(), || "the list was cut silently".into())?;
                    check(whole || list.users.len() == limit, || "the list ends before its limit".into())?;
                }
                Ok(())
            }
            (Wish::Get(named), Ok(Given::User(user))) => {
                check(was(user), || "this is not what was sent".into())?;
                check(self.moves || self.expected(named).is_ok_and(|person| is(person, user)), || {
                    "this is another user".into()
                })
            }
            (
                Wish::Change { user: named, wanted, options },
                Ok(Given::Change(StateChange { user, outcome: change })),
            ) => {
                check(was(user), || "this is not what was sent".into())?;
                check((user.state == *wanted) != (*change == ChangeOutcome::WouldChange), || {
                    "the state is not the wanted one".into()
                })?;
                check(
                    (*options == ChangeMode::DryRun) == (*change == ChangeOutcome::WouldChange)
                        || *change == ChangeOutcome::Unchanged,
                    || "dry run".into(),
                )?;
                check((*options == ChangeMode::WithoutLookup) == (*change == ChangeOutcome::NotChecked), || {
                    "it was looked at".into()
                })?;
                let silent = matches!(change, ChangeOutcome::Unchanged | ChangeOutcome::WouldChange);
                check(!silent || self.posts == 0, || "a change was sent and not told".into())?;
                if self.moves {
                    return Ok(());
                }
                let before = self.before.iter().find(|person| person.id == user.id);
                let after = self.users.iter().find(|person| person.id == user.id);
                check(after.is_some_and(|person| is(person, user)), || "the account says otherwise".into())?;
                let was_so = before.is_some_and(|person| state(person) == *wanted);
                check(*change == ChangeOutcome::NotChecked || was_so == (*change == ChangeOutcome::Unchanged), || {
                    "the change is not exact".into()
                })?;
                check(self.expected(named).is_ok_and(|person| person.id == user.id), || "this is another user".into())
            }
            (_, Ok(_)) => Err("the result is of another action".into()),
            (wish, Err(error)) => self.judge_error(wish, error),
        }
    }

    fn judge_error(&self, wish: &Wish, error: &Error) -> Result<(), String> {
        if self.moves {
            return Ok(());
        }
        let (named, protects) = match wish {
            Wish::List(_) => (None, false),
            Wish::Get(named) => (Some(named), false),
            Wish::Change { user, wanted, .. } => (Some(user), *wanted == UserState::Suspended),
        };
        check(error.may_have_changed() || self.before == self.users, || {
            "something changed, and the error denies it".into()
        })?;
        check(!error.may_have_changed() || matches!(wish, Wish::Change { .. }), || {
            "nothing could have changed".into()
        })?;
        let expected = named.map(|named| self.expected(named));
        let fits = match (error, expected) {
            (Error::UserNotFound { .. }, Some(Err(0))) => true,
            (Error::AmbiguousUser { ids, .. }, Some(Err(count))) => ids.len() == count,
            (Error::LastOwner { .. }, Some(Ok(person))) => person.is_last_owner && protects,
            (Error::ExternallyManaged { .. }, Some(Ok(person))) => person.is_external && protects,
            // A refusal that was made up may say so of anybody by id.
            (Error::UserNotFound { user: UserRef::Id(_), .. }, _) => self.faults > 0,
            (Error::UserNotFound { .. } | Error::AmbiguousUser { .. }, _) => false,
            (Error::LastOwner { .. } | Error::ExternallyManaged { .. } | Error::InvalidArgument { .. }, _) => false,
            _ => self.faults > 0,
        };
        check(fits, || format!("this error has no reason ({} faults)", self.faults))
    }

    /// The user whom somebody names, or how many there are if not one.
    fn expected(&self, named: &UserRef) -> Result<&Person, usize> {
        let names = |person: &&Person| match named {
            UserRef::Id(id) => person.id == *id,
            UserRef::Email(email) => person.email.eq_ignore_ascii_case(email),
        };
        let mut found = self.users.iter().filter(names);
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

fn state(person: &Person) -> UserState {
    match person.state {
        "ACTIVE" => UserState::Active,
        "SUSPENDED" => UserState::Suspended,
        other => UserState::Other(other.into()),
    }
}

fn is(person: &Person, user: &User) -> bool {
    person.id == user.id && person.email == user.email && state(person) == user.state
}

fn fits(filter: Option<StateFilter>, person: &Person) -> bool {
    match filter {
        None => true,
        Some(StateFilter::Active) => person.state == "ACTIVE",
        Some(StateFilter::Suspended) => person.state == "SUSPENDED",
    }
}
