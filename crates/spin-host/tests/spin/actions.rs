//! Every route, without faults.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Harness, RESPONDER, Response, WENDY};

fn emails(list: &Value) -> Vec<&str> {
    list["users"].as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn users_are_listed_at_once_or_by_page_token() {
    let harness = Harness::new().await;
    let all = harness.get("/v1/users").await;
    assert_eq!((all.status, emails(&all.json).len()), (200, 60));
    assert_eq!(all.json["next_page_token"], Value::Null);

    let (mut parts, mut path) = (Vec::new(), String::from("/v1/users?limit=25"));
    loop {
        let part = harness.get(&path).await.json;
        parts.extend(emails(&part).into_iter().map(ToOwned::to_owned));
        let Some(token) = part["next_page_token"].as_str() else { break };
        path = format!("/v1/users?page_token={token}&limit=25");
    }
    assert_eq!(parts, emails(&all.json));

    for state in ["active", "suspended"] {
        let some = harness.get(&format!("/v1/users?state={state}")).await.json;
        let users = some["users"].as_array().unwrap();
        assert!(!users.is_empty() && users.iter().all(|user| user["state"] == state), "{state}");
    }
}

#[tokio::test]
async fn a_user_is_found_by_id_or_email() {
    let harness = Harness::new().await;
    let id = harness.id(WENDY);
    let by_id = harness.get(&format!("/v1/users/{id}")).await;
    assert_eq!((by_id.status, &by_id.json["email"], &by_id.json["state"]), (200, &json!(WENDY), &json!("active")));
    for address in [WENDY, "Wendy.Appleseed@EXAMPLE.com", "wendy.appleseed%40example.com"] {
        assert_eq!(harness.get(&format!("/v1/users/{address}")).await.json, by_id.json);
    }
    let members: Vec<&String> = by_id.json.as_object().unwrap().keys().collect();
    assert_eq!(members, ["id", "email", "display_name", "state", "create_time", "path"]);
}

#[tokio::test]
async fn suspend_and_reactivate_report_the_outcome() {
    let harness = Harness::new().await;
    for (verb, state) in [("suspend", "SUSPENDED"), ("reactivate", "ACTIVE")] {
        let path = format!("/v1/users/{WENDY}:{verb}");
        let before = harness.state(WENDY);
        let dry = harness.post(&path, r#"{"dry_run":true}"#).await;
        assert_eq!((dry.status, &dry.json["change"]), (200, &json!("would-change")));
        assert_eq!(harness.state(WENDY), before);
        for (body, change) in [("", "changed"), ("{}", "already"), (r#"{"dry_run":false}"#, "already")] {
            let response = harness.post(&path, body).await;
            assert_eq!((response.status, &response.json["change"]), (200, &json!(change)));
            assert_eq!(response.json["user"]["email"], WENDY);
            assert_eq!(response.json["user"]["state"].as_str().unwrap().to_uppercase(), state);
            assert_eq!(harness.state(WENDY), state);
        }
    }
    let by_id = harness.post(&format!("/v1/users/{}:suspend", harness.id(WENDY)), "").await;
    assert_eq!(by_id.json["change"], "changed");
}

#[tokio::test]
async fn the_test_route_obtains_a_new_token_and_lists_one_user() {
    let harness = Harness::new().await;
    harness.get("/v1/users?limit=1").await;
    harness.requests();
    let response = harness.post("/v1/test", "").await;
    assert_eq!((response.status, &response.json["ok"]), (200, &json!(true)));
    assert_eq!(response.json["checks"].as_array().unwrap().len(), 4);
    assert_eq!(harness.requests(), (2, 1), "a new token in spite of the cached one, and a page");
}

#[tokio::test]
async fn the_served_description_matches_the_repository() {
    let harness = Harness::new().await;
    let response = harness.get("/openapi.json").await;
    let own: Value = serde_json::from_str(include_str!("../../../../spin/openapi.json")).unwrap();
    assert_eq!(response.json, own);
}

#[tokio::test]
async fn the_health_route_needs_no_key_and_sends_no_request() {
    let harness = Harness::new().await;
    let response = Response::of(harness.request(Method::GET, "/healthz")).await;
    assert_eq!((response.status, response.json), (200, json!({ "status": "ok" })));
    assert_eq!(harness.requests(), (0, 0));
}

#[tokio::test]
async fn every_request_writes_one_log_line() {
    let harness = Harness::new().await;
    let id = harness.id(WENDY);
    harness.get("/v1/users?limit=7").await;
    harness.post(&format!("/v1/users/{WENDY}:suspend"), r#"{"dry_run":true}"#).await;
    harness.post(&format!("/v1/users/{id}:suspend"), "").await;
    harness.get("/v1/users/NOBODY").await;
    Response::of(harness.request(Method::GET, "/v1/users").bearer_auth("wrong")).await;
    Response::of(harness.request(Method::GET, "/healthz")).await;
    Response::of(harness.request(Method::POST, "/v1/users/a%0d%0ab:suspend").bearer_auth(RESPONDER)).await;

    let mut lines = harness.log();
    for line in &mut lines {
        let line = line.as_object_mut().unwrap();
        let time = line.remove("time").unwrap();
        let time = time.as_str().unwrap();
        assert!(time.len() == 24 && time.starts_with("20") && time.ends_with('Z'), "{time}");
        assert!(line.remove("milliseconds").unwrap().is_u64());
        // Without a key, nothing of the request is logged.
        let request = line.remove("request");
        assert_eq!(request.is_none(), line["outcome"] == "unauthorized");
        assert!(!request.is_some_and(|request| request.as_str().unwrap().contains('?')), "the query is not logged");
        line.remove("problem");
    }
    assert_eq!(
        lines,
        [
            json!({ "key": "soc", "action": "list-users", "outcome": "listed", "users": 7, "status": 200 }),
            json!({
                "key": "ir", "action": "suspend-user", "user": WENDY, "user_id": id, "dry_run": true,
                "outcome": "would-change", "status": 200
            }),
            json!({
                "key": "ir", "action": "suspend-user", "user": id, "user_id": id, "outcome": "changed", "status": 200
            }),
            json!({ "key": "soc", "action": "get-user", "user": "NOBODY", "outcome": "user-not-found", "status": 404 }),
            json!({ "outcome": "unauthorized", "status": 401 }),
            json!({ "action": "health", "outcome": "ok", "status": 200 }),
            json!({
                "key": "ir", "action": "suspend-user", "user": "a\r\nb", "outcome": "invalid-argument", "status": 400
            }),
        ]
    );
}
