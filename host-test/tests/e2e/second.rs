//! A second connector, for another service: the host runs it with nothing but the contract.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};

use onepassword_users_host::catalogue::{ErrorCode, FailureClass};
use onepassword_users_host::{
    Audit, AuditError, ChangeEvent, ChangeResult, Connector, Error, Host, HostConfig, Manifest, Network, Options,
    Recording, SubjectKind,
};
use onepassword_users_test_kit::harness::{Values, config, expect_failure, options};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wasmtime::Engine;
use wasmtime::component::Component;

const KEY: &str = "badge-key-7Q2";
const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The file of the built component: the example's, or one that was built by following the page.
static COMPONENT: LazyLock<PathBuf> = LazyLock::new(|| {
    if let Some(path) = std::env::var_os("BADGE_ACCESS_COMPONENT") {
        return path.into();
    }
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guest");
    onepassword_users_guest_build::build(Path::new(WORKSPACE), "badge-access-connector", &target_dir).unwrap()
});

static HOST: LazyLock<Host> = LazyLock::new(|| Host::new(&std::fs::read(&*COMPONENT).unwrap(), config()).unwrap());

/// The badges by id, each with its state; the requests; and answers that replace the next ones.
#[derive(Default)]
struct Doors {
    badges: BTreeMap<String, String>,
    requests: Vec<String>,
    faults: VecDeque<Fault>,
}

/// A fault of the service, for one request.
#[derive(Clone)]
enum Fault {
    /// No fault.
    None,
    /// Answers with this status and body, and does nothing.
    Answer(u16, &'static str),
    /// Does what is asked, and closes the connection without an answer.
    Silence,
    /// Does nothing, and closes the connection without an answer.
    Deaf,
}

impl Doors {
    fn answer(&mut self, line: &str, head: &str) -> (u16, Value) {
        if !head.contains(&format!("authorization: Bearer {KEY}\r\n")) {
            let message = format!("no such key\nin: {head}");
            return (401, json!({"error": {"code": "bad-key", "message": message}}));
        }
        let target = line.split(' ').nth(1).unwrap();
        if target == "/v1/badges?limit=1" {
            return (200, json!({"badges": []}));
        }
        let mut parts = target.strip_prefix("/v1/badges/").unwrap().split('/');
        let (id, route) = (parts.next().unwrap(), parts.next());
        let Some(state) = self.badges.get_mut(id) else {
            return (404, json!({"error": {"code": "badge-not-found", "message": "no badge"}}));
        };
        match route {
            None => {}
            Some("block") => *state = "blocked".into(),
            Some("unblock") => *state = "active".into(),
            Some(other) => panic!("{other}"),
        }
        (200, json!({"id": id, "holder": "Ada Park", "state": state}))
    }
}

/// The connector, and the service that its settings name.
struct Harness {
    doors: Arc<Mutex<Doors>>,
    /// The origin of the service.
    url: String,
    values: Values,
    connector: Connector,
}

impl Harness {
    async fn new() -> Self {
        let doors = Doors { badges: [("B1".into(), "active".into())].into(), ..Doors::default() };
        let doors = Arc::new(Mutex::new(doors));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let values = Values::default();
        let url = format!("http://{}", listener.local_addr().unwrap());
        values.set("base-url", &url);
        values.set("api-key", KEY);
        let shared = doors.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.is_ok_and(|length| length > 0) {}
                let head = String::from_utf8(head).unwrap();
                let Some(line) = head.lines().next() else { continue };
                let reply = {
                    let mut doors = shared.lock().unwrap();
                    doors.requests.push(line.trim_end_matches(" HTTP/1.1").to_owned());
                    let fault = doors.faults.pop_front().unwrap_or(Fault::None);
                    match fault {
                        Fault::Answer(status, body) => Some((status, body.to_owned())),
                        Fault::Deaf => None,
                        fault => {
                            let (status, body) = doors.answer(line, &head);
                            (!matches!(fault, Fault::Silence)).then(|| (status, body.to_string()))
                        }
                    }
                };
                if let Some((status, body)) = reply {
                    let length = body.len();
                    let pause = if status == 429 { "retry-after: 7\r\n" } else { "" };
                    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{pause}");
                    let text = format!("{head}connection: close\r\n\r\n{body}");
                    let _ = stream.write_all(text.as_bytes()).await;
                }
            }
        });
        let connector = HOST.connector(options(&values)).unwrap();
        Self { doors, url, values, connector }
    }

    fn faults(&self, faults: &[Fault]) {
        self.doors.lock().unwrap().faults.extend(faults.iter().cloned());
    }

    fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.doors.lock().unwrap().requests)
    }

    fn state(&self) -> String {
        self.doors.lock().unwrap().badges["B1"].clone()
    }

    /// Runs an action on the badge and returns the outcome.
    async fn change(&self, action: &str) -> Result<String, Error> {
        let output = self.connector.invoke(action, r#"{"badge":"B1"}"#).await?;
        let json: Value = serde_json::from_str(&output.json).unwrap();
        assert_eq!(output.changed, json["outcome"] == "changed");
        Ok(json["outcome"].as_str().unwrap().to_owned())
    }
}

