//! Events that do not answer the step before: each ends the action as a failure of the host, and none is a trap.

use serde_json::Value;
use wasmtime::Store;
use wasmtime::component::{Linker, ResourceAny};

use super::driver::bindings::AnySteps;
use super::driver::bindings::exports::automation::connector::steps::{
    Body, Event, LookupError, LookupErrorKind, Response, Step, TransportError, TransportFault,
};
use super::driver::{COMPILED, record};

/// A component and one action of it.
struct Acting {
    store: Store<()>,
    steps: AnySteps,
    action: ResourceAny,
}

impl Acting {
    fn begin(action: &str, arguments: &str) -> Self {
        let (engine, component) = &*COMPILED;
        let mut store = Store::new(engine, ());
        let steps = AnySteps::instantiate(&mut store, component, &Linker::new(engine)).unwrap();
        let sessions = steps.automation_connector_steps().session();
        let session = sessions.call_constructor(&mut store).unwrap();
        let action = sessions.call_begin(&mut store, session, action, arguments, None, 1).unwrap();
        Self { store, steps, action }
    }

    /// Steps the action. A trap is a failed test.
    fn step(&mut self, event: &Event) -> Step {
        self.steps.automation_connector_steps().action().call_step(&mut self.store, self.action, 0, event).unwrap()
    }
}

fn ok(body: String) -> Event {
    let headers = "content-type: application/json\n".into();
    Event::Response(Response { status: 200, url: None, headers, body: Body::Text(body), decoded: false })
}

/// The right answer to a step. The first request of the service fails, so that there is a wait.
fn right(step: &Step, requests: &mut u32) -> Option<Event> {
    Some(match step {
        Step::LookUpSettings(names) => Event::Values(
            names.iter().map(|name| (name == "account-id").then(|| "ABCDEFGHIJKLMNOPQRSTUVWXYZ".into())).collect(),
        ),
        Step::LookUpSecrets(names) => {
            Event::Values(names.iter().map(|name| (name != "access-token").then(|| "canary".into())).collect())
        }
        Step::Send(request) => {
            *requests += 1;
            match request.url.as_str() {
                _ if *requests == 1 => Event::NoResponse(TransportError {
                    fault: TransportFault::Broken,
                    status: None,
                    detail: String::new(),
                }),
                url if url.ends_with("/token") => ok(r#"{"access_token":"canary-token","token_type":"Bearer"}"#.into()),
                url if url.ends_with("/A") => ok(r#"{"id":"A","state":"ACTIVE"}"#.into()),
                url if url.ends_with(":suspend") => ok(r#"{"id":"A","state":"SUSPENDED"}"#.into()),
                _ => {
                    let user = |n| format!(r#"{{"id":"U{n}","display_name":"{}"}}"#, "x".repeat(3500));
                    let next = if *requests < 4 { r#","next_page_token":"2""# } else { "" };
                    let first = *requests * 1000;
                    let users: Vec<String> = (first..first + 1000).map(user).collect();
                    ok(format!(r#"{{"results":[{}]{next}}}"#, users.join(",")))
                }
            }
        }
        Step::Wait(_) => Event::Elapsed,
        Step::Part(_) => Event::More,
        Step::Done(_) | Step::Failed(_) => return None,
    })
}

/// All kinds of events, with a name each.
fn events() -> Vec<(&'static str, Event)> {
    vec![
        ("start", Event::Start),
        ("no values", Event::Values(Vec::new())),
        ("values", Event::Values(vec![Some("x".into()); 20])),
        (
            "lookup-failed",
            Event::LookupFailed(LookupError { kind: LookupErrorKind::Denied, name: None, message: String::new() }),
        ),
        ("response", ok("{}".into())),
        (
            "no-response",
            Event::NoResponse(TransportError { fault: TransportFault::Dns, status: None, detail: String::new() }),
        ),
        ("elapsed", Event::Elapsed),
        ("more", Event::More),
    ]
}

/// True if an event of this name may answer a step. The number of values is wrong in each case here.
fn answers(step: &Step, event: &str) -> bool {
    match step {
        Step::LookUpSettings(_) | Step::LookUpSecrets(_) => event == "lookup-failed",
        Step::Send(_) => ["response", "no-response"].contains(&event),
        Step::Wait(_) => event == "elapsed",
        Step::Part(_) => event == "more",
        Step::Done(_) | Step::Failed(_) => false,
    }
}

fn host_failed(step: Step) -> Value {
    let Step::Failed(failure) = step else { panic!("{step:?}") };
    let failure = record(failure);
    assert_eq!((&failure["code"], &failure["class"]), (&"host-failed".into(), &"host".into()), "{failure}");
    failure
}

#[test]
fn a_wrong_event_at_any_step_ends_the_action() {
    let mut tried = 0;
    for (action, arguments) in [("suspend-user", r#"{"user":{"id":"A"}}"#), ("list-users", "{}")] {
        for (name, wrong) in events() {
            // The event comes instead of the answer to each step in turn, and after the end.
            for place in 0.. {
                let (mut acting, mut requests) = (Acting::begin(action, arguments), 0);
                let mut step = acting.step(&Event::Start);
                for _ in 0..place {
                    let Some(event) = right(&step, &mut requests) else { break };
                    step = acting.step(&event);
                }
                if answers(&step, name) {
                    continue;
                }
                tried += 1;
                let is_end = matches!(step, Step::Done(_));
                assert!(!matches!(step, Step::Failed(_)), "{action}, {name}, {place}: {step:?}");
                let is_change = matches!(&step, Step::Send(request) if request.changes.is_some());
                let failure = host_failed(acting.step(&wrong));
                assert_eq!(failure["may_have_changed"], is_change, "{action}, {name}, {place}: {failure}");
                // It stays ended.
                for event in [Event::More, Event::Elapsed, Event::Start] {
                    host_failed(acting.step(&event));
                }
                if is_end {
                    break;
                }
            }
        }
    }
    assert!(tried > 100, "{tried}");
}
