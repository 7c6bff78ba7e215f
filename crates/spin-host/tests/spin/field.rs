//! Faults from the field, each test named by its row: what a caller, a reader or an instance does that broke the service once.

use std::time::{Duration, Instant};

use futures::future::join_all;
use onepassword_users_simulator::{Config, Fault, Operation};
use onepassword_users_spin_host::Failure;
use onepassword_users_test_kit::hostile::{self, Answer, Target};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Harness, READER, RESPONDER, Response, Setup, WENDY, service_of_long_names};

fn milliseconds(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Texts of callers are in the log, but cannot move a cursor or hide there. `Harness::log` looks at each raw line.
#[tokio::test]
async fn row_41_texts_of_callers_are_escaped_in_the_log() {
    let harness = Harness::new().await;
    let odd = "a%1b%5B31m%C2%85%C2%9B%E2%80%A8%E2%80%AE%E2%80%8B%7F";
    for path in
        [format!("/v1/users/{odd}"), format!("/v1/users/{odd}@example.com"), format!("/v1/users?page_token={odd}")]
    {
        assert_eq!(harness.get(&path).await.code(), "invalid-argument", "{path}");
    }
    assert_eq!(harness.post(&format!("/v1/users/{odd}:suspend"), "").await.code(), "invalid-argument");
    let log = harness.log();
    assert_eq!(log[0]["user"], "a\u{1b}[31m\u{85}\u{9b}\u{2028}\u{202e}\u{200b}\u{7f}", "nothing is lost");
    assert_eq!(log.len(), 4);
}

/// A caller without a key reaches neither the provider of the variables nor fills the log.
#[tokio::test]
async fn row_59_calls_without_a_key_cost_no_look_up_and_few_lines() {
    let harness = Harness::new().await;
    let long = "k".repeat(2000);
    for key in ["", "short", "not a token, but long enough for a key", long.as_str()] {
        for _ in 0..25 {
            let request = harness.request(Method::GET, "/v1/users").header("authorization", format!("Bearer {key}"));
            assert_eq!(Response::of(request).await.code(), "unauthorized");
        }
    }
    assert_eq!(Response::of(harness.request(Method::GET, "/v1/users")).await.code(), "unauthorized");
    assert_eq!(harness.server.lookups(), 0);
    let lines = harness.log().len();
    assert!((1..=16 * harness.server.instances()).contains(&lines), "{lines} lines of 101 requests");

    // A header that could be a key is compared with the lists as they are now.
    let request = harness.request(Method::GET, "/v1/users").bearer_auth("w".repeat(40));
    assert_eq!(Response::of(request).await.code(), "unauthorized");
    assert_eq!(harness.server.lookups(), 2);
    // Lines of callers with a key are not bounded.
    for _ in 0..30 {
        harness.get("/openapi.json").await;
    }
    assert_eq!(harness.log().iter().filter(|line| line["action"] == "openapi").count(), 30);
}

/// The public paths share their look-ups, also while the provider is slow.
#[tokio::test]
async fn row_59_public_paths_do_not_flood_a_vault() {
    let harness = Harness::new().await;
    for path in ["/healthz", "/readyz"] {
        let responses = join_all((0..50).map(|_| Response::of(harness.request(Method::GET, path)))).await;
        assert!(responses.iter().all(|response| response.status == 200), "{responses:?}");
    }
    let (lookups, instances) = (harness.server.lookups(), harness.server.instances());
    assert!(lookups <= 13 * instances, "{lookups} look-ups by {instances} instances for 100 requests");

    let mut setup = Setup::new().await;
    setup.failures = [("reader_keys".to_owned(), Failure::Hangs)].into();
    let harness = setup.serve().await;
    let responses = join_all((0..20).map(|_| Response::of(harness.request(Method::GET, "/healthz")))).await;
    assert!(responses.iter().all(|response| response.code() == "keys-not-readable"), "{responses:?}");
}

/// Ids are as long as the service makes them, and are counted as they are.
#[tokio::test(flavor = "multi_thread")]
async fn row_59_long_ids_do_not_end_an_instance() {
    let page = |number: usize, _: &str| {
        let users: Vec<String> = (0..1000)
            .map(|n| format!(r#"{{"id":"{:x<1000}","email":"a@example.com"}}"#, format!("U{number}N{n}N")))
            .collect();
        let body = format!(r#"{{"results":[{}],"next_page_token":"{number}"}}"#, users.join(","));
        Answer::Open(hostile::ok(&body))
    };
    let (url, _) = hostile::serve(Target::Api, Box::new(page)).await;
    let mut setup = Setup::new().await.set("base_url", &url);
    setup.max_memory = 224 * 1024 * 1024;
    let harness = setup.serve().await;
    let request =
        harness.request(Method::GET, "/v1/users").bearer_auth(READER).header("accept", "application/x-ndjson");
    let mut response = request.send().await.unwrap();
    let mut last = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        last.extend_from_slice(&chunk);
        last.drain(..last.len().saturating_sub(8000));
    }
    let last = String::from_utf8_lossy(&last).into_owned();
    let last: Value = serde_json::from_str(last.lines().last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "too-many-users", "{last}");
    println!("peak memory of an instance: {} bytes", harness.server.peak_memory());
    assert_eq!(harness.get("/openapi.json").await.status, 200);
    assert_eq!(harness.server.instances(), 1, "the instance lives");
}

/// Readers who do not read hold memory for a while only, and never that of responders.
#[tokio::test(flavor = "multi_thread")]
async fn row_59_readers_who_do_not_read_are_cut_off() {
    let harness = Setup::new().await.set("base_url", &service_of_long_names().await).serve().await;
    let list = |key: &'static str| harness.request(Method::GET, "/v1/users").bearer_auth(key).send();
    let mut unread = Vec::new();
    let started = Instant::now();
    loop {
        let response = list(READER).await.unwrap();
        if response.status() == 503 {
            break;
        }
        unread.push(response);
        assert!(unread.len() < 12, "the memory is bounded");
    }
    assert!(started.elapsed() < Duration::from_secs(25), "too slow to show anything: {:?}", started.elapsed());
    assert_eq!(harness.server.instances(), 1);
    // The rest of the memory is for responders.
    let theirs = list(RESPONDER).await.unwrap();
    assert_eq!(theirs.status(), 200);
    assert_eq!(theirs.bytes().await.unwrap().last(), Some(&b'\n'), "it is complete");
    // Nobody reads or closes a connection, and still the memory is there again.
    loop {
        let response = list(READER).await.unwrap();
        if response.status() == 200 {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(90), "the memory was not released");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let log = harness.log();
    let abandoned: Vec<&Value> = log.iter().filter(|line| line["outcome"] == "abandoned").collect();
    assert!(!abandoned.is_empty() && abandoned.iter().all(|line| line["status"] == 200), "{log:?}");
    drop(unread);
}

/// A whole list has an hour, however slow its pages are. The clock of the component runs a thousand times faster.
#[tokio::test(flavor = "multi_thread")]
async fn row_59_a_whole_list_has_a_time_limit() {
    for accept in ["application/json", "application/x-ndjson"] {
        let mut setup = Setup::with(Config { users: 8000, ..Config::default() }).await.set("deadline", "3600");
        setup.clock_rate = 1000;
        let harness = setup.serve().await;
        for _ in 0..8 {
            harness.simulator.inject(Operation::List, Fault::Delay(milliseconds(1000)));
        }
        let request = harness.request(Method::GET, "/v1/users").bearer_auth(READER).header("accept", accept);
        let response = request.send().await.unwrap();
        let is_stream = accept.ends_with("ndjson");
        assert_eq!(response.status(), if is_stream { 200 } else { 504 });
        let mut response = response;
        let mut text = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            text.extend_from_slice(&chunk);
        }
        let text = String::from_utf8(text).unwrap();
        let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        let problem = if is_stream { &last["error"] } else { &last };
        assert_eq!(problem["code"], "list-timeout", "{last}");
        assert_eq!(harness.log()[0]["outcome"], "list-timeout");
    }
}

/// Searches of readers take turns, and a responder need not wait for them.
#[tokio::test(flavor = "multi_thread")]
async fn row_59_readers_leave_time_for_responders() {
    let harness = Harness::new().await;
    harness.get("/v1/users?limit=1").await;
    for _ in 0..8 {
        harness.simulator.inject(Operation::List, Fault::Delay(milliseconds(1500)));
    }
    let path = format!("/v1/users/{WENDY}");
    let started = Instant::now();
    let readers = join_all((0..8).map(|n| {
        let (harness, path) = (&harness, &path);
        async move {
            tokio::time::sleep(milliseconds(20 * n)).await;
            harness.get(path).await.status
        }
    }));
    let responder = async {
        tokio::time::sleep(milliseconds(400)).await;
        let path = format!("/v1/users/{}:suspend", harness.id(WENDY));
        (harness.post(&path, "").await.status, started.elapsed())
    };
    let (readers, (status, elapsed)) = tokio::join!(readers, responder);
    assert_eq!((readers, status), (vec![200; 8], 200));
    assert!(elapsed < milliseconds(1400), "the responder waited: {elapsed:?}");
    assert_eq!(harness.server.instances(), 1);
    assert!(started.elapsed() > milliseconds(2900), "eight searches at once: {:?}", started.elapsed());
}

/// The instance runs out of memory while a change is under way. The log says who may have been changed, and by whose key.
#[tokio::test(flavor = "multi_thread")]
async fn row_60_an_instance_that_dies_after_a_change_leaves_a_trace() {
    let mut setup = Setup::with(Config { users: 250_000, ..Config::default() }).await;
    setup.max_memory = 8 * 1024 * 1024;
    let harness = setup.serve().await;
    let id = harness.id(WENDY);
    harness.simulator.inject(Operation::Suspend, Fault::Delay(Duration::from_secs(20)));
    let path = format!("/v1/users/{id}:suspend");
    let change = harness.request(Method::POST, &path).bearer_auth(RESPONDER).send();
    let reader = async {
        tokio::time::sleep(milliseconds(500)).await;
        let request = harness.request(Method::GET, "/v1/users").bearer_auth(READER);
        let list = request.header("accept", "application/x-ndjson").send().await.unwrap();
        let _ = list.bytes().await;
    };
    let (response, ()) = tokio::join!(change, reader);
    assert_eq!(response.unwrap().status(), 500, "the instance is gone");
    let log: Vec<Value> = harness.raw_log().iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let line = log.iter().find(|line| line["outcome"] == "sending").unwrap();
    assert_eq!(
        (&line["key"], &line["action"], &line["user"], &line["user_id"], &line["user_email"], &line["status"]),
        (&json!("ir"), &json!("suspend-user"), &json!(id), &json!(id), &json!(WENDY), &Value::Null)
    );
    assert!(!log.iter().any(|other| other["id"] == line["id"] && other["outcome"] != "sending"), "{log:?}");
}

/// One line before a change and one after it, with the same id. An unclear one names the user.
#[tokio::test]
async fn row_60_a_change_has_a_line_before_it_and_one_after_it() {
    let harness = Harness::new().await;
    let id = harness.id(WENDY);
    let odd = "mailto:WENDY.appleseed@example.com";
    let response = harness.post(&format!("/v1/users/{odd}:suspend"), "").await;
    assert_eq!(response.json["outcome"], "changed");
    let outcomes = |log: &[Value]| {
        assert!(log.iter().all(|line| line["id"] == log[0]["id"] && line["user_id"] == id.as_str()), "{log:?}");
        log.iter().map(|line| line["outcome"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let log = harness.log();
    assert_eq!(outcomes(&log), ["sending", "changed"]);
    assert!(
        log.iter().all(|line| line["user"] == odd && line["user_email"] == WENDY),
        "as asked and as found: {log:?}"
    );

    // Nothing is sent: no line before.
    harness.post(&format!("/v1/users/{WENDY}:suspend"), "").await;
    assert_eq!(outcomes(&harness.log()), ["unchanged"]);
    harness.post(&format!("/v1/users/{WENDY}:reactivate"), r#"{"dry_run":true}"#).await;
    assert_eq!(outcomes(&harness.log()), ["would-change"]);

    // The connection breaks, and so does the look afterwards.
    harness.simulator.inject(Operation::Reactivate, Fault::Lose);
    harness.simulator.inject(Operation::Get, Fault::Delay(Duration::ZERO));
    harness.simulator.inject(Operation::Get, Fault::Close);
    let response = harness.post(&format!("/v1/users/{id}:reactivate"), "").await;
    assert_eq!((&response.json["may_have_changed"], &response.json["user_id"]), (&json!(true), &json!(id)));
    let log = harness.log();
    assert_eq!(outcomes(&log), ["sending", "unavailable"]);
    assert_eq!(log[1]["may_have_changed"], true);

    // The service refuses.
    harness.simulator.inject(Operation::Suspend, Fault::reply(403, r#"{"code":7,"message":"no","details":[]}"#));
    harness.post(&format!("/v1/users/{id}:suspend"), "").await;
    assert_eq!(outcomes(&harness.log()), ["sending", "permission-denied"]);
}

/// A caller who leaves does not stop a change, and the log says how it ended.
#[tokio::test(flavor = "multi_thread")]
async fn row_60_a_change_is_logged_although_its_caller_has_left() {
    let harness = Harness::new().await;
    let path = format!("/v1/users/{}:suspend", harness.id(WENDY));
    harness.simulator.inject(Operation::Suspend, Fault::Delay(milliseconds(800)));
    let request = harness.request(Method::POST, &path).bearer_auth(RESPONDER).timeout(milliseconds(400));
    assert!(request.send().await.unwrap_err().is_timeout());
    let log = harness.log_of(2).await;
    assert_eq!((&log[0]["outcome"], &log[1]["outcome"]), (&json!("sending"), &json!("changed")));
    assert_eq!(harness.state(WENDY), "SUSPENDED");
}

#[tokio::test]
async fn row_61_head_is_answered_as_get_without_a_body() {
    let harness = Harness::new().await;
    let head = |path: &str, key: Option<&str>, accept: &str| {
        let request = harness.request(Method::HEAD, path).header("accept", accept);
        let request = key.into_iter().fold(request, |request, key| request.bearer_auth(key));
        async move {
            let response = request.send().await.unwrap();
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            assert_eq!(response.bytes().await.unwrap().len(), 0);
            assert_eq!(headers["cache-control"], "no-store");
            (status, headers["content-type"].to_str().unwrap().to_owned())
        }
    };
    let (json, ndjson, problem) = ("application/json", "application/x-ndjson", "application/problem+json");
    for (path, key, accept, status, content_type) in [
        ("/healthz", None, json, 200, json),
        ("/readyz", None, json, 200, json),
        ("/openapi.json", Some(READER), json, 200, json),
        ("/v1/users", Some(READER), json, 200, json),
        ("/v1/users", Some(READER), ndjson, 200, ndjson),
        ("/v1/users?limit=2", Some(READER), json, 200, json),
        ("/v1/users/wendy.appleseed@example.com", Some(READER), json, 200, json),
        ("/v1/users/NOBODY", Some(READER), json, 404, problem),
        ("/v1/users?limit=0", Some(READER), json, 400, problem),
        ("/v1/users", None, json, 401, problem),
        ("/v1/test", Some(READER), json, 405, problem),
        ("/v1/users/wendy.appleseed@example.com:suspend", Some(RESPONDER), json, 405, problem),
    ] {
        assert_eq!(head(path, key, accept).await, (status, content_type.to_owned()), "{path}");
    }
    assert_eq!(harness.state(WENDY), "ACTIVE");
}

#[tokio::test]
async fn row_61_a_page_token_with_signs_arrives_as_it_was_sent() {
    let harness = Harness::new().await;
    let plain = harness.get("/v1/users?page_token=ab+/c==").await;
    let encoded = harness.get("/v1/users?page_token=ab%2B%2Fc%3D%3D").await;
    assert_eq!((plain.status, plain.code(), plain.subject()), (400, "invalid-argument", ("argument", "page_token")));
    assert_eq!(plain.json, encoded.json);
}

/// A rule on paths in front of this API sees the verb, or there is none.
#[tokio::test]
async fn row_61_an_encoded_verb_fails_closed() {
    let harness = Harness::new().await;
    for verb in ["%3Asuspend", "%3As%75spend", ":s%75spend", "%3asuspend"] {
        for user in [WENDY.to_owned(), harness.id(WENDY)] {
            let response = harness.post(&format!("/v1/users/{user}{verb}"), "").await;
            assert_eq!((response.status, response.code()), (404, "not-found"), "{user}{verb}");
        }
    }
    assert_eq!((harness.state(WENDY).as_str(), harness.requests()), ("ACTIVE", (0, 0)));
}

#[tokio::test]
async fn row_61_an_empty_body_that_is_declared_as_json_changes_nothing() {
    let harness = Harness::new().await;
    let post = |body: &'static str| {
        let request = harness.request(Method::POST, &format!("/v1/users/{WENDY}:suspend")).bearer_auth(RESPONDER);
        Response::of(request.header("content-type", "application/json").body(body))
    };
    let response = post("").await;
    assert_eq!((response.status, response.code()), (400, "invalid-body"));
    assert!(response.json["remedy"].as_str().unwrap().contains("Send {}"), "{response:?}");
    assert_eq!((harness.state(WENDY).as_str(), harness.requests()), ("ACTIVE", (0, 0)));
    assert_eq!(post("{}").await.json["outcome"], "changed");
}

/// The reader leaves while a whole list is sent. While it is read, the platform does not say so: see the guide.
#[tokio::test(flavor = "multi_thread")]
async fn row_72_a_caller_who_leaves_a_json_list_is_noticed() {
    let harness = Setup::with(Config { users: 50_000, ..Config::default() }).await.serve().await;
    let response = harness.request(Method::GET, "/v1/users").bearer_auth(READER).send().await.unwrap();
    drop(response);
    let log = harness.log_of(1).await;
    assert_eq!(
        (&log[0]["outcome"], &log[0]["status"], &log[0]["users"]),
        (&json!("abandoned"), &json!(200), &json!(50_000))
    );
}

/// The variable is not what Spin can use. It would deny every request, and nobody would know the reason.
#[tokio::test]
async fn row_73_a_base_url_that_spin_cannot_use_is_named() {
    for (form, mistake) in [
        ("{host}", "no scheme"),
        ("http://{host}/v1", "a path"),
        ("http://{host}/v1/", "a path"),
        (" http://{host}", "white space"),
    ] {
        let mut setup = Setup::new().await;
        let url = setup.simulator.base_url();
        // Spin starts with any text here.
        setup.manifest.component_mut().allowed_outbound_hosts = vec![url.clone()];
        let harness = setup.set("base_url", &form.replace("{host}", url.trim_start_matches("http://"))).serve().await;
        for response in [harness.get("/v1/users").await, harness.post("/v1/test", "").await] {
            let detail = response.json["detail"].as_str().unwrap();
            assert_eq!(
                (response.status, response.code(), response.subject()),
                (503, "misconfigured", ("setting", "base_url"))
            );
            assert!(detail.contains("a full origin, without a path") && detail.contains(mistake), "{form}: {detail}");
            assert!(!detail.contains("127.0.0.1"), "it shows no value: {detail}");
        }
        assert_eq!(harness.requests(), (0, 0));
    }
}

#[tokio::test]
async fn row_75_an_unknown_page_token_is_never_another_failure() {
    let harness = Harness::new().await;
    let good = harness.get("/v1/users?limit=5").await.json["next_page_token"].as_str().unwrap().to_owned();
    let long = "1".repeat(5500);
    let (cut, longer, other) = (&good[..good.len() - 1], format!("{good}A"), good.replace('1', "2"));
    for token in ["", "1", "invented", "MQ==", "%00", "a%20b", "%ff", "..%2F..", "1%C3%A9", cut, &longer, &other, &long]
    {
        for accept in ["application/json", "application/x-ndjson"] {
            let request = harness.request(Method::GET, &format!("/v1/users?page_token={token}"));
            let response = Response::of(request.bearer_auth(READER).header("accept", accept)).await;
            let expected = (400, "invalid-argument", ("argument", "page_token"));
            assert_eq!((response.status, response.code(), response.subject()), expected, "{token}");
        }
    }
    // One that this API made, and that 1Password does not know any more.
    let harness = Setup::with(Config { users: 250, ..Config::default() }).await.serve().await;
    let good = harness.get("/v1/users?limit=100").await.json["next_page_token"].as_str().unwrap().to_owned();
    for (status, body) in [
        (400, r#"{"code":3,"message":"bad page_token","details":[]}"#),
        (404, r#"{"code":5,"message":"unknown page token","details":[]}"#),
        (410, r#"{"code":9,"message":"page_token expired","details":[]}"#),
        (422, r#"{"code":3,"message":"no","details":[]}"#),
    ] {
        harness.simulator.inject(Operation::List, Fault::reply(status, body));
        let response = harness.get(&format!("/v1/users?page_token={good}")).await;
        assert_eq!((response.status, response.code()), (400, "page-token-refused"), "{status}");
    }
}

/// Readiness says what liveness does not: that the settings and secrets are there and well-formed. It sends no request.
#[tokio::test]
async fn row_77_readiness_checks_settings_and_secrets_without_a_request() {
    let ready = |harness: &Harness| Response::of(harness.request(Method::GET, "/readyz"));
    let harness = Harness::new().await;
    let response = ready(&harness).await;
    assert_eq!((response.status, response.json), (200, json!({ "status": "ok" })));
    assert_eq!(harness.requests(), (0, 0));

    for (name, value, words) in [
        ("account_id", "", "account_id is not right"),
        ("account_id", "nonsense", "account_id"),
        ("client_id", "", "client_id"),
        ("client_secret", " ", "client_secret"),
        ("client_id", "a:b", "client_id"),
        ("timeout", "soon", "timeout"),
        ("protected_users", "<script>", "protected_users"),
    ] {
        let harness = Setup::new().await.set(name, value).serve().await;
        let response = ready(&harness).await;
        assert_eq!((response.status, response.code()), (503, "not-ready"), "{name} {value}");
        assert!(!response.json.to_string().contains(name), "the reason is only in the log: {response:?}");
        let log = harness.log();
        assert!(log[0]["problem"].as_str().unwrap().contains(words), "{log:?}");
        let health = Response::of(harness.request(Method::GET, "/healthz")).await;
        assert_eq!((health.status, harness.requests()), (200, (0, 0)), "it lives");
    }
    for (name, code) in
        [("account_id", "not-ready"), ("client_secret", "not-ready"), ("reader_keys", "keys-not-readable")]
    {
        let mut setup = Setup::new().await;
        setup.failures = [(name.to_owned(), Failure::Refuses("the vault is sealed".into()))].into();
        assert_eq!(ready(&setup.serve().await).await.code(), code, "{name}");
    }
    // An access token is enough.
    let harness =
        Setup::new().await.set("access_token", "a-token").set("client_id", "").set("client_secret", "").serve().await;
    assert_eq!(ready(&harness).await.status, 200);
}

/// A secret that 1Password refuses shows in an action only. The instance remembers it for a while.
#[tokio::test]
async fn row_77_readiness_remembers_that_the_credentials_were_refused() {
    let harness = Setup::new().await.set("client_secret", "wrong-secret").serve().await;
    let ready = || Response::of(harness.request(Method::GET, "/readyz"));
    assert_eq!(ready().await.status, 200);
    assert_eq!(harness.get("/v1/users?limit=1").await.code(), "unauthenticated");
    let response = ready().await;
    assert_eq!((response.status, response.code()), (503, "not-ready"));
    assert!(harness.log().last().unwrap()["problem"].as_str().unwrap().contains("unauthenticated"));
    assert_eq!(harness.server.instances(), 1);
}
