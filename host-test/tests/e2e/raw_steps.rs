//! The component without imports, driven by hand: a driver that makes mistakes, and the promises to one that makes none.

use onepassword_users_component::STEPS;
use std::sync::LazyLock;
use wasmtime::component::{Component, InstancePre, Linker, ResourceAny};
use wasmtime::{Cache, CacheConfig, Config, Engine, Store};

use bindings::exports::automation::connector::steps::{
    Body, Event, LookupError, LookupErrorKind, Request, Response, Step, TransportError, TransportFault,
};
use bindings::{Steps, StepsPre};

#[allow(unreachable_pub, reason = "generated code")]
mod bindings {
    wasmtime::component::bindgen!({
        inline: "
            package local:raw-steps;
            world steps {
                export automation:connector/failures@0.1.0;
                export automation:connector/manifest@0.1.0;
                export automation:connector/steps@0.1.0;
            }
        ",
        path: "../wit/deps/automation-connector",
    });
}

const ACCOUNT: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAA";
const WENDY: &str = "CECVP4FQBNIIODOC7DDCOVMELY";
const SECOND: u64 = 1_000_000_000;
const TOKEN: &str = r#"{"access_token":"token-1","token_type":"Bearer","expires_in":3600}"#;

static COMPILED: LazyLock<InstancePre<()>> = LazyLock::new(|| {
    let mut config = Config::new();
    config.cache(Cache::new(CacheConfig::new()).ok());
    let engine = Engine::new(&config).unwrap();
    Linker::new(&engine).instantiate_pre(&Component::new(&engine, STEPS).unwrap()).unwrap()
});

fn wendy(state: &str) -> String {
    format!(
        r#"{{"id":"{WENDY}","email":"wendy.appleseed@example.com","display_name":"Wendy Appleseed","state":"{state}",
            "create_time":"2024-06-05T01:32:17Z","path":"accounts/{ACCOUNT}/users/{WENDY}"}}"#
    )
}

/// An instance with one session.
struct Raw {
    store: Store<()>,
    steps: Steps,
    session: ResourceAny,
    now: u64,
}

impl Raw {
    fn new() -> Self {
        let mut store = Store::new(COMPILED.component().engine(), ());
        let steps = StepsPre::new(COMPILED.clone()).unwrap().instantiate(&mut store).unwrap();
        let session = steps.automation_connector_steps().session().call_constructor(&mut store).unwrap();
        Self { store, steps, session, now: SECOND }
    }

    fn begin_with(&mut self, action: &str, arguments: &str, settings: &[(&str, &str)], seed: u64) -> ResourceAny {
        let settings: Vec<(String, String)> =
            [("account-id", ACCOUNT)].iter().chain(settings).map(|(n, v)| ((*n).into(), (*v).into())).collect();
        let sessions = self.steps.automation_connector_steps().session();
        sessions.call_begin(&mut self.store, self.session, action, arguments, Some(&settings), seed).unwrap()
    }

    fn begin(&mut self, action: &str, arguments: &str) -> ResourceAny {
        self.begin_with(action, arguments, &[("max-attempts", "1")], 7)
    }

    fn step(&mut self, action: ResourceAny, event: &Event) -> Step {
        self.now += SECOND / 1000;
        let steps = self.steps.automation_connector_steps();
        steps.action().call_step(&mut self.store, action, self.now, event).unwrap()
    }

    /// Answers look-ups and the token request, up to the first other request.
    fn until_request(&mut self, action: ResourceAny) -> Request {
        let mut event = Event::Start;
        loop {
            event = match self.step(action, &event) {
                Step::LookUpSecrets(names) => secrets(&names),
                Step::Send(request) if request.url.ends_with("/token") => text(200, TOKEN),
                Step::Send(request) => return request,
                other => panic!("{other:?}"),
            };
        }
    }

