//! Actions of one session that overlap: one of them obtains the token, and the others wait for it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may end anywhere")]

use std::time::Duration;

use onepassword_users_core::{
    Action, Error, Event, Instant, Outage, Request, Response, Secret, Session, Step, TokenFetch, TransportError,
    TransportFault, User, UserRef,
};

const TOKEN: &str = r#"{"access_token":"canary-token","token_type":"Bearer","expires_in":900}"#;
const USER: &str = r#"{"id":"WENDY","state":"ACTIVE"}"#;

/// An action under way, with the client that it acts for.
struct Acting {
    action: Action<User>,
    client: &'static str,
}

impl Acting {
    fn new(session: &Session, client: &'static str) -> Self {
        Self { action: session.get_user(UserRef::Id("WENDY".into())), client }
    }

    /// Steps on, answering what is asked of the platform, until something else is asked.
    fn step(&mut self, mut event: Event, seconds: u64) -> Step<User> {
        loop {
            event = match self.action.step(event, Instant::from_nanos(seconds * 1_000_000_000)) {
                Step::Setting("account-id") => Event::Setting(Ok(Some("ABCDEFGHIJKLMNOPQRSTUVWXYZ".into()))),
                Step::Setting(_) => Event::Setting(Ok(None)),
                Step::Secret("client-id") => Event::Secret(Ok(Some(Secret::new(self.client.into())))),
                Step::Secret("client-secret") => Event::Secret(Ok(Some(Secret::new("canary-secret".into())))),
                Step::Secret(_) => Event::Secret(Ok(None)),
                step => return step,
            };
        }
    }

    fn start(&mut self) -> Step<User> {
        self.step(Event::Start, 0)
    }

    fn answer(&mut self, status: u16, body: &str) -> Step<User> {
        self.step(Event::Response(Ok(Response::new(status, body.into()))), 0)
    }
}

fn sends(step: Step<User>) -> Request {
    let Step::Send(request) = step else { panic!("{step:?}") };
    request
}

fn joins(step: Step<User>) -> (TokenFetch, Duration) {
    let Step::Join(fetch, most) = step else { panic!("{step:?}") };
    (fetch, most)
}

/// Three actions of one client: the first obtains a token, the others wait for it.
fn three(session: &Session) -> ([Acting; 3], [TokenFetch; 2]) {
    let mut acting = [(); 3].map(|()| Acting::new(session, "client"));
    assert!(sends(acting[0].start()).path_and_query.ends_with("/token"));
    let fetches = [1, 2].map(|n| {
        let (fetch, most) = joins(acting[n].start());
        assert_eq!(most, Duration::from_secs(300), "no longer than the action may take");
        assert!(!fetch.is_over());
        fetch
    });
    (acting, fetches)
}

#[test]
fn one_token_request_serves_all() {
    let session = Session::new();
    let ([mut first, mut second, mut third], fetches) = three(&session);
    let get = sends(first.answer(200, TOKEN));
    assert!(fetches.iter().all(TokenFetch::is_over));
    for acting in [&mut second, &mut third] {
        assert_eq!(sends(acting.step(Event::Elapsed, 0)), get);
    }
    for mut acting in [third, first, second] {
        let Step::Done(Ok(user)) = acting.answer(200, USER) else { panic!() };
        assert_eq!(user.id, "WENDY");
    }
}

