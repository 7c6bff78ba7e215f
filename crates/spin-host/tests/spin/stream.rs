//! Lists as a stream of one user per line: complete and in little memory, or visibly broken.

use std::collections::HashSet;
use std::time::Duration;

use onepassword_users_simulator::{Config, Fault, Operation};
use reqwest::Method;
use serde_json::Value;

use crate::harness::{Harness, READER, Response, Setup, WENDY, is_clean, service_of_long_names};

/// Reads a complete stream, and returns its users and its page token.
async fn complete_stream(harness: &Harness, path: &str) -> (Vec<Value>, Value) {
    let (mut lines, is_clean_end) = lines(harness, path).await;
    assert!(is_clean_end);
    let mut end = lines.pop().unwrap();
    assert_eq!(end.as_object().unwrap().len(), 1, "{end}");
    (lines, end["next_page_token"].take())
}

/// Reads a stream, and returns its lines and whether it ended cleanly.
async fn lines(harness: &Harness, path: &str) -> (Vec<Value>, bool) {
    let mut response = start(harness, path).await;
    let (mut text, mut is_clean_end) = (Vec::new(), true);
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => text.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(_) => {
                is_clean_end = false;
                break;
            }
        }
    }
    let lines = String::from_utf8(text).unwrap();
    assert!(is_clean(&lines));
    assert!(lines.is_empty() || lines.ends_with('\n'), "the last line is complete");
    (lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), is_clean_end)
}

/// Requests a stream, and checks the head of the response.
async fn start(harness: &Harness, path: &str) -> reqwest::Response {
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
    setup.max_memory = 48 * 1024 * 1024;
    let harness = setup.serve().await;
    let (lines, next) = complete_stream(&harness, "/v1/users").await;
    assert_eq!(next, Value::Null);
    let ids: HashSet<&str> = lines.iter().map(|user| user["id"].as_str().unwrap()).collect();
    assert_eq!((lines.len(), ids.len()), (250_000, 250_000), "every user once");
    assert_eq!(harness.requests(), (251, 1));
    let log = harness.log();
    assert_eq!((log.len(), &log[0]["outcome"], &log[0]["users"]), (1, &"listed".into(), &250_000.into()));
    println!("peak memory of an instance: {} bytes", harness.server.peak_memory());
}

/// A list in one response is bounded. A longer one must be streamed.
#[tokio::test(flavor = "multi_thread")]
async fn row_71_a_json_list_has_at_most_50_000_users() {
    let mut setup = Setup::with(Config { users: 50_000, ..Config::default() }).await;
    setup.max_memory = 40 * 1024 * 1024;
    let harness = setup.serve().await;
    let list = harness.get("/v1/users").await;
    assert_eq!(list.json["users"].as_array().unwrap().len(), 50_000);
    println!("peak memory of an instance: {} bytes", harness.server.peak_memory());

    let harness = Setup::with(Config { users: 250_001, ..Config::default() }).await.serve().await;
    let response = harness.get("/v1/users").await;
    assert_eq!((response.status, response.code()), (422, "too-many-users"));
    assert!(response.json["remedy"].as_str().unwrap().contains("application/x-ndjson"));
    assert_eq!(harness.requests().0, 52, "it reads no further than it must");
    let (users, next) = complete_stream(&harness, "/v1/users").await;
    assert_eq!((users.len(), next), (250_001, Value::Null), "the stream is complete");
    // A list of parts has all users as well.
    let part = harness.get("/v1/users?limit=50000").await;
    assert_eq!(part.json["users"].as_array().unwrap().len(), 50_000);
    assert!(part.json["next_page_token"].is_string());
}

/// Eight whole lists at once, as many as an instance may get.
#[tokio::test(flavor = "multi_thread")]
async fn row_71_eight_whole_lists_at_once_stay_within_the_sizing_rule() {
    let harness = Setup::with(Config { users: 50_000, ..Config::default() }).await.serve().await;
    let lists = futures::future::join_all((0..8).map(|_| harness.get("/v1/users"))).await;
    assert!(lists.iter().all(|list| list.status == 200), "{:?}", lists.iter().map(Response::code).collect::<Vec<_>>());
    let (instances, peak) = (harness.server.instances(), harness.server.peak_memory());
    println!("{instances} instances, peak memory of an instance: {peak} bytes");
    assert!(peak < 200 * 1024 * 1024, "{peak} bytes");
}