    /// Begins to get a user, and answers the one request for it.
    fn get(&mut self, response: Event) -> Step {
        let action = self.begin("get-user", &format!(r#"{{"user":"{WENDY}"}}"#));
        self.until_request(action);
        self.step(action, &response)
    }
}

fn secrets(names: &[String]) -> Event {
    let value = |name: &String| match name.as_str() {
        "client-id" => Some("client-1".into()),
        "client-secret" => Some("secret-1".into()),
        _ => None,
    };
    Event::Values(names.iter().map(value).collect())
}

fn response(status: u16, headers: &str, body: Body) -> Event {
    Event::Response(Response { status, url: None, headers: headers.into(), body, decoded: false })
}

fn text(status: u16, body: &str) -> Event {
    response(status, "content-type: application/json\n", Body::Text(body.into()))
}

/// The code of a failure.
fn code(step: &Step) -> &str {
    match step {
        Step::Failed(failure) => &failure.code,
        other => panic!("{other:?}"),
    }
}

fn output(step: Step) -> String {
    match step {
        Step::Done(end) => end.output,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_warm_look_up_takes_three_steps() {
    let mut raw = Raw::new();
    assert!(output(raw.get(text(200, &wendy("ACTIVE")))).contains("Wendy Appleseed"));
    let action = raw.begin("get-user", &format!(r#"{{"user":"{WENDY}"}}"#));
    let Step::LookUpSecrets(names) = raw.step(action, &Event::Start) else { panic!() };
    assert_eq!(names, ["access-token", "client-id"], "the client secret is for token requests only");
    let Step::Send(request) = raw.step(action, &secrets(&names)) else { panic!() };
    assert_eq!(request.authorization.as_deref(), Some("Bearer token-1"));
    assert!(!request.headers.to_lowercase().contains("authorization"), "{}", request.headers);
    assert_eq!((request.method.as_str(), request.body, request.changes), ("GET", None, None));
    output(raw.step(action, &text(200, &wendy("ACTIVE"))));
}

#[test]
fn a_change_names_its_user_before_it_is_sent() {
    let mut raw = Raw::new();
    let action = raw.begin("suspend-user", &format!(r#"{{"user":"{WENDY}"}}"#));
    let mut changes = Vec::new();
    let mut event = Event::Start;
    let changed = loop {
        event = match raw.step(action, &event) {
            Step::LookUpSecrets(names) => secrets(&names),
            Step::LookUpSettings(_) => panic!("all settings were handed over"),
            Step::Send(request) => {
                let answer = match request.method.as_str() {
                    _ if request.url.ends_with("/token") => TOKEN.into(),
                    "GET" => wendy("ACTIVE"),
                    _ => wendy("SUSPENDED"),
                };
                changes.push((request.method, request.changes));
                text(200, &answer)
            }
            Step::Done(end) => break end.changed,
            other => panic!("{other:?}"),
        };
    };
    assert!(changed);
    let expected = [("POST", None), ("GET", None), ("POST", Some(WENDY))];
    assert_eq!(changes, expected.map(|(method, user)| (method.to_owned(), user.map(str::to_owned))));
}

#[test]
fn a_redirect_that_was_followed_is_noticed() {
    let at = |url: &str| {
        let Event::Response(response) = text(200, &wendy("ACTIVE")) else { panic!() };
        Event::Response(Response { url: Some(url.into()), ..response })
    };
    let own = format!("https://api.1password.com/v1/accounts/{ACCOUNT}/users/{WENDY}");
    let step = Raw::new().get(at("https://elsewhere.example/login"));
    let Step::Failed(failure) = &step else { panic!("{step:?}") };
    assert!(failure.message.contains("redirect"), "{}", failure.message);
    for same in [own.clone(), own.replace("api.", "API."), own.replace(".com/", ".com:443/"), format!("{own}#top")] {
        output(Raw::new().get(at(&same)));
    }
}

#[test]
fn a_body_that_is_cut_off_too_long_or_still_compressed_is_noticed() {
    let user = wendy("ACTIVE");
    let length = |length: usize| format!("Content-Length: {length}\n");
    // Shorter than announced, although what is there can be read.
    let cut = Raw::new().get(response(200, &length(user.len() + 1), Body::Text(user.clone())));
    assert_eq!(code(&cut), "unavailable");
    output(Raw::new().get(response(200, &length(user.len()), Body::Text(user.clone()))));
    // A client that decodes may leave the headers as they were.
    let decoded = |headers: &str, decoded| {
        let body = Body::Text(user.clone());
        Event::Response(Response { status: 200, url: None, headers: headers.into(), body, decoded })
    };
    output(Raw::new().get(decoded("Content-Encoding: gzip\nContent-Length: 7\n", false)));
    output(Raw::new().get(decoded("Content-Encoding: br\nContent-Length: 999999\n", true)));
    let gzip = response(200, "content-encoding: gzip\n", Body::Bytes(vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0]));
    assert_eq!(code(&Raw::new().get(gzip)), "invalid-response");
    let long = Raw::new().get(response(200, "", Body::Bytes(vec![b' '; 9 * 1024 * 1024])));
    assert_eq!(code(&long), "invalid-response");
    // Text that is not UTF-8 comes as bytes.
    let name = user.replace("Wendy Appleseed", "Wendy \u{1}").into_bytes();
    let name: Vec<u8> = name.into_iter().map(|byte| if byte == 1 { 0xff } else { byte }).collect();
    assert!(output(Raw::new().get(response(200, "", Body::Bytes(name)))).contains("Wendy \u{fffd}"));
}

/// A driver's mistake ends the action as the host's failure, and the instance goes on.
#[test]
fn an_event_that_answers_nothing_is_a_failure_of_the_host() {
    let mut raw = Raw::new();
    let lookup_error = LookupError { kind: LookupErrorKind::Denied, name: None, message: "no".into() };
    let transport = TransportError { fault: TransportFault::Timeout, status: None, detail: "late".into() };
    let events = [
        Event::Start,
        Event::Values(Vec::new()),
        Event::LookupFailed(lookup_error),
        Event::NoResponse(transport),
        Event::Elapsed,
        Event::More,
        text(200, "{}"),
    ];
    for (number, event) in events.iter().enumerate() {
        // Instead of the secrets.
        let action = raw.begin("list-users", "{}");
        assert!(matches!(raw.step(action, &Event::Start), Step::LookUpSecrets(_)));
        let step = raw.step(action, event);
        let denied = matches!(event, Event::LookupFailed(_));
        assert_eq!(code(&step), if denied { "other" } else { "host-failed" }, "{number}: {step:?}");
        // Instead of a response.
        let action = raw.begin("list-users", "{}");
        raw.until_request(action);
        let step = raw.step(action, event);
        let answers = matches!(event, Event::NoResponse(_) | Event::Response(_));
        assert_eq!(code(&step) == "host-failed", !answers, "{number}: {step:?}");
    }
    assert!(output(raw.get(text(200, &wendy("ACTIVE")))).contains(WENDY), "the instance still works");
}

#[test]
fn steps_after_the_end_and_a_clock_that_runs_backwards_do_no_harm() {
    let mut raw = Raw::new();
    let action = raw.begin("get-user", &format!(r#"{{"user":"{WENDY}"}}"#));
    raw.until_request(action);
    raw.now = 1;
    output(raw.step(action, &text(200, &wendy("ACTIVE"))));
    for event in [Event::More, Event::Start] {
        assert_eq!(code(&raw.step(action, &event)), "host-failed", "no trap, and no second result");
    }
    let action = raw.begin("get-user", "{}");
    assert_eq!(code(&raw.step(action, &Event::Start)), "invalid-argument");
    assert_eq!(code(&raw.step(action, &Event::Start)), "host-failed");
    output(raw.get(text(200, &wendy("ACTIVE"))));
}

/// Hosts that failed together must not come back together.
#[test]
fn the_seed_decides_the_pauses() {
    let pause = |seed| {
        let mut raw = Raw::new();
        let settings = [("max-attempts", "3")];
        let action = raw.begin_with("get-user", &format!(r#"{{"user":"{WENDY}"}}"#), &settings, seed);
        raw.until_request(action);
        match raw.step(action, &text(503, "{}")) {
            Step::Wait(pause) => pause.duration,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(pause(1), pause(1));
    assert_ne!(pause(1), pause(2));
}

#[test]
fn settings_that_were_not_handed_over_are_looked_up() {
    let mut raw = Raw::new();
    let sessions = raw.steps.automation_connector_steps().session();
    let action = sessions.call_begin(&mut raw.store, raw.session, "list-users", "{}", None, 0).unwrap();
    let Step::LookUpSettings(names) = raw.step(action, &Event::Start) else { panic!() };
    assert!(names.iter().any(|name| name == "account-id"), "{names:?}");
}

#[test]
fn a_long_result_comes_in_parts_that_are_one_document() {
    let mut raw = Raw::new();
    let action = raw.begin("list-users", "{}");
    raw.until_request(action);
    let long = "x".repeat(1_000_000);
    let user = |id: &str| wendy("ACTIVE").replace(WENDY, id).replace("Wendy Appleseed", &long);
    let page = |users: [&str; 3], next: &str| {
        let users = users.map(user).join(",");
        text(200, &format!(r#"{{"results":[{users}],"next_page_token":"{next}"}}"#))
    };
    let Step::Send(request) = raw.step(action, &page(["A", "B", "C"], "next")) else { panic!() };
    assert!(request.url.contains("page_token=next"), "{}", request.url);
    let mut step = raw.step(action, &page(["D", "E", "F"], ""));
    let (mut parts, mut json) = (0, String::new());
    while let Step::Part(part) = step {
        parts += 1;
        json += &part;
        step = raw.step(action, &Event::More);
    }
    json += &output(step);
    assert!(parts >= 1, "{} bytes", json.len());
    let list: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(list["users"].as_array().unwrap().len(), 6);
}
