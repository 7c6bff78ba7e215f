//! The kit itself: its cases have their format, and its control interface judges and refuses.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use onepassword_users_conformance::control::Control;
use onepassword_users_conformance::{cases, groups};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_cases_have_the_format_of_the_schema() {
    let schema = std::fs::read_to_string(folder().join("case.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let mut files = BTreeSet::new();
    for entry in std::fs::read_dir(folder().join("cases")).unwrap() {
        let path = entry.unwrap().path();
        let file: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let problems: Vec<String> =
            schema.iter_errors(&file).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(problems.is_empty(), "{}: {problems:#?}", path.display());
        files.insert(path.file_stem().unwrap().to_str().unwrap().to_owned());
    }
    let known: BTreeSet<String> = groups().unwrap().into_iter().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(files, known, "every file is part of the kit");
    assert!(!schema.is_valid(&json!({"proves": "X.", "cases": [{"name": "a", "about": "B.", "actions": [], "x": 1}]})));
}

#[test]
fn the_names_of_the_cases_differ() {
    let cases = cases().unwrap();
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert!(names.len() == cases.len() && names.len() > 100, "{}", cases.len());
}

/// The table of the README names each group, with its words.
#[test]
fn the_readme_says_what_each_group_proves() {
    let readme = std::fs::read_to_string(folder().join("README.md")).unwrap();
    for (name, group) in groups().unwrap() {
        let row = format!("| [`{name}`](cases/{name}.json) | {} |", group.proves);
        assert!(readme.contains(&row), "the README lacks this row:\n{row}");
    }
}

async fn start() -> SocketAddr {
    let control = Control::bind(0, cases().unwrap()).await.unwrap();
    let address = control.address().unwrap();
    assert!(address.ip().is_loopback());
    tokio::spawn(control.serve());
    address
}

/// Sends a request and returns the status and the JSON of the answer.
async fn call(address: SocketAddr, method: &str, path: &str, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn a_run_over_the_control_interface() {
    let address = start().await;
    let (status, list) = call(address, "GET", "/cases", "").await;
    assert_eq!((status, list["cases"].as_array().unwrap().len()), (200, cases().unwrap().len()));

    // This case sends nothing, so that a report alone passes.
    let (status, task) = call(address, "POST", "/cases/unknown-action", "").await;
    assert_eq!((status, &task["actions"][0]["action"]), (200, &json!("delete-user")), "{task}");
    assert_eq!(task["actions"][0]["arguments"], "{}");
    assert!(task["settings"]["base-url"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    let failure = json!({
        "code": "invalid-argument", "class": "caller", "message": "m", "remedy": "r", "retryable": false,
        "retry_after": null, "may_have_changed": false, "subject": null, "user_id": null, "candidates": [],
        "more_candidates": false, "service": null,
    });
    let report = json!({ "outcomes": [{ "failed": failure }], "log": "" }).to_string();
    let run = format!("/runs/{}", task["run"].as_str().unwrap());
    let (status, verdict) = call(address, "POST", &run, &report).await;
    assert_eq!((status, &verdict["passed"], &verdict["problems"]), (200, &json!(true), &json!([])), "{verdict}");
    let (status, _) = call(address, "POST", &run, &report).await;
    assert_eq!(status, 404, "a run is judged once");
}

#[tokio::test]
async fn a_wrong_report_is_refused_with_words() {
    let address = start().await;
    for (name, report, words) in [
        ("unknown-action", json!({ "outcomes": [] }), "the report has 0 outcomes, and there are 1 actions"),
        (
            "unknown-action",
            json!({ "outcomes": [{ "failed": { "code": "invalid-argument" } }] }),
            "the failure lacks class, message, remedy, retryable, retry_after, may_have_changed",
        ),
        ("unknown-action", json!({ "outcomes": [{ "failed": "no record" }] }), "failure is \"no record\", and not"),
        (
            "unknown-action",
            json!({ "outcomes": [{ "done": { "output": "{}", "summary": "s", "changed": false } }] }),
            "the action succeeded (s), but it should have failed with `invalid-argument`",
        ),
        (
            "unknown-action",
            json!({ "outcomes": ["dropped"], "log": "I know canary-client-secret" }),
            "the log shows a secret: client-secret",
        ),
        ("get-user", json!({ "outcomes": ["dropped"] }), "POST /v1/oauth/token was not sent"),
        (
            "get-user",
            json!({ "outcomes": [{ "done": { "output": "{", "summary": "", "changed": false } }] }),
            "the output is not a JSON document",
        ),
        (
            "suspend-user",
            json!({ "outcomes": [{ "done": { "output": "{}", "summary": "", "changed": false } }] }),
            "`changed` is false, and not true",
        ),
        ("retry-after-seconds", json!({ "outcomes": ["dropped"] }), "and not before 1000 ms"),
    ] {
        let (_, task) = call(address, "POST", &format!("/cases/{name}"), "").await;
        let run = format!("/runs/{}", task["run"].as_str().unwrap());
        let (status, verdict) = call(address, "POST", &run, &report.to_string()).await;
        assert_eq!((status, &verdict["passed"]), (200, &json!(false)), "{name}: {verdict}");
        let problems = verdict["problems"].as_array().unwrap();
        assert!(problems.iter().any(|problem| problem.as_str().unwrap().contains(words)), "{words}: {verdict}");
        assert!(!verdict.to_string().contains("canary"), "a verdict shows no secret: {verdict}");
    }
}

#[tokio::test]
async fn bad_requests_are_refused() {
    let address = start().await;
    let long = "x".repeat(3000);
    for (method, path, body, expected) in [
        ("GET", "/", "", 404),
        ("GET", "/cases/get-user", "", 405),
        ("DELETE", "/cases", "", 405),
        ("POST", "/cases/no-such-case", "", 404),
        ("POST", &format!("/cases/{long}"), "", 404),
        ("POST", "/runs/1", "", 400),
        ("POST", "/runs/1", "[[[[", 400),
        ("POST", "/runs/1", r#"{"outcomes":[{"done":{}}]}"#, 400),
        ("POST", "/runs/1", r#"{"outcomes":[],"extra":1}"#, 400),
        ("POST", "/runs/1", r#"{"outcomes":[]}"#, 404),
        ("POST", "/runs/-1", r#"{"outcomes":[]}"#, 404),
        ("POST", "/runs/99999999999999999999999", r#"{"outcomes":[]}"#, 404),
    ] {
        let (status, answer) = call(address, method, path, body).await;
        assert_eq!(status, expected, "{method} {path} {body}: {answer}");
        assert!(answer["error"].is_string(), "{answer}");
    }
    // Deep nesting ends in an error of the parser.
    let deep = format!(r#"{{"outcomes":[{{"failed":{}1{}}}]}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(call(address, "POST", "/runs/1", &deep).await.0, 400);
    // As many runs as there may be, and one more.
    for _ in 0..64 {
        assert_eq!(call(address, "POST", "/cases/get-user", "").await.0, 200);
    }
    assert_eq!(call(address, "POST", "/cases/get-user", "").await.0, 503);
    assert_eq!(call(address, "GET", "/cases", "").await.0, 200, "it goes on");
}

/// A service that is sent something else than HTTP says so, and goes on.
#[tokio::test]
async fn bad_bytes_to_the_service_are_a_problem_of_the_driver() {
    use onepassword_users_conformance::{Play, Report};

    let cases = cases().unwrap();
    let case = cases.iter().find(|case| case.name == "get-user").unwrap();
    for (bytes, words) in [
        (b"\0\x01\x02\xff".repeat(100), "a request is not HTTP/1.1"),
        (b"GET / HTTP/1.1\r\nX: y".to_vec(), "a request ends within its head"),
        ([b"GET / HTTP/1.1\r\nX: ".to_vec(), vec![b'x'; 100_000]].concat(), "a request has a head that is too long"),
        (b"POST /v1/oauth/token HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(), "has a body in chunks"),
        (b"POST /v1/oauth/token HTTP/1.1\r\nContent-Length: 9e9\r\n\r\n".to_vec(), "announces a length"),
        (b"POST /v1/oauth/token HTTP/1.1\r\nContent-Length: 5\r\n\r\nx".to_vec(), "ends within its body"),
        (b"GET /etc/passwd HTTP/1.1\r\n\r\n".to_vec(), "GET /etc/passwd is not expected at all"),
        (
            b"POST /v1/oauth/token HTTP/1.1\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n".to_vec(),
            "has the header authorization 2 times",
        ),
        (b"POST /v1/oauth/token HTTP/1.1\r\n\r\n".to_vec(), "lacks the header content-length"),
    ] {
        let play = Play::start(case).await.unwrap();
        let address = play.task().settings["base-url"].strip_prefix("http://").unwrap().to_owned();
        let mut stream = TcpStream::connect(address).await.unwrap();
        // It may close the connection at any time.
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
        let verdict = play.judge(&Report::default()).await;
        assert!(verdict.problems.iter().any(|problem| problem.contains(words)), "{words}: {:?}", verdict.problems);
    }
}