/// Clients that request long lists and do not read them cannot exhaust the memory of an instance.
#[tokio::test(flavor = "multi_thread")]
async fn unread_lists_do_not_exhaust_the_memory() {
    let harness = Setup::new().await.set("base_url", &service_of_long_names().await).serve().await;
    let mut unread = Vec::new();
    for _ in 0..10 {
        let response = harness.request(Method::GET, "/v1/users").bearer_auth(READER).send().await.unwrap();
        assert!([200, 503].contains(&response.status().as_u16()), "{}", response.status());
        unread.push(response);
    }
    assert_eq!(harness.get("/v1/users/A").await.status, 200, "other requests are served");
    assert!(harness.server.peak_memory() < 320 * 1024 * 1024, "{} bytes", harness.server.peak_memory());
    let busy = unread.pop().unwrap();
    assert_eq!(busy.status(), 503, "the last is refused");
    assert!(busy.text().await.unwrap().contains(r#""code":"busy""#));
    drop(unread);
    for _ in 0..100 {
        if harness.get("/v1/users").await.status == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the memory of unread lists was not released");
}

#[tokio::test]
async fn a_stream_equals_the_json_list() {
    let harness = Setup::with(Config { users: 2500, ..Config::default() }).await.serve().await;
    let list = harness.get("/v1/users").await.json;
    let (stream, next) = complete_stream(&harness, "/v1/users").await;
    assert_eq!((Value::from(stream), next), (list["users"].clone(), Value::Null));

    let (stream, _) = complete_stream(&harness, "/v1/users?state=suspended").await;
    assert!(!stream.is_empty() && stream.iter().all(|user| user["state"] == "suspended"));

    // With a limit, the last line has the page token if there are more users.
    let (mut stream, next) = complete_stream(&harness, "/v1/users?limit=1500").await;
    let token = next.as_str().unwrap();
    let (rest, next) = complete_stream(&harness, &format!("/v1/users?limit=1500&page_token={token}")).await;
    assert_eq!((stream.len(), rest.len(), next), (1500, 1000, Value::Null));
    stream.extend(rest);
    assert_eq!(Value::from(stream), list["users"]);
}

/// The last line is the error, and the connection does not end cleanly.
#[tokio::test]
async fn a_stream_that_fails_half_way_ends_with_the_error() {
    let harness = Setup::with(Config { users: 2500, ..Config::default() }).await.serve().await;
    let no_fault = || Fault::Delay(Duration::ZERO);
    for (fault, code) in [
        (Fault::reply(500, r#"{"code":13,"message":"internal","details":[]}"#), "unavailable"),
        (Fault::reply(200, r#"{"users":[]}"#), "invalid-response"),
        (Fault::Close, "unavailable"),
    ] {
        for pages in [1, 2] {
            for _ in 0..pages {
                harness.simulator.inject(Operation::List, no_fault());
            }
            harness.simulator.inject(Operation::List, fault.clone());
            let (mut stream, is_clean_end) = lines(&harness, "/v1/users").await;
            assert!(!is_clean_end, "it must not look complete");
            let last = stream.pop().unwrap();
            assert_eq!(last["error"]["code"], code, "{last}");
            assert_eq!(stream.len(), 1000 * pages);
            assert!(stream.iter().all(|user| user["id"].is_string()));
            let log = harness.log();
            assert_eq!((log.len(), &log[0]["outcome"]), (1, &code.into()));
            assert_eq!(log[0]["status"], 200, "row 74: the status is what was sent");
            assert_eq!(log[0]["users"], 1000 * pages);
        }
    }
}

/// An instance that runs out of memory may end its streams cleanly. Only the missing last line shows that they are incomplete.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_a_failed_instance_has_no_last_line() {
    let mut setup = Setup::with(Config { users: 250_000, ..Config::default() }).await;
    setup.max_memory = 8 * 1024 * 1024;
    let harness = setup.serve().await;
    let (lines, _) = lines(&harness, "/v1/users").await;
    assert!(!lines.is_empty() && lines.len() < 250_000, "{}", lines.len());
    assert!(lines.iter().all(|line| line["id"].is_string()), "no line marks it as complete");
}

#[tokio::test]
async fn a_stream_that_fails_at_once_has_an_error_status() {
    let harness = Harness::new().await;
    harness.simulator.inject(Operation::List, Fault::reply(403, r#"{"code":7,"message":"no","details":[]}"#));
    let request =
        harness.request(Method::GET, "/v1/users").bearer_auth(READER).header("accept", "application/x-ndjson");
    let response = crate::harness::Response::of(request).await;
    assert_eq!((response.status, response.code()), (403, "permission-denied"));
}

#[tokio::test]
async fn a_cancelled_stream_stops_the_action() {
    let harness = Setup::with(Config { users: 50_000, ..Config::default() }).await.serve().await;
    let mut response = start(&harness, "/v1/users").await;
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
    assert_eq!(harness.get(&format!("/v1/users/{WENDY}")).await.status, 200, "the next request is served");
}
