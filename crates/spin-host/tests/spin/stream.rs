//! Lists one user a line: complete and in little memory, or visibly broken.

use std::collections::HashSet;
use std::time::Duration;

use onepassword_users_simulator::{Config, Fault, Operation};
use reqwest::Method;
use serde_json::Value;

use crate::harness::{Harness, READER, Setup, WENDY, is_clean};

/// The users of a list, and where it goes on. It ended as a whole one does.
async fn whole_stream(harness: &Harness, path: &str) -> (Vec<Value>, Value) {
    let (mut lines, clean) = lines(harness, path).await;
    assert!(clean);
    let mut end = lines.pop().unwrap();
    assert_eq!(end.as_object().unwrap().len(), 1, "{end}");
    (lines, end["next_page_token"].take())
}

/// The lines that came, and whether the stream ended cleanly.
async fn lines(harness: &Harness, path: &str) -> (Vec<Value>, bool) {
    let mut response = begin(harness, path).await;
    let (mut text, mut clean) = (Vec::new(), true);
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => text.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(_) => {
                clean = false;
                break;
            }
        }
    }
    let lines = String::from_utf8(text).unwrap();
    assert!(is_clean(&lines));
    assert!(lines.is_empty() || lines.ends_with('\n'), "the last line is whole");
    (lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), clean)
}

