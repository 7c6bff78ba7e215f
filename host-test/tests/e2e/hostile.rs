//! Misbehaving servers on real sockets. Each case has the expected result and the expected number of requests. None may trap,
//! hang, or be taken for a success.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use onepassword_users_host::catalogue::ErrorCode;
use onepassword_users_host::types::{ChangeMode, ChangeOutcome};
use onepassword_users_host::{Error, Options};
use onepassword_users_test_kit::harness::{ALL, HOST, Values, expect_failure, id, options};
use onepassword_users_test_kit::hostile::{Answer, Script, TOKEN, Target, USER, http, ok, raw, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[derive(Clone, Copy)]
enum Action {
    Get,
    List,
    Suspend,
}

struct Case {
    name: &'static str,
    target: Target,
    action: Action,
    script: Script,
    /// `ok`, or the code of the expected error.
    expected: &'static str,
    /// The expected number of requests, token requests included. Not checked from 25,000 on.
    requests: usize,
}

const ATTEMPTS: usize = 2;

/// A case in which every API request gets the same bytes, and then the connection is closed.
fn get(name: &'static str, bytes: Vec<u8>, expected: &'static str, calls: usize) -> Case {
    let script: Script = Box::new(move |_, _| Answer::Bytes(bytes.clone()));
    Case { name, target: Target::Api, action: Action::Get, script, expected, requests: 1 + calls }
}

fn list(
    name: &'static str,
    page: impl Fn(usize, &str) -> String + Send + Sync + 'static,
    expected: &'static str,
    calls: usize,
) -> Case {
    let script: Script = Box::new(move |n, head| Answer::Bytes(ok(&page(n, head))));
    Case { name, target: Target::Api, action: Action::List, script, expected, requests: 1 + calls }
}

fn token(name: &'static str, bytes: Vec<u8>, expected: &'static str, requests: usize) -> Case {
    let script: Script = Box::new(move |_, _| Answer::Bytes(bytes.clone()));
    Case { name, target: Target::Token, action: Action::Get, script, expected, requests }
}

fn api(
    name: &'static str,
    script: impl Fn(usize, &str) -> Answer + Send + Sync + 'static,
    expected: &'static str,
    calls: usize,
) -> Case {
    Case { name, target: Target::Api, action: Action::Get, script: Box::new(script), expected, requests: 1 + calls }
}

/// A case of a suspension. The first look-up finds an active user. `post` answers the change, and `state` is the state in the
/// responses to later look-ups.
fn suspend(
    name: &'static str,
    post: fn() -> Answer,
    state: &'static str,
    expected: &'static str,
    calls: usize,
) -> Case {
    let script: Script = Box::new(move |n, head| match (n, head.starts_with("POST ")) {
        // With the connection closed, the change might be lost on it.
        (0, false) => Answer::Open(ok(USER)),
        (_, true) => post(),
        (_, false) => Answer::Bytes(ok(&USER.replace("ACTIVE", state))),
    });
    // The token and the first look-up come before these calls.
    Case { name, target: Target::Api, action: Action::Suspend, script, expected, requests: 2 + calls }
}

fn cases() -> Vec<Case> {
    let retried = ATTEMPTS;
    let retry_after = |value: &str| {
        http("429 Too Many Requests", &format!("Retry-After: {value}\r\nDate: Sun, 31 Dec 2023 23:59:30 GMT\r\n"), "{}")
    };
    let redirect = |status: &str, to: &str| http(status, &format!("Location: {to}\r\n"), "");
    let users = |ids: &[&str]| {
        ids.iter().map(|id| format!(r#"{{"id":"{id}","state":"ACTIVE"}}"#)).collect::<Vec<_>>().join(",")
    };
    let mut cases = vec![
        // Connections.
        get("closed after the request", raw(""), "unavailable", retried),
        get("closed within the status line", raw("HTTP/1.1 20"), "unavailable", retried),
        get("closed within the headers", raw("HTTP/1.1 200 OK\r\nContent-Le"), "unavailable", retried),
        get("closed after the headers", raw("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"), "unavailable", retried),
        get(
            "closed within the body",
            raw("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"id\":"),
            "unavailable",
            retried,
        ),
        get(
            "closed within a chunk",
            raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{\"id\":"),
            "unavailable",
            retried,
        ),
        api("reset", |_, _| Answer::Reset, "unavailable", retried),
        api("silence", |_, _| Answer::Silence(raw("")), "unavailable", retried),
        api(
            "silence after the status line",
            |_, _| Answer::Silence(raw("HTTP/1.1 200 OK\r\n")),
            "unavailable",
            retried,
        ),
        api(
            "silence within the body",
            |_, _| Answer::Silence(raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")),
            "unavailable",
            retried,
        ),
        api(
            "headers byte by byte",
            |_, _| Answer::Drip(raw(""), ok(USER), Duration::from_millis(200)),
            "unavailable",
            retried,
        ),
        // Never silent for as long as the idle timeout: the deadline ends the action, with no time for a retry.
        api(
            "body byte by byte",
            |_, _| {
                let head = raw("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n");
                Answer::Drip(head, vec![b' '; 900], Duration::from_millis(50))
            },
            "unavailable",
            1,
        ),
        api("fails once, then succeeds", |n, _| Answer::Bytes(if n == 0 { raw("") } else { ok(USER) }), "ok", 2),
        // HTTP.
        get("not HTTP", raw("SSH-2.0-OpenSSH_9.6\r\n"), "unavailable", retried),
        get("binary", vec![0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0], "unavailable", retried),
        get("an unknown version", raw("HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n"), "unavailable", retried),
        get("a status that is no number", raw("HTTP/1.1 OK 200\r\n\r\n"), "unavailable", retried),
        get("a status of four digits", raw("HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"), "unavailable", retried),
        get("a header without a colon", raw("HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"), "unavailable", retried),
        get("a NUL in a header", raw("HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n"), "unavailable", retried),
        get(
            "two lengths that differ",
            [raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"), raw("Content-Length: 6\r\n\r\n{\"id\"}")].concat(),
            "unavailable",
            retried,
        ),
        get("a negative length", raw("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}"), "unavailable", retried),
        get(
            "a length too short",
            raw(&format!("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{USER}")),
            "invalid-response",
            1,
        ),
        get(
            "a chunk size that is no number",
            raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"),
            "unavailable",
            retried,
        ),
        get(
            "a chunk size beyond all bounds",
            raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}"),
            "unavailable",
            retried,
        ),
        get(
            "valid chunks",
            raw(&format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{USER}\r\n0\r\n\r\n",
                USER.len()
            )),
            "ok",
            1,
        ),
        get("a body that ends with the connection", raw(&format!("HTTP/1.1 200 OK\r\n\r\n{USER}")), "ok", 1),
        api(
            "endless headers",
            |_, _| {
                Answer::Endless(
                    raw("HTTP/1.1 200 OK\r\n"),
                    raw("X-Filler: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"),
                )
            },
            "unavailable",
            retried,
        ),
        api(
            "one endless header",
            |_, _| Answer::Endless(raw("HTTP/1.1 200 OK\r\nX: "), vec![b'x'; 4096]),
            "unavailable",
            retried,
        ),
        api(
            "an endless status line",
            |_, _| Answer::Endless(raw("HTTP/1.1 200 "), vec![b'x'; 4096]),
            "unavailable",
            retried,
        ),
        api(
            "an endless body",
            |_, _| Answer::Endless(raw("HTTP/1.1 200 OK\r\n\r\n{\"id\":\""), vec![b'x'; 65536]),
            "invalid-response",
            1,
        ),
        api(
            "endless chunks",
            |_, _| {
                Answer::Endless(
                    raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
                    [raw("1000\r\n"), vec![b' '; 4096], raw("\r\n")].concat(),
                )
            },
            "invalid-response",
            1,
        ),
        api(
            "a body of 64 MB",
            |_, _| {
                Answer::Endless(raw("HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n{\"id\":\""), vec![b'x'; 65536])
            },
            "invalid-response",
            1,
        ),
        get(
            "a thousand times 100 Continue",
            [raw(&"HTTP/1.1 100 Continue\r\n\r\n".repeat(1000)), ok(USER)].concat(),
            "ok",
            1,
        ),
        api(
            "100 Continue forever",
            |_, _| Answer::Endless(raw(""), raw("HTTP/1.1 100 Continue\r\n\r\n")),
            "unavailable",
            retried,
        ),
        get(
            "103 Early Hints first",
            [raw("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"), ok(USER)].concat(),
            "ok",
            1,
        ),
        get(
            "101 Switching Protocols",
            raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
            "invalid-response",
            1,
        ),
        get("201", http("201 Created", "", USER), "invalid-response", 1),
        get("204", raw("HTTP/1.1 204 No Content\r\n\r\n"), "invalid-response", 1),
        get("206", http("206 Partial Content", "Content-Range: bytes 0-9/10\r\n", USER), "invalid-response", 1),
        get("304", raw("HTTP/1.1 304 Not Modified\r\n\r\n"), "invalid-response", 1),
        get("status 999", http("999 What", "", USER), "unavailable", 1),
        get(
            "gzip that was not requested",
            http("200 OK", "Content-Encoding: gzip\r\n", "\u{1f}\u{8b}"),
            "invalid-response",
            1,
        ),
        // Intermediaries.
        get(
            "a captive portal",
            http("200 OK", "Content-Type: text/html\r\n", "<html>Please sign in</html>"),
            "invalid-response",
            1,
        ),
        get("a portal with 511", http("511 Network Authentication Required", "", "<html>"), "intermediary", 1),
        get("redirect to another host", redirect("302 Found", "https://evil.example/"), "invalid-response", 1),
        get(
            "redirect to another scheme",
            redirect("301 Moved Permanently", "http://127.0.0.1/"),
            "invalid-response",
            1,
        ),
        get("redirect that keeps the method", redirect("307 Temporary Redirect", "/v2/"), "invalid-response", 1),
        get("redirect to nowhere", http("308 Permanent Redirect", "", ""), "invalid-response", 1),
        get("redirect to nonsense", redirect("303 See Other", "\u{1}://[::"), "unavailable", retried),
        // Tokens.
        get(
            "401 forever",
            http("401 Unauthorized", "", r#"{"code":16,"message":"no","details":[]}"#),
            "unauthenticated",
            3,
        ),
        api(
            "401 and 200 in turn",
            |n, _| Answer::Bytes(if n % 2 == 0 { http("401 Unauthorized", "", "{}") } else { ok(USER) }),
            "ok",
            3,
        ),
        token("a token that lives 0 s", ok(&TOKEN.replace("900", "0")), "ok", 2),
        token("a token that lives -1 s", ok(&TOKEN.replace("900", "-1")), "ok", 2),
        token("a token that lives forever", ok(&TOKEN.replace("900", "1e99")), "ok", 2),
        token("a token without a lifetime", ok(&TOKEN.replace(r#","expires_in":900"#, "")), "ok", 2),
        token("a token with a line break", ok(&TOKEN.replace("canary-token", r"a\r\nX: y")), "invalid-response", 1),
        token("a token that is a number", ok(&TOKEN.replace(r#""canary-token""#, "7")), "invalid-response", 1),
        token("no token", ok("{}"), "invalid-response", 1),
        token("a token of another type", ok(&TOKEN.replace("Bearer", "MAC")), "invalid-response", 1),
        token("a token from a redirect", redirect("302 Found", "https://evil.example/token"), "invalid-response", 1),
        token("an endless failure", http("503 Service Unavailable", "", ""), "unavailable", ATTEMPTS),
        // Rate limits.
        get("429 without Retry-After", http("429 Too Many Requests", "", "{}"), "rate-limited", retried),
        get("429, Retry-After: 0", retry_after("0"), "rate-limited", retried),
        get("429, Retry-After: 1", retry_after("1"), "rate-limited", retried),
        get("429, Retry-After: 40000", retry_after("40000"), "rate-limited", 1),
        get("429, Retry-After: 100000", retry_after("100000"), "rate-limited", retried),
        get("429, Retry-After beyond all bounds", retry_after("99999999999999999999999"), "rate-limited", retried),
        get("429, Retry-After: -1", retry_after("-1"), "rate-limited", retried),
        get("429, Retry-After: soon", retry_after("soon"), "rate-limited", retried),
        get("429, Retry-After in the future", retry_after("Mon, 01 Jan 2024 00:00:00 GMT"), "rate-limited", 1),
        get("429, Retry-After in the past", retry_after("Mon, 01 Jan 2018 00:00:00 GMT"), "rate-limited", retried),
        // Pages.
        list(
            "a page token that repeats at once",
            |_, _| r#"{"results":[],"next_page_token":"x"}"#.into(),
            "endless-list",
            2,
        ),
        list(
            "a page token that repeats after a hundred pages",
            |n, _| format!(r#"{{"next_page_token":"{}"}}"#, n % 100),
            "endless-list",
            101,
        ),
        list("endless pages", |n, _| format!(r#"{{"next_page_token":"{n}"}}"#), "unavailable", 25_000),
        list(
            "a page of 1,001 users",
            |_, _| format!(r#"{{"results":[{}]}}"#, vec![USER; 1001].join(",")),
            "invalid-response",
            1,
        ),
        list("users under another key", |_, _| format!(r#"{{"users":[{USER}]}}"#), "invalid-response", 1),
        list("a list that is an array", |_, _| format!("[{USER}]"), "invalid-response", 1),
        list(
            "a list within 10,000 arrays",
            |_, _| format!(r#"{{"results":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000)),
            "invalid-response",
            1,
        ),
        list(
            "an unknown field of 10,000 objects",
            |_, _| format!(r#"{{"x":{}1{}}}"#, r#"{"x":"#.repeat(10_000), "}".repeat(10_000)),
            "invalid-response",
            1,
        ),
        // JSON.
        get("no body", ok(""), "invalid-response", 1),
        get("null", ok("null"), "invalid-response", 1),
        get("a byte-order mark", ok(&format!("\u{feff}{USER}")), "ok", 1),
        get("two objects", ok(&format!("{USER}{USER}")), "invalid-response", 1),
        get("one key twice", ok(r#"{"id":"A","id":"B","state":"ACTIVE"}"#), "invalid-response", 1),
        get(
            "invalid UTF-8",
            [raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"id\":\""), vec![0xff, b'"', b'}']].concat(),
            "invalid-response",
            1,
        ),
        get(
            "UTF-16",
            [raw("HTTP/1.1 200 OK\r\n\r\n"), USER.encode_utf16().flat_map(u16::to_le_bytes).collect()].concat(),
            "invalid-response",
            1,
        ),
        get("a lone surrogate", ok(r#"{"id":"\ud800"}"#), "invalid-response", 1),
        get("another user", ok(&USER.replace(r#""A","email""#, r#""B","email""#)), "invalid-response", 1),
        get("nulls and unknown fields", ok(r#"{"id":"A","email":null,"state":null,"x":{"y":[1]}}"#), "ok", 1),
        get(
            "an unknown field of 10,000 arrays",
            ok(&format!(r#"{{"id":"A","state":"ACTIVE","x":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000))),
            "ok",
            1,
        ),
        get("an unknown state", ok(r#"{"id":"A","state":"FROZEN"}"#), "ok", 1),
    ];
    let page = move |n: usize| {
        let (ids, next) = [
            (&["A", "B", "C"][..], ",\"next_page_token\":\"1\""),
            (&["B", "C"], ",\"next_page_token\":\"2\""),
            (&["C", "D"], ""),
        ][n.min(2)];
        format!(r#"{{"results":[{}]{next}}}"#, users(ids))
    };
    let suspended = || Answer::Bytes(ok(&USER.replace("ACTIVE", "SUSPENDED")));
    cases.extend([
        suspend("a suspension", suspended, "SUSPENDED", "ok", 1),
        suspend("a suspension without a response, but done", || Answer::Bytes(raw("")), "SUSPENDED", "ok", 2),
        suspend("a suspension without a response, and not done", || Answer::Bytes(raw("")), "ACTIVE", "unavailable", 4),
        suspend("a suspension in silence, but done", || Answer::Silence(raw("")), "SUSPENDED", "ok", 2),
        suspend("a suspension that was reset, but done", || Answer::Reset, "SUSPENDED", "ok", 2),
        suspend(
            "a suspension cut off, but done",
            || Answer::Bytes(raw("HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{")),
            "SUSPENDED",
            "ok",
            2,
        ),
        suspend(
            "a suspension that leaves the user active",
            || Answer::Bytes(ok(USER)),
            "ACTIVE",
            "invalid-response",
            1 + ATTEMPTS,
        ),
        suspend(
            "a suspension of another user",
            || Answer::Bytes(ok(r#"{"id":"B","state":"SUSPENDED"}"#)),
            "ACTIVE",
            "invalid-response",
            1,
        ),
        suspend(
            "a suspension with nothing to show",
            || Answer::Bytes(raw("HTTP/1.1 204 No Content\r\n\r\n")),
            "SUSPENDED",
            "ok",
            2,
        ),
        suspend(
            "a suspension that is redirected",
            || Answer::Bytes(http("307 Temporary Redirect", "Location: https://evil.example/\r\n", "")),
            "ACTIVE",
            "invalid-response",
            1,
        ),
    ]);
    cases.push(list("pages that shrink and overlap", move |n, _| page(n), "ok", 3));
    cases
}

/// Runs a case.
///
/// # Errors
///
/// Describes a wrong outcome.
async fn run(case: Case) -> Result<(), String> {
    let (base_url, count) = serve(case.target, case.script).await;
    let values = Values::default();
    for (name, value) in [
        ("base-url", base_url.as_str()),
        ("account-id", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        ("client-id", "canary-client"),
        ("client-secret", "canary-secret"),
        ("timeout", "2"),
        ("deadline", "6"),
        ("max-attempts", &ATTEMPTS.to_string()),
    ] {
        values.set(name, value);
    }
    let connector = HOST.connector(Options { deadline: Duration::from_secs(60), ..options(&values) }).unwrap();
    let start = Instant::now();
    let result = match case.action {
        Action::Get => connector.get_user(id("A")).await.map(|user| format!("{user:?}")),
        Action::Suspend => {
            let change = connector.suspend_user(id("A"), ChangeMode::Apply).await;
            assert!(!matches!(&change, Ok(change) if change.outcome != ChangeOutcome::Changed), "{}", case.name);
            change.map(|change| format!("{change:?}"))
        }
        Action::List => connector.list_users(ALL).await.map(|list| format!("{list:?}")),
    };
    let elapsed = start.elapsed();
    let (outcome, text) = match &result {
        Ok(text) => ("ok", text.clone()),
        Err(Error::Action(error)) => (error.code.name(), format!("{error:?}")),
        Err(error) => ("HOST", format!("{error:?}")),
    };
    let requests = count.load(Ordering::Relaxed);
    let problem = if outcome != case.expected {
        format!("{outcome} instead of {}: {text}", case.expected)
    } else if requests != case.requests && case.requests < 25_000 {
        format!("{requests} requests instead of {}", case.requests)
    } else if elapsed > Duration::from_secs(20) {
        format!("it took {elapsed:?}")
    } else if text.contains("canary") {
        format!("the result holds a secret: {text}")
    } else {
        return Ok(());
    };
    Err(format!("{}: {problem}", case.name))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_misbehaviour_has_the_expected_result() {
    let cases = cases();
    let names: std::collections::HashSet<&str> = cases.iter().map(|case| case.name).collect();
    assert!(names.len() == cases.len() && names.len() >= 100, "{} cases", cases.len());
    // Some cases wait for seconds, so they run concurrently, but not so many that they slow each other down.
    let permits = Arc::new(tokio::sync::Semaphore::new(8));
    let mut running = tokio::task::JoinSet::new();
    for case in cases {
        let permits = permits.clone();
        running.spawn(async move {
            let _permit = permits.acquire_owned().await.unwrap();
            run(case).await
        });
    }
    let problems: Vec<String> = running.join_all().await.into_iter().filter_map(Result::err).collect();
    assert!(problems.is_empty(), "{problems:#?}");
}

#[tokio::test]
async fn a_response_before_the_end_of_the_request_is_read() {
    // The server responds at once, and never reads the body of the token request.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let values = Values::default();
    for (name, value) in [
        ("base-url", format!("http://{}", listener.local_addr().unwrap()).as_str()),
        ("account-id", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        ("client-id", "canary-client"),
        ("client-secret", "canary-secret"),
        ("max-attempts", "1"),
    ] {
        values.set(name, value);
    }
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let body = r#"{"error":"invalid_client","error_description":"at once"}"#;
            // Some servers respond after the first byte of the request.
            stream.read_u8().await.unwrap();
            stream.write_all(&http("401 Unauthorized", "Connection: close\r\n", body)).await.unwrap();
            stream.shutdown().await.unwrap();
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    });
    let connector = HOST.connector(options(&values)).unwrap();
    expect_failure(ErrorCode::Unauthenticated, connector.get_user(id("A")).await);
}
