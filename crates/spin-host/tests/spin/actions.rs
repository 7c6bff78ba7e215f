//! Every route, without faults.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Harness, READER, RESPONDER, Response, WENDY};

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
    assert_eq!(members, ["id", "email", "display_name", "state", "service_state", "create_time", "path"]);
    assert_eq!(by_id.json["service_state"], "ACTIVE");
}

/// One search for all addresses, one request for each id, and a result for each reference in order.
#[tokio::test]
async fn several_users_are_found_at_once() {
    let harness = Harness::new().await;
    let (id, margaret) = (harness.id(WENDY), "margaret.okafor@example.com");
    let user = harness.get(&format!("/v1/users/{id}")).await.json;
    harness.requests();
    let users = json!([
        WENDY,
        id,
        "nobody@example.com",
        { "id": id, "email": WENDY },
        { "id": id, "email": margaret },
        { "email": "WENDY.APPLESEED@example.com" },
        { "id": "a/b" },
        "helpdesk@example.com",
        WENDY,
    ]);
    let request = harness.request(Method::POST, "/v1/users:find").bearer_auth(READER);
    let request = request.header("content-type", "application/json").body(json!({ "users": users }).to_string());
    let response = Response::of(request).await;
    assert_eq!(response.status, 200);
    let results = response.json["results"].as_array().unwrap();
    assert_eq!(
        results.iter().map(|result| &result["input"]).collect::<Vec<_>>(),
        users.as_array().unwrap().iter().collect::<Vec<_>>()
    );
    let outcomes: Vec<&str> =
        results.iter().map(|result| result["error"]["code"].as_str().unwrap_or_default()).collect();
    assert_eq!(
        outcomes,
        ["", "", "user-not-found", "", "address-mismatch", "", "invalid-argument", "ambiguous-user", ""]
    );
    for result in results {
        let members: Vec<&String> = result.as_object().unwrap().keys().collect();
        assert_eq!(members, ["input", "user", "error"]);
        assert_eq!(result["user"], if result["error"].is_null() { user.clone() } else { Value::Null });
    }
    assert_eq!(results[4]["error"]["user_id"], id.as_str());
    assert_eq!(results[6]["error"]["subject"], json!({ "kind": "argument", "name": "user" }));
    assert_eq!(results[7]["error"]["candidates"].as_array().unwrap().len(), 2);
    assert_eq!(harness.requests(), (4, 0), "one page for all addresses, and three ids");

    let none = harness.post("/v1/users:find", r#"{"users":[]}"#).await;
    assert_eq!((none.status, none.json), (200, json!({ "results": [] })));
}

/// Neither ids nor addresses are logged, also if the body is refused.
#[tokio::test]
async fn a_search_logs_the_number_of_users() {
    let harness = Harness::new().await;
    let body = |users: Value| json!({ "users": users }).to_string();
    harness.post("/v1/users:find", &body(json!([WENDY, "nobody@example.com"]))).await;
    assert_eq!(harness.post("/v1/users:find", &body(json!(WENDY))).await.code(), "invalid-body");
    let log = harness.log();
    assert_eq!(
        (&log[0]["action"], &log[0]["outcome"], &log[0]["users"]),
        (&json!("find-users"), &json!("found"), &json!(2))
    );
    assert_eq!((&log[1]["action"], &log[1]["outcome"]), (&json!("find-users"), &json!("invalid-body")));
    assert!(!log.iter().any(|line| line.to_string().contains('@')), "{log:?}");
}

#[tokio::test]
async fn suspend_and_reactivate_report_the_outcome() {
    let harness = Harness::new().await;
    for (verb, state) in [("suspend", "SUSPENDED"), ("reactivate", "ACTIVE")] {
        let path = format!("/v1/users/{WENDY}:{verb}");
        let before = harness.state(WENDY);
        let dry = harness.post(&path, r#"{"dry_run":true}"#).await;
        assert_eq!((dry.status, &dry.json["outcome"]), (200, &json!("would-change")));
        assert_eq!(harness.state(WENDY), before);
        for (body, outcome) in [("", "changed"), ("{}", "unchanged"), (r#"{"dry_run":false}"#, "unchanged")] {
            let response = harness.post(&path, body).await;
            assert_eq!((response.status, &response.json["outcome"]), (200, &json!(outcome)));
            assert_eq!(response.json["user"]["email"], WENDY);
            assert_eq!(response.json["user"]["state"].as_str().unwrap().to_uppercase(), state);
            assert_eq!(harness.state(WENDY), state);
        }
    }
    let by_id = harness.post(&format!("/v1/users/{}:suspend", harness.id(WENDY)), "").await;
    assert_eq!(by_id.json["outcome"], "changed");
}

#[tokio::test]
async fn the_test_route_obtains_a_new_token_and_lists_and_gets_one_user() {
    let harness = Harness::new().await;
    harness.get("/v1/users?limit=1").await;
    harness.requests();
    let response = harness.post("/v1/test", "").await;
    assert_eq!((response.status, &response.json["ok"]), (200, &json!(true)));
    assert_eq!(response.json["checks"].as_array().unwrap().len(), 6);
    assert_eq!(harness.requests(), (3, 1), "a new token in spite of the cached one, a page and a user");
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
async fn every_request_writes_one_log_line_and_a_change_one_more() {
    let harness = Harness::new().await;
    let id = harness.id(WENDY);
    harness.get("/v1/users?limit=7").await;
    harness.post(&format!("/v1/users/{WENDY}:suspend"), r#"{"dry_run":true}"#).await;
    harness.post(&format!("/v1/users/{id}:suspend"), "").await;
    harness.get("/v1/users/NOBODY").await;
    Response::of(harness.request(Method::GET, "/v1/users").bearer_auth("wrong")).await;
    Response::of(harness.request(Method::GET, "/healthz")).await;
    Response::of(harness.request(Method::POST, "/v1/users/a%0d%0ab:suspend").bearer_auth(RESPONDER)).await;

    let (mut lines, mut ids) = (harness.log(), Vec::new());
    // The line before the change has the id of the one after it.
    assert_eq!(lines[2]["id"], lines[3]["id"]);
    lines[2]["id"] = json!("0000000000000000");
    for line in &mut lines {
        let line = line.as_object_mut().unwrap();
        let time = line.remove("time").unwrap();
        let time = time.as_str().unwrap();
        assert!(time.len() == 24 && time.starts_with("20") && time.ends_with('Z'), "{time}");
        assert!(line.remove("milliseconds").unwrap().is_u64());
        let request_id = line.remove("id").unwrap();
        let request_id = request_id.as_str().unwrap();
        assert!(request_id.len() == 16 && request_id.bytes().all(|b| b.is_ascii_hexdigit()), "{request_id}");
        if line["outcome"] != "sending" {
            assert!(!ids.contains(&request_id.to_owned()), "each request has its own");
        }
        ids.push(request_id.into());
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
                "key": "ir", "action": "suspend-user", "user": WENDY, "user_id": id, "user_email": WENDY,
                "dry_run": true, "outcome": "would-change", "status": 200
            }),
            json!({
                "key": "ir", "action": "suspend-user", "user": id, "user_id": id, "user_email": WENDY,
                "outcome": "sending"
            }),
            json!({
                "key": "ir", "action": "suspend-user", "user": id, "user_id": id, "user_email": WENDY,
                "outcome": "changed", "status": 200
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
