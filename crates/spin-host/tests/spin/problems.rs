//! Every error: its status, its code and its members.

use std::time::Duration;

use onepassword_users_simulator::{Config, Fault, Operation};
use onepassword_users_spin_host::Failure;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Harness, RESPONDER, Response, Setup, WENDY};

fn summary(response: &Response) -> (u16, &str, &Value) {
    (response.status, response.code(), &response.json["retryable"])
}

const NO: &Value = &Value::Bool(false);
const YES: &Value = &Value::Bool(true);

#[tokio::test]
async fn invalid_arguments() {
    let harness = Harness::new().await;
    for (path, argument) in [
        ("/v1/users?state=Active", "state"),
        ("/v1/users?limit=0", "limit"),
        ("/v1/users?limit=250001", "limit"),
        ("/v1/users?page_token=", "page_token"),
        ("/v1/users?page_token=invented", "page_token"),
        ("/v1/users?page_token=MS41MDJkMGRmNTFmOTFkYmU0", "page_token"),
        ("/v1/users/a%2Fb", "user"),
        ("/v1/users/a%20b@example.com", "user"),
        ("/v1/users/%ff", "user"),
    ] {
        let response = harness.get(path).await;
        assert_eq!(summary(&response), (400, "invalid-argument", NO), "{path}");
        assert_eq!(response.subject(), ("argument", argument), "{path}");
    }
    assert_eq!(harness.requests(), (0, 0), "nothing was sent");
}

