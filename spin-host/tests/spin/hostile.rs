//! A service that sends what no service should, over real sockets: each ends as it must, soon, and the next call is served.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::rig::Setup;

const TOKEN: &str = r#"{"access_token":"canary-token","token_type":"Bearer","expires_in":900}"#;
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const SIZED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"results\":[";
const HUGE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n";

/// What comes in answer to a list, piece by piece, and what becomes of it.
#[derive(Clone)]
struct Behaviour {
    name: &'static str,
    pieces: Vec<String>,
    then: Then,
    status: u16,
    code: &'static str,
}

/// What follows the last piece.
#[derive(Clone, Copy)]
enum Then {
    /// The connection is closed.
    Close,
    /// Nothing.
    Hold,
    /// The last piece, again and again, with a pause in between.
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
            "drips for ever",
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

/// Hands out tokens, and answers everything else as it is told.
async fn serve(behaviour: Behaviour) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let behaviour = behaviour.clone();
            // Whoever reads no more has its reasons.
            tokio::spawn(async move { answer(stream, behaviour).await.unwrap_or_default() });
        }
    });
    url
}

async fn answer(mut stream: TcpStream, behaviour: Behaviour) -> std::io::Result<()> {
    let mut buffer = vec![0; 65536];
    while stream.read(&mut buffer).await? > 0 {
        if buffer.starts_with(b"POST") {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", TOKEN.len());
            stream.write_all(format!("{head}{TOKEN}").as_bytes()).await?;
            continue;
        }
        for piece in &behaviour.pieces {
            stream.write_all(piece.as_bytes()).await?;
        }
        match behaviour.then {
            Then::Close => return Ok(()),
            Then::Hold => tokio::time::sleep(Duration::from_secs(60)).await,
            Then::Repeat(pause) => loop {
                tokio::time::sleep(pause).await;
                stream.write_all(behaviour.pieces.last().unwrap().as_bytes()).await?;
            },
        }
    }
    Ok(())
}

async fn check(behaviour: Behaviour) {
    let Behaviour { name, then, status, code, .. } = behaviour;
    let url = serve(behaviour).await;
    // What drips is ended by the deadline alone, and what stalls by the time-out alone.
    let deadline = if matches!(then, Then::Repeat(_)) { "3" } else { "300" };
    let mut setup = Setup::new().await.set("base_url", &url).set("timeout", "1").set("deadline", deadline);
    setup.memory = 64 * 1024 * 1024;
    let rig = setup.serve().await;
    for _ in 0..2 {
        let began = Instant::now();
        let answer = rig.get("/v1/users").await;
        assert_eq!((answer.status, answer.code()), (status, code), "{name}: {answer:?}");
        assert!(began.elapsed() < Duration::from_secs(10), "{name}: it took {:?}", began.elapsed());
    }
    assert_eq!(rig.log().len(), 2, "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_service_sends_ends_as_it_must() {
    futures::future::join_all(behaviours().into_iter().map(check)).await;
}