fn assert_valid(schema: &Value, value: &Value) {
    let validator = jsonschema::draft202012::new(schema).unwrap();
    let problems: Vec<String> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert_eq!(problems, [""; 0], "{value}");
}

fn manifest_schema() -> Value {
    let path = Path::new(WORKSPACE).join("wit/deps/automation-connector/manifest.schema.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The failure of a code that only this connector has.
fn foreign<T: std::fmt::Debug>(
    result: Result<T, Error>,
) -> onepassword_users_host::Failure<onepassword_users_host::ForeignCode> {
    match result {
        Err(Error::Foreign(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_second_component_imports_only_the_allowed_interfaces() {
    let engine = Engine::default();
    let component = Component::new(&engine, std::fs::read(&*COMPONENT).unwrap()).unwrap();
    let component = component.component_type();
    let mut imports: Vec<String> = component.imports(&engine).map(|(name, _)| name.to_owned()).collect();
    imports.sort();
    assert_eq!(imports, crate::contract::IMPORTS);
}

#[tokio::test]
async fn the_description_fits_the_schema() {
    let harness = Harness::new().await;
    let manifest = harness.connector.describe().await.unwrap();
    assert_valid(&manifest_schema(), &manifest.json);
    let kinds: Vec<(&str, &str)> =
        manifest.actions.iter().map(|action| (action.kind.as_str(), action.class.as_str())).collect();
    assert_eq!(kinds, [("enrichment", "read"), ("containment", "destroy"), ("containment", "destroy")]);
    for action in manifest.json["actions"].as_array().unwrap() {
        assert_valid(&action["input"], &action["example"]["arguments"]);
        assert_valid(&action["output"], &action["example"]["result"]);
        assert!(action["undo"].is_null() || manifest.actions.iter().any(|other| action["undo"] == other.name));
    }
    assert_eq!(harness.requests(), [""; 0]);
}

#[tokio::test]
async fn every_action_has_a_result_that_fits_its_schema() {
    let harness = Harness::new().await;
    let Manifest { actions, .. } = harness.connector.describe().await.unwrap();
    for (action, arguments, result, changed, requests) in [
        ("get-badge", json!({"badge": "B1"}), "active", false, 1),
        ("block-badge", json!({"badge": "B1", "dry_run": true}), "would-change", false, 1),
        ("block-badge", json!({"badge": "B1"}), "changed", true, 3),
        ("block-badge", json!({"badge": "B1"}), "unchanged", false, 1),
        ("get-badge", json!({"badge": "B1"}), "blocked", false, 1),
        ("unblock-badge", json!({"badge": "B1"}), "changed", true, 3),
    ] {
        let described = actions.iter().find(|described| described.name == action).unwrap();
        assert_valid(&described.input, &arguments);
        let output = harness.connector.invoke(action, &arguments.to_string()).await.unwrap();
        let json: Value = serde_json::from_str(&output.json).unwrap();
        assert_valid(&described.output, &json);
        let shown = if action == "get-badge" { &json["state"] } else { &json["outcome"] };
        assert_eq!((shown, output.changed), (&json!(result), changed), "{action} {arguments}");
        assert!(output.summary.contains(result), "{}", output.summary);
        assert_eq!(harness.requests().len(), requests, "{action} {arguments}");
    }
}

#[tokio::test]
async fn a_code_of_its_own_arrives_with_its_class() {
    let harness = Harness::new().await;
    let failure = foreign(harness.connector.invoke("get-badge", r#"{"badge":"B2"}"#).await);
    assert_eq!((failure.code.name.as_str(), failure.code.class), ("badge-not-found", FailureClass::Absent));
    assert!(!failure.is_retryable() && !failure.may_have_changed);
    assert_eq!(failure.service.unwrap().code.as_deref(), Some("badge-not-found"));
    let manifest = harness.connector.describe().await.unwrap();
    assert_eq!([(manifest.codes[0].code.as_str(), manifest.codes[0].class.as_str())], [("badge-not-found", "absent")]);
    // The 404 of a proxy says nothing about badges.
    harness.faults(&[Fault::Answer(404, "<h1>not found</h1>")]);
    expect_failure(ErrorCode::InvalidResponse, harness.connector.invoke("get-badge", r#"{"badge":"B1"}"#).await);
}

#[tokio::test]
async fn a_wrong_argument_is_named_and_nothing_is_sent() {
    let harness = Harness::new().await;
    for (action, arguments, argument) in [
        ("open-door", "{}", "action"),
        ("get-badge", "", "badge"),
        ("get-badge", "[]", "arguments"),
        ("get-badge", r#"{"badge": 7}"#, "badge"),
        ("get-badge", r#"{"badge": "B1/../B2"}"#, "badge"),
        ("get-badge", r#"{"badge": "B1", "dry_run": true}"#, "dry_run"),
        ("block-badge", r#"{"badge": "B1", "dryrun": true}"#, "dryrun"),
        ("block-badge", r#"{"badge": "B1", "dry_run": "yes"}"#, "dry_run"),
    ] {
        let failure = expect_failure(ErrorCode::InvalidArgument, harness.connector.invoke(action, arguments).await);
        let subject = failure.subject.unwrap();
        assert_eq!((subject.kind, subject.name.as_str()), (SubjectKind::Argument, argument), "{action} {arguments}");
    }
    assert_eq!(harness.requests(), [""; 0]);
}

#[tokio::test]
async fn the_test_of_the_second_connector_names_the_secret_or_setting() {
    let harness = Harness::new().await;
    let report: Value = serde_json::from_str(&harness.connector.test().await.unwrap().json).unwrap();
    assert_eq!((&report["ok"], &report["checks"][0]["result"]), (&json!(true), &json!("permitted")));
    assert!(report["checks"][1]["result"].as_str().unwrap().starts_with("not tested"));
    assert_eq!(harness.requests(), ["GET /v1/badges?limit=1"]);

    let subject = |failure: onepassword_users_host::Failure| {
        let subject = failure.subject.unwrap();
        (subject.kind, subject.name)
    };
    harness.values.set("api-key", "wrong-key-9Z");
    let failure = expect_failure(ErrorCode::Unauthenticated, harness.connector.test().await);
    // The service repeated the key.
    assert!(failure.service.as_ref().unwrap().message.contains("[redacted]"), "{failure:?}");
    assert!(!format!("{failure:?}").contains("9Z") && !format!("{failure:?}").contains("\\n"), "{failure:?}");
    assert_eq!(subject(failure), (SubjectKind::Secret, "api-key".into()));
    for bad in [" ", "two\nlines"] {
        harness.values.set("api-key", bad);
        let failure = expect_failure(ErrorCode::Misconfigured, harness.connector.test().await);
        assert_eq!(subject(failure), (SubjectKind::Secret, "api-key".into()), "{bad:?}");
    }
    harness.values.set("api-key", KEY);
    harness.requests();
    for bad in ["nonsense", "http://doors.example", "https://user:pw@doors.example", "ftp://127.0.0.1"] {
        harness.values.set("base-url", bad);
        let failure = expect_failure(ErrorCode::Misconfigured, harness.connector.test().await);
        assert!(!failure.message.contains(bad));
        assert_eq!(subject(failure), (SubjectKind::Setting, "base-url".into()), "{bad}");
    }
    assert_eq!(harness.requests(), [""; 0]);
}

#[tokio::test]
async fn a_change_without_a_clear_outcome_is_looked_at() {
    let broken = Fault::Answer(502, "bad gateway");
    // The faults of the first look, the change and the second look; then the outcome, or the code and `may_have_changed`.
    for (faults, expected) in [
        (vec![Fault::None, Fault::Silence], Ok("changed")),
        (vec![Fault::None, Fault::Answer(204, "")], Err((ErrorCode::InvalidResponse, true))),
        (vec![Fault::None, Fault::Deaf], Err((ErrorCode::Unavailable, true))),
        (vec![Fault::None, Fault::Silence, broken.clone()], Err((ErrorCode::Unavailable, true))),
        (vec![Fault::None, Fault::None, broken.clone()], Err((ErrorCode::Unavailable, true))),
        (vec![Fault::None, broken.clone()], Err((ErrorCode::Unavailable, true))),
        (vec![Fault::None, Fault::Answer(302, "")], Err((ErrorCode::InvalidResponse, true))),
        (vec![Fault::None, Fault::Answer(403, "{}")], Err((ErrorCode::PermissionDenied, false))),
        (vec![Fault::None, Fault::Answer(409, "{}")], Err((ErrorCode::Other, false))),
        (vec![Fault::None, Fault::Answer(429, "{}")], Err((ErrorCode::RateLimited, false))),
        (vec![Fault::Deaf], Err((ErrorCode::Unavailable, false))),
        (vec![Fault::Answer(200, "{")], Err((ErrorCode::InvalidResponse, false))),
        (
            vec![Fault::Answer(200, r#"{"id":"B2","holder":"","state":"active"}"#)],
            Err((ErrorCode::InvalidResponse, false)),
        ),
    ] {
        let harness = Harness::new().await;
        harness.faults(&faults);
        let result = harness.change("block-badge").await;
        let state = harness.state();
        match expected {
            Ok(outcome) => assert_eq!((result.unwrap().as_str(), state.as_str()), (outcome, "blocked")),
            Err((code, may_have_changed)) => {
                let failure = expect_failure(code, result);
                assert_eq!(failure.may_have_changed, may_have_changed, "{failure:?}");
                assert_eq!(failure.retry_after, (code == ErrorCode::RateLimited).then_some(7), "{failure:?}");
                assert!(may_have_changed || state == "active");
            }
        }
    }
}

#[tokio::test]
async fn a_long_answer_is_not_read() {
    let harness = Harness::new().await;
    harness.faults(&[Fault::Answer(200, "x".repeat(70_000).leak())]);
    expect_failure(ErrorCode::InvalidResponse, harness.connector.invoke("get-badge", r#"{"badge":"B1"}"#).await);
}

/// The host, with a component whose manifest is another: it has `new` in place of `old`, which is in it once.
fn patched(old: &[u8], new: &[u8]) -> Host {
    let mut bytes = std::fs::read(&*COMPONENT).unwrap();
    let at: Vec<usize> = (0..bytes.len() - old.len()).filter(|at| bytes[*at..].starts_with(old)).collect();
    let [at] = at[..] else { panic!("{at:?}") };
    bytes[at..at + old.len()].copy_from_slice(new);
    Host::new(&bytes, config()).unwrap()
}

#[tokio::test]
async fn a_component_whose_manifest_is_not_one_is_not_run() {
    let harness = Harness::new().await;
    let connector = patched(br#""origins": {"#, br#""orogens": {"#).connector(options(&harness.values)).unwrap();
    for error in [connector.test().await.unwrap_err(), connector.describe().await.unwrap_err()] {
        let Error::Load(problem) = error else { panic!("{error:?}") };
        assert!(problem.contains("its description is not one") && problem.contains("origins"), "{problem}");
    }
    assert_eq!(harness.requests(), [""; 0]);
}

/// The rules for origins are those of the component's own manifest. The component follows its setting `base-url`; with a manifest
/// that names another setting, the host follows that one.
#[tokio::test]
async fn the_host_allows_the_origin_of_the_setting_in_the_manifest_only() {
    let host = patched(br#""setting": "base-url""#, br#""setting": "home-url""#);

    let (harness, elsewhere) = (Harness::new().await, Harness::new().await);
    let connector = host.connector(options(&harness.values)).unwrap();
    assert_eq!(connector.describe().await.unwrap().origins.setting.as_deref(), Some("home-url"));
    for (home_url, is_allowed) in [
        (None, false),
        (Some(""), false),
        (Some(&*elsewhere.url), false),
        (Some("nonsense"), false),
        (Some(&*harness.url), true),
    ] {
        home_url.inspect(|url| harness.values.set("home-url", url));
        let result = connector.invoke("get-badge", r#"{"badge":"B1"}"#).await;
        if is_allowed {
            result.unwrap();
        } else {
            let failure = expect_failure(ErrorCode::Misconfigured, result);
            assert!(failure.message.contains("does not allow"), "{failure:?}");
        }
        assert_eq!(harness.requests().len(), usize::from(is_allowed), "{home_url:?}");
    }
    assert_eq!(elsewhere.requests(), [""; 0]);
}

#[tokio::test]
async fn a_change_that_was_never_sent_has_changed_nothing() {
    let harness = Harness::new().await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    harness.values.set("base-url", &format!("http://{closed}"));
    let failure = expect_failure(ErrorCode::Unavailable, harness.change("block-badge").await);
    assert!(failure.is_retryable() && !failure.may_have_changed);
}

/// A hook that refuses to record anything.
struct Full;

impl Audit for Full {
    fn before<'a>(&'a self, change: &'a ChangeEvent) -> Recording<'a, Result<(), AuditError>> {
        assert_eq!((change.action.as_str(), change.user_id.as_deref()), ("block-badge", None));
        Box::pin(async { Err(AuditError("the disk is full".into())) })
    }

    fn after<'a>(&'a self, _: &'a ChangeEvent, _: &'a ChangeResult) -> Recording<'a, ()> {
        panic!("there is no record")
    }
}

#[tokio::test]
async fn a_change_of_another_connector_needs_a_record_as_well() {
    let harness = Harness::new().await;
    harness.doors.lock().unwrap().badges.insert("B1042".into(), "active".into());
    let audit: Option<Arc<dyn Audit>> = Some(Arc::new(Full));
    let connector = HOST.connector(Options { audit, ..options(&harness.values) }).unwrap();
    connector.invoke("get-badge", r#"{"badge":"B1042"}"#).await.unwrap();
    harness.doors.lock().unwrap().requests.clear();
    let result = connector.invoke("block-badge", r#"{"badge":"B1042"}"#).await;
    assert!(matches!(result, Err(Error::Audit { may_have_changed: false, .. })), "{result:?}");
    assert!(harness.doors.lock().unwrap().requests.is_empty(), "nothing was sent");
}

/// The lines that the page shows to platforms.
#[tokio::test]
async fn a_platform_needs_a_few_lines_to_run_the_second_connector() {
    let harness = Harness::new().await;
    harness.doors.lock().unwrap().badges.insert("B1042".into(), "active".into());
    let (component, settings, secrets) =
        (&*COMPONENT, Arc::new(harness.values.clone()), Arc::new(harness.values.clone()));
    let host = Host::new(&std::fs::read(component).unwrap(), HostConfig::default()).unwrap();
    let network = Network { allow_loopback: true, ..Network::default() };
    let connector = host.connector(Options { settings, secrets, network, ..Options::default() }).unwrap();
    let output = connector.invoke("block-badge", r#"{"badge":"B1042"}"#).await.unwrap();
    assert_eq!(output.summary, "badge B1042 is blocked (changed)");
}

/// The blocks of the page, each with the path above it, or an empty one.
fn blocks(page: &str) -> Vec<(&str, String)> {
    let (mut blocks, mut path, mut block) = (Vec::new(), "", None::<String>);
    for line in page.lines() {
        match &mut block {
            Some(_) if line == "```" => blocks.push((std::mem::take(&mut path), block.take().unwrap())),
            Some(text) => *text += &format!("{line}\n"),
            None if line.starts_with("```") => block = Some(String::new()),
            None if line.is_empty() => {}
            None => path = line.strip_prefix('`').and_then(|line| line.strip_suffix("`:")).unwrap_or_default(),
        }
    }
    blocks
}

#[test]
fn the_page_on_writing_a_connector_has_the_files_of_the_example() {
    let read = |path: &str| std::fs::read_to_string(Path::new(WORKSPACE).join(path)).unwrap();
    let page = read("docs/writing-a-connector.md");
    let mut files = Vec::new();
    let lines: Vec<&str> = include_str!("second.rs").lines().map(str::trim).collect();
    for line in page.lines().skip_while(|line| !line.starts_with("let host = ")).take_while(|line| *line != "```") {
        assert!(lines.contains(&line), "{line}");
    }
    for (path, block) in blocks(&page).into_iter().filter(|(path, _)| !path.is_empty()) {
        files.push(path);
        if path == "Cargo.toml" {
            let known = read("Cargo.toml") + &read("examples/badge-access/Cargo.toml");
            for dependency in block.lines().filter(|line| line.contains("version = ") && line.contains('{')) {
                assert!(known.contains(dependency), "{dependency}");
            }
            continue;
        }
        let file = read(&format!("examples/badge-access/{path}"));
        // The example uses the contract where it is, and a project of its own has a copy.
        let file = match file.split_once("path: [").map(|(head, rest)| (head, rest.split_once("],").unwrap().1)) {
            Some((head, rest)) if path == "src/bindings.rs" => format!("{head}path: \"wit\",{rest}"),
            _ => file,
        };
        assert_eq!(block, file, "{path} of docs/writing-a-connector.md differs from the example");
    }
    files.sort_unstable();
    let expected = ["Cargo.toml", "build.rs", "doors.py", "manifest.json"].into_iter();
    let sources = ["actions", "bindings", "failure", "http", "lib", "runtime"].map(|name| format!("src/{name}.rs"));
    let expected: Vec<&str> = expected.chain(sources.iter().map(String::as_str)).chain(["wit/world.wit"]).collect();
    assert_eq!(files, expected);
}