#[test]
fn a_refusal_is_told_to_all_and_not_asked_for_again() {
    let session = Session::new();
    let ([mut first, second, third], _) = three(&session);
    let Step::Done(Err(refused)) = first.answer(401, r#"{"error":"invalid_client"}"#) else { panic!() };
    for mut acting in [second, third] {
        let Step::Done(Err(error)) = acting.step(Event::Elapsed, 0) else { panic!() };
        assert_eq!(error, refused);
    }
    assert!(
        sends(Acting::new(&session, "client").start()).path_and_query.ends_with("/token"),
        "whoever comes later asks"
    );
}

#[test]
fn a_request_that_is_given_up_is_taken_over_by_one() {
    let session = Session::new();
    let ([first, mut second, mut third], fetches) = three(&session);
    drop(first);
    assert!(fetches.iter().all(TokenFetch::is_over));
    assert!(sends(second.step(Event::Elapsed, 0)).path_and_query.ends_with("/token"));
    joins(third.step(Event::Elapsed, 0));
}

#[test]
fn the_deadline_of_one_is_not_that_of_the_others() {
    let session = Session::new();
    let ([mut first, mut second, _third], [fetch, _]) = three(&session);
    let Step::Done(Err(Error::Unavailable { outage: Outage::Deadline(_), .. })) = second.step(Event::Elapsed, 300)
    else {
        panic!("it waited as long as it may")
    };
    let mut late = Acting::new(&session, "client");
    joins(late.step(Event::Start, 200));
    let broken = TransportError { fault: TransportFault::Broken, detail: String::new() };
    let Step::Wait(_) = first.step(Event::Response(Err(broken)), 10) else { panic!("it tries again") };
    let Step::Done(Err(Error::Unavailable { outage: Outage::Deadline(_), .. })) = first.step(Event::Elapsed, 300)
    else {
        panic!("its own time is over")
    };
    assert!(fetch.is_over());
    assert!(sends(late.step(Event::Elapsed, 300)).path_and_query.ends_with("/token"), "and the late one goes on");
}

/// What failed because the first had too little time left is no answer for one who has more: that one asks itself.
#[test]
fn the_hurry_of_one_is_not_that_of_the_others() {
    let slow = || Event::Response(Err(TransportError { fault: TransportFault::Timeout, detail: String::new() }));
    let limited = || {
        let mut response = Response::new(429, Vec::new());
        response.headers = vec![("retry-after".into(), b"20".to_vec())];
        Event::Response(Ok(response))
    };
    for (seconds, event, end) in [(298, slow(), 300), (290, limited(), 291)] {
        let session = Session::new();
        let ([mut first, mut equal, _third], _) = three(&session);
        sends(first.answer(200, TOKEN));
        sends(equal.step(Event::Elapsed, 0));
        // The token is refused late: the first asks for another with little time left, and two wait for it.
        let refused = || Event::Response(Ok(Response::new(401, Vec::new())));
        assert!(sends(first.step(refused(), seconds)).path_and_query.ends_with("/token"));
        joins(equal.step(refused(), seconds));
        let mut late = Acting::new(&session, "client");
        joins(late.step(Event::Start, seconds));

        let Step::Done(Err(failed)) = first.step(event, end) else { panic!("it has no time for more") };
        let Step::Done(Err(error)) = equal.step(Event::Elapsed, end) else { panic!("nor has its equal") };
        assert_eq!(error, failed);
        assert!(sends(late.step(Event::Elapsed, end)).path_and_query.ends_with("/token"));
    }
}

#[test]
fn another_client_waits_for_nobody() {
    let session = Session::new();
    let (_three, _) = three(&session);
    let mut others = [(); 2].map(|()| Acting::new(&session, "another client"));
    assert!(sends(others[0].start()).path_and_query.ends_with("/token"));
    joins(others[1].start());
}

#[test]
fn after_a_401_there_is_one_new_token() {
    let session = Session::new();
    let ([mut first, mut second, mut third], _) = three(&session);
    sends(first.answer(200, TOKEN));
    sends(second.step(Event::Elapsed, 0));
    sends(third.step(Event::Elapsed, 0));
    assert!(sends(first.answer(401, "")).path_and_query.ends_with("/token"));
    joins(second.answer(401, ""));
    let new = sends(first.answer(200, &TOKEN.replace("canary-token", "new-token")));
    assert_eq!(sends(second.step(Event::Elapsed, 0)), new);
    assert_eq!(sends(third.answer(401, "")), new, "a refusal of the old token does not forget the new one");
}

/// What an action of the simulation waits for, and until when, in seconds.
enum Awaits {
    Start(u64),
    Answer { request: Request, at: u64 },
    Pause { until: u64 },
    Token { fetch: TokenFetch, until: u64 },
}

impl Awaits {
    fn at(&self, now: u64) -> u64 {
        match self {
            Self::Token { fetch, .. } if fetch.is_over() => now,
            Self::Start(at) | Self::Answer { at, .. } => *at,
            Self::Pause { until } | Self::Token { until, .. } => *until,
        }
    }

    fn asks_for_a_token(&self) -> bool {
        matches!(self, Self::Answer { request, .. } if request.path_and_query.ends_with("/token"))
    }
}

/// Sixteen actions of two clients, which begin at any time, some of which are given up half-way, against a service that is
/// slow, refuses, breaks off, and takes tokens back: each comes to an end, and no client asks for two tokens at once.
#[test]
fn thousands_of_overlapping_actions_end_and_none_asks_while_another_does() {
    let mut joined = 0;
    for seed in 0..3000 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let session = Session::new();
        let mut acting: Vec<(Acting, Awaits)> = (0..16)
            .map(|_| {
                let client = if rng.u8(..4) == 0 { "another client" } else { "client" };
                (Acting::new(&session, client), Awaits::Start(rng.u64(..100)))
            })
            .collect();
        let (mut now, mut steps) = (0, 0);
        while !acting.is_empty() {
            let next = (0..acting.len()).min_by_key(|n| acting[*n].1.at(now)).unwrap();
            let (mut action, awaits) = acting.swap_remove(next);
            now = now.max(awaits.at(now));
            steps += 1;
            assert!(steps < 10_000, "seed {seed}: it goes on for ever");
            if rng.u8(..20) == 0 {
                continue;
            }
            let event = match awaits {
                Awaits::Start(_) => Event::Start,
                Awaits::Pause { .. } | Awaits::Token { .. } => Event::Elapsed,
                Awaits::Answer { request, .. } => Event::Response(match rng.u8(..10) {
                    0 => Err(TransportError { fault: TransportFault::Timeout, detail: String::new() }),
                    1 => Ok(Response::new(503, Vec::new())),
                    2 => Ok(Response::new(401, br#"{"error":"invalid_client"}"#.to_vec())),
                    _ if request.path_and_query.ends_with("/token") => Ok(Response::new(200, TOKEN.into())),
                    _ => Ok(Response::new(200, USER.into())),
                }),
            };
            let awaits = match action.step(event, now) {
                Step::Send(request) => Awaits::Answer { request, at: now + rng.u64(..60) },
                Step::Wait(pause) => Awaits::Pause { until: now + pause.as_secs() + 1 },
                Step::Join(fetch, most) => {
                    assert!(!fetch.is_over() && !most.is_zero(), "seed {seed}");
                    joined += 1;
                    Awaits::Token { fetch, until: now + most.as_secs() }
                }
                Step::Done(Err(error @ Error::Other { .. })) => panic!("seed {seed}: {error}"),
                Step::Done(_) => continue,
                step => panic!("seed {seed}: {step:?}"),
            };
            acting.push((action, awaits));
            for client in ["client", "another client"] {
                let asking =
                    acting.iter().filter(|(action, awaits)| action.client == client && awaits.asks_for_a_token());
                assert!(asking.count() <= 1, "seed {seed}: two token requests of one client at once");
            }
        }
        // Whatever happened, whoever comes later waits for nobody.
        sends(Acting::new(&session, "client").step(Event::Start, now));
    }
    assert!(joined > 1000, "{joined}");
}
