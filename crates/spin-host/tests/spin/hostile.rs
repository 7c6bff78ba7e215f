//! Misbehaving services on real sockets: each leads to the right error in bounded time, and the next request is served.

use std::time::{Duration, Instant};

use onepassword_users_test_kit::hostile::{self, Answer, Target};

use crate::harness::Setup;

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const SIZED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"results\":[";
const HUGE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n";

/// A behaviour of the service on a list request, and the expected response of the application.
#[derive(Clone)]
struct Behaviour {
    name: &'static str,
    pieces: Vec<String>,
    then: Then,
    status: u16,
    code: &'static str,
}

/// The behaviour after the last piece.
#[derive(Clone, Copy)]
enum Then {
    /// The connection is closed.
    Close,
    /// The connection stays open and silent.
    Hold,
    /// The last piece is repeated, with a pause in between.
    Repeat(Duration),
}

fn behaviours() -> Vec<Behaviour> {
    let behaviour = |name, pieces: &[&str], then, status, code| {
        let pieces = pieces.iter().map(ToString::to_string).collect();
        Behaviour { name, pieces, then, status, code }
    };
    let piece = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let at_once = Then::Repeat(Duration::ZERO);
    let redirect = "HTTP/1.1 302 Found\r\nlocation: https://evil.example/\r\ncontent-length: 0\r\n\r\n";
    let gzip = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}";
    let echo = "HTTP/1.1 500 Oh\r\ncontent-length: 43\r\n\r\n{\"code\":13,\"message\":\"Bearer canary-token\"}";
    vec![
        behaviour("says nothing", &[], Then::Hold, 504, "unavailable"),
        behaviour("stalls in the head", &["HTTP/1.1 200 OK\r\nx: y"], Then::Hold, 504, "unavailable"),
        behaviour("stalls in the body", &[SIZED], Then::Hold, 504, "unavailable"),
        behaviour(
            "drips forever",
            &[CHUNKED, "1\r\n \r\n"],
            Then::Repeat(Duration::from_millis(300)),
            504,
            "unavailable",
        ),
        behaviour("never ends", &[CHUNKED, &piece], at_once, 502, "invalid-response"),
        behaviour("announces and sends too much", &[HUGE, &piece], at_once, 502, "invalid-response"),
        behaviour("breaks off", &[SIZED], Then::Close, 503, "unavailable"),
        behaviour(
            "breaks off between chunks",
            &[CHUNKED, "e\r\n{\"results\":[]}\r\n"],
            Then::Close,
            503,
            "unavailable",
        ),
        behaviour("hangs up", &[], Then::Close, 503, "unavailable"),
        behaviour("speaks no HTTP", &["220 smtp.example ESMTP\r\n"], Then::Close, 503, "unavailable"),
        behaviour("redirects", &[redirect], Then::Close, 502, "invalid-response"),
        behaviour("compresses", &[gzip], Then::Close, 502, "invalid-response"),
        behaviour("sends the token back", &[echo], Then::Close, 503, "unavailable"),
    ]
}

/// A server that issues tokens and has this behaviour for all other requests.
async fn serve(Behaviour { pieces, then, .. }: Behaviour) -> String {
    let (first, last) = (pieces.concat().into_bytes(), pieces.last().cloned().unwrap_or_default().into_bytes());
    let script = move |_: usize, _: &str| match then {
        Then::Close => Answer::Bytes(first.clone()),
        Then::Hold => Answer::Silence(first.clone()),
        Then::Repeat(Duration::ZERO) => Answer::Endless(first.clone(), last.clone()),
        Then::Repeat(pause) => Answer::Repeat(first.clone(), last.clone(), pause),
    };
    hostile::serve(Target::Api, Box::new(script)).await.0
}

async fn check(behaviour: Behaviour) {
    let Behaviour { name, then, status, code, .. } = behaviour;
    let url = serve(behaviour).await;
    // The deadline ends a drip, and the idle timeout ends a stall.
    let deadline = if matches!(then, Then::Repeat(_)) { "3" } else { "300" };
    let mut setup = Setup::new().await.set("base_url", &url).set("timeout", "1").set("deadline", deadline);
    setup.max_memory = 64 * 1024 * 1024;
    let harness = setup.serve().await;
    for _ in 0..2 {
        let start = Instant::now();
        let response = harness.get("/v1/users").await;
        assert_eq!((response.status, response.code()), (status, code), "{name}: {response:?}");
        assert!(start.elapsed() < Duration::from_secs(10), "{name}: it took {:?}", start.elapsed());
    }
    assert_eq!(harness.log().len(), 2, "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_misbehaviour_gets_the_right_error() {
    futures::future::join_all(behaviours().into_iter().map(check)).await;
}