async fn begin(harness: &Harness, path: &str) -> reqwest::Response {
    let request = harness.request(Method::GET, path).bearer_auth(READER).header("accept", "application/x-ndjson");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    assert_eq!(response.headers()["cache-control"], "no-store");
    response
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_250_000_users_takes_little_memory() {
    let mut setup = Setup::with(Config { users: 250_000, ..Config::default() }).await;
    setup.memory = 48 * 1024 * 1024;
    let harness = setup.serve().await;
    let (lines, next) = whole_stream(&harness, "/v1/users").await;
    assert_eq!(next, Value::Null);
    let ids: HashSet<&str> = lines.iter().map(|user| user["id"].as_str().unwrap()).collect();
    assert_eq!((lines.len(), ids.len()), (250_000, 250_000), "each once");
    assert_eq!(harness.requests(), (251, 1));
    let log = harness.log();
    assert_eq!((log.len(), &log[0]["outcome"], &log[0]["users"]), (1, &"listed".into(), &250_000.into()));
    println!("the most memory of an instance: {} bytes", harness.server.peak_memory());
}

/// A whole list takes what its text takes, and one that is too long is no list.
#[tokio::test(flavor = "multi_thread")]
async fn a_whole_list_has_250_000_users_at_most() {
    let mut setup = Setup::with(Config { users: 250_000, ..Config::default() }).await;
    setup.memory = 160 * 1024 * 1024;
    let harness = setup.serve().await;
    let whole = harness.get("/v1/users").await;
    assert_eq!(whole.json["users"].as_array().unwrap().len(), 250_000);
    println!("the most memory of an instance: {} bytes", harness.server.peak_memory());

    let harness = Setup::with(Config { users: 250_001, ..Config::default() }).await.serve().await;
    let answer = harness.get("/v1/users").await;
    assert_eq!((answer.status, answer.code()), (422, "list-too-long"));
    assert!(answer.json["remedy"].as_str().unwrap().contains("application/x-ndjson"));
    let (users, next) = whole_stream(&harness, "/v1/users").await;
    assert_eq!((users.len(), next), (250_001, Value::Null), "but as a stream it is whole");
}

/// Readers who ask for whole lists and do not take them cannot fill the memory that others need.
#[tokio::test(flavor = "multi_thread")]
async fn lists_that_nobody_takes_do_not_fill_the_memory() {
    let setup = Setup::with(Config { users: 250_000, ..Config::default() }).await;
    let harness = setup.serve().await;
    let mut held = Vec::new();
    for _ in 0..6 {
        let response = harness.request(Method::GET, "/v1/users").bearer_auth(READER).send().await.unwrap();
        assert!([200, 503].contains(&response.status().as_u16()), "{}", response.status());
        held.push(response);
    }
    assert_eq!(harness.get(&format!("/v1/users/{WENDY}")).await.status, 200, "others are served");
    assert!(harness.server.peak_memory() < 320 * 1024 * 1024, "{} bytes", harness.server.peak_memory());
    let busy = held.pop().unwrap();
    assert_eq!(busy.status(), 503, "the last had to wait");
    assert!(busy.text().await.unwrap().contains(r#""code":"busy""#));
    drop(held);
    for _ in 0..100 {
        if harness.get("/v1/users").await.status == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("what nobody took was not given back");
}

#[tokio::test]
async fn a_stream_is_the_same_list() {
    let harness = Setup::with(Config { users: 2500, ..Config::default() }).await.serve().await;
    let whole = harness.get("/v1/users").await.json;
    let (stream, next) = whole_stream(&harness, "/v1/users").await;
    assert_eq!((Value::from(stream), next), (whole["users"].clone(), Value::Null));

    let (stream, _) = whole_stream(&harness, "/v1/users?state=suspended").await;
    assert!(!stream.is_empty() && stream.iter().all(|user| user["state"] == "suspended"));

    // With a limit the last line tells where to go on, if there is more.
    let (mut stream, next) = whole_stream(&harness, "/v1/users?limit=1500").await;
    let token = next.as_str().unwrap();
    let (rest, next) = whole_stream(&harness, &format!("/v1/users?limit=1500&page_token={token}")).await;
    assert_eq!((stream.len(), rest.len(), next), (1500, 1000, Value::Null));
    stream.extend(rest);
    assert_eq!(Value::from(stream), whole["users"]);
}

/// What fails half-way says so in its last line, and never ends as a whole list does.
#[tokio::test]
async fn a_failure_half_way_is_the_last_line_of_a_broken_stream() {
    let harness = Setup::with(Config { users: 2500, ..Config::default() }).await.serve().await;
    let pass = || Fault::Delay(Duration::ZERO);
    for (fault, code) in [
        (Fault::reply(500, r#"{"code":13,"message":"internal","details":[]}"#), "unavailable"),
        (Fault::reply(200, r#"{"users":[]}"#), "invalid-response"),
        (Fault::Close, "unavailable"),
    ] {
        for passes in [1, 2] {
            for _ in 0..passes {
                harness.simulator.inject(Operation::List, pass());
            }
            harness.simulator.inject(Operation::List, fault.clone());
            let (mut stream, clean) = lines(&harness, "/v1/users").await;
            assert!(!clean, "it must not look whole");
            let last = stream.pop().unwrap();
            assert_eq!(last["error"]["code"], code, "{last}");
            assert_eq!(stream.len(), 1000 * passes);
            assert!(stream.iter().all(|user| user["id"].is_string()));
            let log = harness.log();
            assert_eq!((log.len(), &log[0]["outcome"]), (1, &code.into()));
            assert_eq!(log[0]["users"], 1000 * passes);
        }
    }
}

/// An instance that runs out of memory half-way may end its streams as if they were complete: their last line is missing.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_instance_dies_has_no_last_line() {
    let mut setup = Setup::with(Config { users: 250_000, ..Config::default() }).await;
    setup.memory = 8 * 1024 * 1024;
    let harness = setup.serve().await;
    let (lines, _) = lines(&harness, "/v1/users").await;
    assert!(!lines.is_empty() && lines.len() < 250_000, "{}", lines.len());
    assert!(lines.iter().all(|line| line["id"].is_string()), "nothing says that it is whole");
}

#[tokio::test]
async fn what_fails_at_once_has_a_status() {
    let harness = Harness::new().await;
    harness.simulator.inject(Operation::List, Fault::reply(403, r#"{"code":7,"message":"no","details":[]}"#));
    let request =
        harness.request(Method::GET, "/v1/users").bearer_auth(READER).header("accept", "application/x-ndjson");
    let answer = crate::harness::Answer::of(request).await;
    assert_eq!((answer.status, answer.code()), (403, "permission-denied"));
}

#[tokio::test]
async fn whoever_leaves_half_way_leaves_nothing_running() {
    let harness = Setup::with(Config { users: 50_000, ..Config::default() }).await.serve().await;
    let mut response = begin(&harness, "/v1/users").await;
    response.chunk().await.unwrap().unwrap();
    drop(response);
    let mut log = Vec::new();
    for _ in 0..100 {
        log = harness.log();
        if !log.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(log[0]["outcome"], "abandoned", "{log:?}");
    let (requests, _) = harness.requests();
    assert!(requests < 51, "{requests} requests");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(harness.requests().0, 0);
    assert_eq!(harness.get(&format!("/v1/users/{WENDY}")).await.status, 200, "and the next is served");
}