/// A page token that 1Password does not accept any more, and one of a list with another filter.
#[tokio::test]
async fn refused_page_tokens() {
    let harness = Harness::new().await;
    let list = harness.get("/v1/users?limit=5").await;
    let path = format!("/v1/users?limit=5&page_token={}", list.json["next_page_token"].as_str().unwrap());
    assert_eq!(harness.get(&path).await.status, 200);
    let response = harness.get(&format!("{path}&state=active")).await;
    assert_eq!((summary(&response), response.subject()), ((400, "invalid-argument", NO), ("argument", "page_token")));

    let page = Setup::with(Config { users: 250, ..Config::default() }).await.serve().await;
    let list = page.get("/v1/users?limit=100").await;
    page.simulator.inject(Operation::List, Fault::reply(400, r#"{"code":3,"message":"expired","details":[]}"#));
    let path = format!("/v1/users?page_token={}", list.json["next_page_token"].as_str().unwrap());
    let response = page.get(&path).await;
    assert_eq!((summary(&response), response.subject()), ((400, "page-token-refused", NO), ("argument", "page_token")));
    assert_eq!(response.json["service"], json!({ "status": 400, "code": "3", "message": "expired" }));
}

#[tokio::test]
async fn unknown_routes_methods_and_bodies() {
    let harness = Harness::new().await;
    let suspend = format!("/v1/users/{WENDY}:suspend");
    for (path, status, code) in [
        ("/", 404, "not-found"),
        ("/v1/users/a/b", 404, "not-found"),
        ("/v1/users?surprise=1", 400, "unknown-parameter"),
        ("/v1/users/A?limit=1", 400, "unknown-parameter"),
        ("/healthz?x", 400, "unknown-parameter"),
        (&suspend, 405, "method-not-allowed"),
        ("/v1/test", 405, "method-not-allowed"),
    ] {
        let response = harness.get(path).await;
        assert_eq!(summary(&response), (status, code, NO), "{path}");
        assert_eq!(response.header("allow"), if status == 405 { "POST" } else { "" });
    }
    for path in [format!("/v1/users/{WENDY}:Suspend"), format!("/v1/users/{WENDY}/suspend")] {
        let response = harness.post(&path, "").await;
        assert!(response.json["remedy"].as_str().unwrap().contains("POST /v1/users/{user}:suspend"), "{response:?}");
    }
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
        let response = Response::of(harness.request(method, "/v1/users").bearer_auth(RESPONDER)).await;
        assert_eq!((summary(&response), response.header("allow")), ((405, "method-not-allowed", NO), "GET, HEAD"));
    }
    let post = |content_type: &str, body: String| {
        let request = harness.request(Method::POST, &suspend).bearer_auth(RESPONDER);
        Response::of(request.header("content-type", content_type).body(body))
    };
    let json = "application/json";
    for (content_type, body, status, code) in [
        ("text/plain", "{}".to_owned(), 415, "unsupported-media-type"),
        (json, "{".into(), 400, "malformed-json"),
        (json, r#"{"dry_run":"yes"}"#.into(), 400, "invalid-body"),
        (json, r#"{"dryrun":true}"#.into(), 400, "invalid-body"),
        (json, "[]".into(), 400, "invalid-body"),
        (json, r#"{"dry_run":true,"dry_run":false}"#.into(), 400, "invalid-body"),
        (json, " ".repeat(64 * 1024), 400, "malformed-json"),
        (json, " ".repeat(64 * 1024 + 1), 413, "content-too-large"),
        (json, " ".repeat(4 * 1024 * 1024), 413, "content-too-large"),
    ] {
        let length = body.len();
        let response = post(content_type, body).await;
        assert_eq!(summary(&response), (status, code, NO), "{content_type}, {length} bytes");
    }
    assert_eq!(harness.state(WENDY), "ACTIVE");

    let find = |count: usize, user: &str| format!(r#"{{"users":[{}]}}"#, vec![user; count].join(","));
    for (body, status, code) in [
        (String::new(), 400, "invalid-body"),
        (r#"{"users":[{"id":null}]}"#.into(), 400, "invalid-body"),
        (r#"{"users":[],"more":1}"#.into(), 400, "invalid-body"),
        (find(1001, r#""A""#), 400, "invalid-argument"),
        (find(600_000, "1").replace('1', r#""""#), 400, "invalid-argument"),
        (" ".repeat(2 * 1024 * 1024), 400, "malformed-json"),
        (" ".repeat(2 * 1024 * 1024 + 1), 413, "content-too-large"),
    ] {
        let length = body.len();
        let response = harness.post("/v1/users:find", &body).await;
        assert_eq!(summary(&response), (status, code, NO), "{length} bytes");
        if code == "invalid-argument" {
            assert_eq!(response.subject(), ("argument", "users"));
        }
    }
    assert_eq!(harness.requests(), (0, 0), "nothing was sent");
}

/// The application stops waiting, and changes nothing.
#[tokio::test]
async fn an_incomplete_body_is_refused() {
    let harness = Harness::new().await;
    let partial = format!(
        "POST /v1/users/{WENDY}:suspend HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {RESPONDER}\r\n\
         content-type: application/json\r\ncontent-length: 16\r\n\r\n{{\"dry_run\""
    );
    let mut slow = TcpStream::connect(harness.server.url().trim_start_matches("http://")).await.unwrap();
    slow.write_all(partial.as_bytes()).await.unwrap();
    let mut head = [0; 32];
    let read = tokio::time::timeout(Duration::from_secs(30), slow.read_exact(&mut head)).await;
    read.expect("a response in time").unwrap();
    assert!(head.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&head));

    let mut broken = TcpStream::connect(harness.server.url().trim_start_matches("http://")).await.unwrap();
    broken.write_all(partial.as_bytes()).await.unwrap();
    broken.shutdown().await.unwrap();
    let mut response = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(30), broken.read_to_end(&mut response)).await;
    ended.expect("the connection closes in time").unwrap_or_default();
    assert!(response.is_empty() || response.starts_with(b"HTTP/1.1 400 "), "{}", String::from_utf8_lossy(&response));
    assert_eq!(harness.state(WENDY), "ACTIVE");
    assert_eq!(harness.requests(), (0, 0));
    assert_eq!(harness.get("/v1/users?limit=1").await.status, 200, "the next request is served");
}

#[tokio::test]
async fn missing_and_ambiguous_users() {
    let harness = Harness::new().await;
    for user in ["NOBODY", "nobody@example.com"] {
        assert_eq!(summary(&harness.get(&format!("/v1/users/{user}")).await), (404, "user-not-found", NO));
        assert_eq!(summary(&harness.post(&format!("/v1/users/{user}:suspend"), "").await), (404, "user-not-found", NO));
    }
    let response = harness.post("/v1/users/helpdesk@example.com:suspend", "").await;
    assert_eq!(summary(&response), (409, "ambiguous-user", NO));
    assert_eq!(response.json["candidates"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn users_who_cannot_be_suspended() {
    let harness = Harness::new().await;
    let response = harness.post("/v1/users/margaret.okafor@example.com:suspend", "").await;
    assert_eq!(summary(&response), (409, "last-owner", NO));
    assert_eq!(response.json["service"], json!({ "status": 403, "code": "7", "message": "no_owner_remain" }));
    let words = r#"{"code":7,"message":"user_externally_managed","details":[]}"#;
    harness.simulator.inject(Operation::Suspend, Fault::reply(403, words));
    let response = harness.post(&format!("/v1/users/{WENDY}:suspend"), "").await;
    assert_eq!(summary(&response), (409, "externally-managed", NO));
    let log = harness.log();
    let last = log.last().unwrap();
    assert_eq!(last["outcome"], "externally-managed");
    assert_eq!(last["key"], "ir");
}

#[tokio::test]
async fn wrong_settings_are_named() {
    for (name, value, code) in [
        ("account_id", "nonsense", "misconfigured"),
        ("api_version", "v2", "misconfigured"),
        ("timeout", "soon", "misconfigured"),
        ("deadline", "0", "misconfigured"),
        ("max_attempts", "11", "misconfigured"),
        ("user_agent", "no version", "misconfigured"),
        ("client_id", "a:b", "misconfigured"),
        ("client_secret", " ", "misconfigured"),
        ("client_secret", "wrong-canary-secret", "unauthenticated"),
    ] {
        let harness = Setup::new().await.set(name, value).serve().await;
        for path in ["/v1/test", "/v1/users/A:suspend"] {
            let response = harness.post(path, "").await;
            assert_eq!(summary(&response), (503, code, NO), "{name}");
            let (kind, named) = response.subject();
            assert_eq!(kind, if name.starts_with("client_") { "secret" } else { "setting" }, "{name}");
            assert!(
                !response.json.to_string().contains(&name.replace('_', "-")) || !name.contains('_'),
                "{response:?}"
            );
            assert_eq!(named, if code == "unauthenticated" { "client_secret" } else { name });
            assert_eq!(response.header("retry-after"), "");
        }
    }
}

/// The provider of a setting or of a secret fails or hangs.
#[tokio::test]
async fn unreadable_settings() {
    for name in ["account_id", "client_secret"] {
        for failure in [Failure::Refuses("the vault is sealed".into()), Failure::Hangs] {
            let mut setup = Setup::new().await;
            setup.failures = [(name.to_owned(), failure)].into();
            let harness = setup.serve().await;
            let (one, other) = tokio::join!(harness.get("/v1/users"), harness.get("/v1/users"));
            for response in [one, other] {
                assert_eq!(summary(&response), (503, "unavailable", YES), "{name}");
                assert_eq!(response.subject().1, name);
                assert!(response.json["detail"].as_str().unwrap().contains(name), "{response:?}");
            }
            assert_eq!(harness.requests(), (0, 0));
        }
    }
}

/// A 400 of the service is the caller's fault only if it concerns an argument of the caller.
#[tokio::test]
async fn bad_requests_that_are_not_the_callers_fault() {
    // Small pages, so that the second request has a page token.
    let harness = Setup::with(Config { users: 60, page_size: 25, ..Config::default() }).await.serve().await;
    let refuse = |operation, body| harness.simulator.inject(operation, Fault::reply(400, body));
    refuse(Operation::Token, r#"{"error":"invalid_scope"}"#);
    assert_eq!(summary(&harness.get("/v1/users").await), (502, "other", NO));
    harness.simulator.inject(Operation::List, Fault::Delay(Duration::ZERO));
    refuse(Operation::List, r#"{"code":3,"message":"no","details":[]}"#);
    let response = harness.get("/v1/users?limit=60").await;
    assert_eq!(summary(&response), (502, "other", NO), "a page token of the service itself");
    assert_eq!(response.json["subject"], Value::Null);
    harness.simulator.inject(Operation::List, Fault::Delay(Duration::ZERO));
    refuse(Operation::List, r#"{"code":3,"message":"no","details":[]}"#);
    assert_eq!(summary(&harness.get(&format!("/v1/users/{WENDY}")).await), (502, "other", NO), "a search");
    refuse(Operation::Suspend, r#"{"code":3,"message":"no","details":[]}"#);
    assert_eq!(summary(&harness.post(&format!("/v1/users/{WENDY}:suspend"), "").await), (502, "other", NO));
}

#[tokio::test]
async fn a_missing_permission() {
    let mut setup = Setup::new().await;
    let application = setup.simulator.add_application(&[Operation::Get, Operation::List]);
    setup = setup.set("client_id", &application.client_id).set("client_secret", &application.client_secret);
    let harness = setup.serve().await;
    let response = harness.post(&format!("/v1/users/{WENDY}:suspend"), "").await;
    assert_eq!(summary(&response), (403, "permission-denied", NO));
    assert!(response.json["remedy"].as_str().unwrap().contains("suspend users"));
}

#[tokio::test]
async fn unavailable_and_rate_limiting_services() {
    let harness = Setup::new().await.set("base_url", "http://127.0.0.1:9").serve().await;
    let response = harness.get("/v1/users").await;
    assert_eq!(summary(&response), (503, "unavailable", YES));
    assert_eq!(response.header("retry-after"), "", "the service gave no time");

    let harness = Harness::new().await;
    let body = r#"{"code":8,"message":"slow down","details":[]}"#.to_owned();
    for (status, code) in [(429, "rate-limited"), (503, "unavailable")] {
        let headers = vec![("retry-after".into(), "7".into())];
        harness.simulator.inject(Operation::List, Fault::Reply { status, headers, body: body.clone() });
        let response = harness.get("/v1/users").await;
        assert_eq!(summary(&response), (503, code, YES));
        assert_eq!((response.header("retry-after"), &response.json["retry_after"]), ("7", &json!(7)));
        assert_eq!(response.json["service"]["status"], status);
    }
    harness.simulator.inject(Operation::Get, Fault::Close);
    assert_eq!(summary(&harness.get("/v1/users/A").await), (503, "unavailable", YES));
    harness.simulator.inject(Operation::Suspend, Fault::reply(409, r#"{"code":6,"message":"exists","details":[]}"#));
    assert_eq!(summary(&harness.post(&format!("/v1/users/{WENDY}:suspend"), "").await), (502, "other", NO));
}

#[tokio::test]
async fn slow_services() {
    // The idle timeout, and the deadline of the action.
    for (name, words) in [("timeout", "did not answer in time"), ("deadline", "not done within its deadline of 1 s")] {
        let harness = Setup::new().await.set(name, "1").serve().await;
        harness.simulator.inject(Operation::List, Fault::Delay(Duration::from_secs(10)));
        let start = std::time::Instant::now();
        let response = harness.get("/v1/users?limit=1").await;
        assert_eq!(summary(&response), (504, "unavailable", YES), "{name}");
        assert!(response.json["detail"].as_str().unwrap().contains(words), "{response:?}");
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn invalid_responses() {
    let harness = Harness::new().await;
    for body in [r#"{"users":[]}"#, "<html>", "[]", ""] {
        harness.simulator.inject(Operation::List, Fault::reply(200, body));
        let response = harness.get("/v1/users").await;
        assert_eq!(summary(&response), (502, "invalid-response", NO), "{body}");
    }
    harness.simulator.inject(Operation::Suspend, Fault::reply(200, r#"{"id":"SOMEBODYELSE","state":"SUSPENDED"}"#));
    let response = harness.post(&format!("/v1/users/{WENDY}:suspend"), "").await;
    assert_eq!(summary(&response), (502, "invalid-response", NO));
    assert_eq!(response.json["may_have_changed"], true);
    assert_eq!(harness.log().last().unwrap()["may_have_changed"], true, "it is logged, too");
}

#[tokio::test]
async fn an_uncertain_change_is_reported() {
    let harness = Harness::new().await;
    harness.simulator.inject(Operation::Suspend, Fault::Lose);
    let response = harness.post(&format!("/v1/users/{WENDY}:suspend"), "").await;
    assert_eq!((response.status, &response.json["outcome"]), (200, &json!("changed")), "the user is read back");

    harness.simulator.inject(Operation::Reactivate, Fault::Lose);
    harness.simulator.inject(Operation::Get, Fault::Delay(Duration::ZERO));
    harness.simulator.inject(Operation::Get, Fault::Close);
    let response = harness.post(&format!("/v1/users/{}:reactivate", harness.id(WENDY)), "").await;
    assert_eq!(summary(&response), (503, "unavailable", YES));
    assert_eq!(response.json["may_have_changed"], true);
}

#[tokio::test]
async fn only_allowed_hosts_are_reached() {
    let mut setup = Setup::new().await;
    setup.manifest.component_mut().allowed_outbound_hosts = vec!["https://api.1password.com".into()];
    let harness = setup.serve().await;
    let response = harness.get("/v1/users").await;
    assert_eq!(summary(&response), (503, "misconfigured", NO));
    assert_eq!(response.subject(), ("setting", "base_url"));
    assert!(response.json["detail"].as_str().unwrap().contains("does not allow"), "{response:?}");
    assert_eq!(harness.requests(), (0, 0));
}
