//! Overlapping actions of one session: single-flight token requests.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::time::Duration;

use onepassword_users_core::{
    Action, Error, Event, Instant, Request, Response, Secret, Session, Step, TransportError, TransportFault,
    UnavailableCause, User, UserRef,
};

const TOKEN: &str = r#"{"access_token":"canary-token","token_type":"Bearer","expires_in":900}"#;
const USER: &str = r#"{"id":"WENDY","state":"ACTIVE"}"#;

/// An action in progress, with its client id.
struct Acting {
    action: Action<User>,
    client: &'static str,
}

impl Acting {
    fn new(session: &Session, client: &'static str) -> Self {
        Self { action: session.get_user(UserRef::Id("WENDY".into())), client }
    }

    /// Steps the action, answering its look-ups, until it asks for something else.
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

/// Expects a step that sends a request.
fn sends(step: Step<User>) -> Request {
    let Step::Send(request) = step else { panic!("{step:?}") };
    request
}

/// Expects a step that waits for another action.
fn waits(step: Step<User>) -> Duration {
    let Step::Wait { duration, may_end_early: true } = step else { panic!("{step:?}") };
    duration
}

/// The default idle timeout, in seconds. A leader that is overdue by more than this is replaced.
const TIMEOUT: u64 = 30;

/// Three actions of one client: the first requests a token, the others wait for it.
fn three(session: &Session) -> [Acting; 3] {
    let mut acting = [(); 3].map(|()| Acting::new(session, "client"));
    assert!(sends(acting[0].start()).path_and_query.ends_with("/token"));
    for follower in [1, 2] {
        let wait = waits(acting[follower].start());
        assert!(wait > Duration::from_secs(TIMEOUT) && wait <= Duration::from_secs(300), "{wait:?}");
    }
    acting
}

#[test]
fn overlapping_actions_share_one_token_request() {
    let session = Session::new();
    let [mut first, mut second, mut third] = three(&session);
    waits(second.step(Event::Elapsed, 0));
    let get = sends(first.answer(200, TOKEN));
    for acting in [&mut second, &mut third] {
        assert_eq!(sends(acting.step(Event::Elapsed, 0)), get);
    }
    for mut acting in [third, first, second] {
        let Step::Done(Ok(user)) = acting.answer(200, USER) else { panic!() };
        assert_eq!(user.id, "WENDY");
    }
}

#[test]
fn a_driver_that_returns_early_waits_for_the_remaining_time() {
    let session = Session::new();
    let [_first, mut second, _third] = three(&session);
    let mut left = Duration::MAX;
    for seconds in 0..2 * TIMEOUT {
        let wait = waits(second.step(Event::Elapsed, seconds));
        assert!(wait < left, "{wait:?} after {left:?}");
        left = wait;
    }
}

#[test]
fn a_refused_token_request_is_shared_and_not_repeated() {
    let session = Session::new();
    let [mut first, second, third] = three(&session);
    let Step::Done(Err(refused)) = first.answer(401, r#"{"error":"invalid_client"}"#) else { panic!() };
    for mut acting in [second, third] {
        let Step::Done(Err(error)) = acting.step(Event::Elapsed, 0) else { panic!() };
        assert_eq!(error, refused);
    }
    let later = sends(Acting::new(&session, "client").start());
    assert!(later.path_and_query.ends_with("/token"), "an action that starts later sends its own token request");
}

#[test]
fn one_follower_takes_over_from_a_dropped_leader() {
    let session = Session::new();
    let [first, mut second, mut third] = three(&session);
    drop(first);
    assert!(sends(second.step(Event::Elapsed, 0)).path_and_query.ends_with("/token"));
    waits(third.step(Event::Elapsed, 0));
}

/// The driver of the leader does not come back, although its timeout has long passed.
#[test]
fn one_follower_takes_over_from_a_stalled_leader() {
    let session = Session::new();
    let [mut first, mut second, mut third] = three(&session);
    waits(second.step(Event::Elapsed, 2 * TIMEOUT));
    let taken_over = 2 * TIMEOUT + 1;
    assert!(sends(second.step(Event::Elapsed, taken_over)).path_and_query.ends_with("/token"));
    waits(third.step(Event::Elapsed, taken_over));

    // The first driver comes back after all, with a valid token.
    let token = || Event::Response(Ok(Response::new(200, TOKEN.into())));
    let get = sends(first.step(token(), taken_over + 1));
    assert_eq!(sends(third.step(Event::Elapsed, taken_over + 1)), get);
    assert_eq!(sends(second.step(token(), taken_over + 1)), get);
}

/// A leader that pauses for `Retry-After` is not stalled.
#[test]
fn a_leader_in_a_long_retry_pause_is_not_replaced() {
    let session = Session::new();
    let [mut first, mut second, _third] = three(&session);
    let mut limited = Response::new(429, Vec::new());
    limited.headers = vec![("retry-after".into(), b"120".to_vec())];
    let Step::Wait { may_end_early: false, .. } = first.step(Event::Response(Ok(limited)), 1) else { panic!() };
    assert!(waits(second.step(Event::Elapsed, 60)) > Duration::from_secs(60));
    waits(second.step(Event::Elapsed, 121));
    assert!(sends(first.step(Event::Elapsed, 122)).path_and_query.ends_with("/token"));
}

#[test]
fn followers_keep_their_own_deadlines() {
    let session = Session::new();
    let [mut first, mut second, _third] = three(&session);
    let broken = TransportError { fault: TransportFault::Broken, detail: String::new() };
    let Step::Wait { may_end_early: false, .. } = first.step(Event::Response(Err(broken)), 290) else {
        panic!("expected a pause before a retry")
    };
    assert!(
        waits(second.step(Event::Elapsed, 290)) <= Duration::from_secs(10),
        "the wait exceeds the deadline of the action"
    );
    let mut late = Acting::new(&session, "client");
    waits(late.step(Event::Start, 291));
    for acting in [&mut second, &mut first] {
        let Step::Done(Err(Error::Unavailable { cause: UnavailableCause::Deadline(_), .. })) =
            acting.step(Event::Elapsed, 300)
        else {
            panic!("expected the deadline error")
        };
    }
    assert!(sends(late.step(Event::Elapsed, 300)).path_and_query.ends_with("/token"), "the late action continues");
}

/// A leader's failure for lack of time is not shared with a follower that has more time: it sends its own token request.
#[test]
fn a_failure_for_lack_of_time_is_not_shared_with_a_later_deadline() {
    let slow = || Event::Response(Err(TransportError { fault: TransportFault::Timeout, detail: String::new() }));
    let limited = || {
        let mut response = Response::new(429, Vec::new());
        response.headers = vec![("retry-after".into(), b"20".to_vec())];
        Event::Response(Ok(response))
    };
    for (seconds, event, end) in [(298, slow(), 300), (290, limited(), 291)] {
        let session = Session::new();
        let [mut first, mut equal, _third] = three(&session);
        sends(first.answer(200, TOKEN));
        sends(equal.step(Event::Elapsed, 0));
        // The token is refused late: the first requests another with little time left, and two actions wait for it.
        let refused = || Event::Response(Ok(Response::new(401, Vec::new())));
        assert!(sends(first.step(refused(), seconds)).path_and_query.ends_with("/token"));
        waits(equal.step(refused(), seconds));
        let mut late = Acting::new(&session, "client");
        waits(late.step(Event::Start, seconds));

        let Step::Done(Err(failed)) = first.step(event, end) else { panic!("the leader has no time for a retry") };
        let Step::Done(Err(error)) = equal.step(Event::Elapsed, end) else {
            panic!("an action with the same deadline has no time either")
        };
        assert_eq!(error, failed);
        assert!(sends(late.step(Event::Elapsed, end)).path_and_query.ends_with("/token"));
    }
}

#[test]
fn another_client_sends_its_own_token_request() {
    let session = Session::new();
    let _three = three(&session);
    let mut others = [(); 2].map(|()| Acting::new(&session, "another client"));
    assert!(sends(others[0].start()).path_and_query.ends_with("/token"));
    waits(others[1].start());
}

#[test]
fn actions_refused_with_a_401_share_one_new_token() {
    let session = Session::new();
    let [mut first, mut second, mut third] = three(&session);
    sends(first.answer(200, TOKEN));
    sends(second.step(Event::Elapsed, 0));
    sends(third.step(Event::Elapsed, 0));
    assert!(sends(first.answer(401, "")).path_and_query.ends_with("/token"));
    waits(second.answer(401, ""));
    let new = sends(first.answer(200, &TOKEN.replace("canary-token", "new-token")));
    assert_eq!(sends(second.step(Event::Elapsed, 0)), new);
    assert_eq!(sends(third.answer(401, "")), new, "a refusal of the old token does not invalidate the new one");
}

/// The state of an action in the simulation, and the time of its next event in seconds.
enum Pending {
    Start(u64),
    Answer { request: Request, at: u64 },
    Pause { until: u64 },
}

impl Pending {
    fn at(&self) -> u64 {
        match self {
            Self::Start(at) | Self::Answer { at, .. } => *at,
            Self::Pause { until } => *until,
        }
    }

    fn is_token_request(&self) -> bool {
        matches!(self, Self::Answer { request, .. } if request.path_and_query.ends_with("/token"))
    }
}

/// Sixteen actions of two clients start at random times, and some are dropped. The service is slow, refuses requests, breaks
/// connections and revokes tokens. Every action ends. As long as no driver stalls, no client requests two tokens at once.
#[test]
fn thousands_of_overlapping_actions_end_and_share_token_requests() {
    let mut waited = 0;
    for seed in 0..3000 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let stalls = rng.u8(..4) == 0;
        let session = Session::new();
        let mut acting: Vec<(Acting, Pending)> = (0..16)
            .map(|_| {
                let client = if rng.u8(..4) == 0 { "another client" } else { "client" };
                (Acting::new(&session, client), Pending::Start(rng.u64(..100)))
            })
            .collect();
        let (mut now, mut steps) = (0, 0);
        while !acting.is_empty() {
            let next = (0..acting.len()).min_by_key(|n| acting[*n].1.at()).unwrap();
            let (mut action, pending) = acting.swap_remove(next);
            now = now.max(pending.at());
            steps += 1;
            assert!(steps < 10_000, "seed {seed}: the actions do not end");
            if rng.u8(..20) == 0 {
                continue;
            }
            let event = match pending {
                Pending::Start(_) => Event::Start,
                Pending::Pause { .. } => Event::Elapsed,
                Pending::Answer { request, .. } => Event::Response(match rng.u8(..10) {
                    0 => Err(TransportError { fault: TransportFault::Timeout, detail: String::new() }),
                    1 => Ok(Response::new(503, Vec::new())),
                    2 => Ok(Response::new(401, br#"{"error":"invalid_client"}"#.to_vec())),
                    _ if request.path_and_query.ends_with("/token") => Ok(Response::new(200, TOKEN.into())),
                    _ => Ok(Response::new(200, USER.into())),
                }),
            };
            let pending = match action.step(event, now) {
                Step::Send(request) => {
                    let max_delay = if stalls { 20 * TIMEOUT } else { 2 * TIMEOUT };
                    Pending::Answer { request, at: now + rng.u64(..=max_delay) }
                }
                Step::Wait { duration, may_end_early } => {
                    assert!(!duration.is_zero() && duration <= Duration::from_secs(300), "seed {seed}: {duration:?}");
                    waited += u64::from(may_end_early);
                    let early = if may_end_early { rng.u64(..5) } else { u64::MAX };
                    Pending::Pause { until: now + early.min(duration.as_secs() + 1) }
                }
                Step::Done(Err(error @ (Error::Driver(_) | Error::Other { .. }))) => panic!("seed {seed}: {error}"),
                Step::Done(_) => continue,
                step => panic!("seed {seed}: {step:?}"),
            };
            acting.push((action, pending));
            for client in ["client", "another client"] {
                let of_client =
                    |(action, pending): &&(Acting, Pending)| action.client == client && pending.is_token_request();
                let requests = acting.iter().filter(of_client).count();
                assert!(stalls || requests <= 1, "seed {seed}: two token requests of one client at once");
            }
        }
        // An action that starts later does not wait.
        sends(Acting::new(&session, "client").step(Event::Start, now));
    }
    assert!(waited > 1000, "{waited}");
}
