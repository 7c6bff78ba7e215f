//! Canary credentials must not appear in results, errors, or the trace logs of any crate.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use onepassword_users_host::types::{ChangeMode, ListQuery};
use onepassword_users_simulator::{Fault, Operation};
use onepassword_users_test_kit::harness::{ALL, Harness, email, id};

/// The log of all crates: `tracing` on the thread of the test, and `log` on every thread.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

static LOGGED: LazyLock<Logged> = LazyLock::new(Logged::default);

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl log::Log for Logged {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let _ = writeln!(self.clone(), "{} {}", record.target(), record.args());
    }

    fn flush(&self) {}
}

#[tokio::test]
async fn no_result_or_log_holds_a_secret() {
    log::set_logger(&*LOGGED).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(|| LOGGED.clone())
        .finish();
    let _default = tracing::subscriber::set_default(subscriber);

    let harness = Harness::without_retries().await;
    let wendy = harness.id("wendy.appleseed@example.com");
    let mut shown = format!("{:?} {:?}", harness.connector, *onepassword_users_test_kit::harness::HOST);
    let mut secrets = vec![harness.simulator.client_secret().to_owned(), harness.simulator.client_id().to_owned()];
    let pair = format!("{}:{}", harness.simulator.client_id(), harness.simulator.client_secret());
    secrets.push(STANDARD.encode(&pair));
    secrets.push(URL_SAFE_NO_PAD.encode(&pair));
    secrets.push(percent_encoding::utf8_percent_encode(&pair, percent_encoding::NON_ALPHANUMERIC).to_string());

    // A service that echoes credentials, in every kind of response.
    let echo = |secret: &str| format!(r#"{{"code":3,"message":"you sent {secret}","details":[]}}"#);
    harness.simulator.inject(Operation::Token, Fault::reply(400, &echo(&secrets[2])));
    harness.simulator.inject(Operation::Token, Fault::reply(401, &echo(&pair)));
    harness.simulator.inject(Operation::Token, Fault::reply(503, &echo(&pair)));
    harness.simulator.inject(Operation::Token, Fault::Close);
    harness.simulator.inject(Operation::Token, Fault::reply(200, &echo(&pair)));
    for _ in 0..5 {
        write!(shown, "{:?}", harness.connector.list_users(ALL).await).unwrap();
    }
    write!(shown, "{:?}", harness.connector.list_users(ALL).await).unwrap();
    write!(shown, "{:?}", harness.connector.suspend_user(id(&wendy), ChangeMode::Apply).await).unwrap();
    write!(
        shown,
        "{:?}",
        harness.connector.reactivate_user(email("wendy.appleseed@example.com"), ChangeMode::Apply).await
    )
    .unwrap();
    let page = ListQuery { state: None, limit: Some(1), page_token: Some("altered".into()) };
    write!(shown, "{:?}", harness.connector.list_users(page).await).unwrap();
    let sent = harness.simulator.take_records();
    let bearer = |record: &onepassword_users_simulator::Record| {
        let (_, value) = record.headers.iter().find(|(name, _)| name == "authorization")?;
        value.strip_prefix("Bearer ").map(str::to_owned)
    };
    let token = sent.iter().find_map(bearer).unwrap();
    harness.simulator.inject(Operation::Get, Fault::reply(400, &echo(&token)));
    harness.simulator.inject(Operation::Get, Fault::reply(200, &format!(r#"{{"{token}":1}}"#)));
    harness.simulator.inject(Operation::Get, Fault::reply(500, &token));
    for _ in 0..3 {
        write!(shown, "{:?}", harness.connector.get_user(id(&wendy)).await).unwrap();
    }
    // In the header that the log repeats, whole and in part.
    for echoed in [&token, &secrets[0], &secrets[1], &token[..20].to_owned()] {
        // The log takes ids of letters, digits and hyphens.
        for request_id in [echoed.clone(), echoed.replace('_', "-")] {
            let headers = vec![("x-request-id".to_owned(), request_id)];
            harness.simulator.inject(Operation::Get, Fault::Reply { status: 400, headers, body: "{}".into() });
            write!(shown, "{:?}", harness.connector.get_user(id(&wendy)).await).unwrap();
        }
    }
    harness.simulator.inject(Operation::List, Fault::reply(400, &echo(&token)));
    harness.simulator.inject(Operation::Get, Fault::reply(500, &echo(&token)));
    let users = vec![email("wendy.appleseed@example.com"), id(&wendy)];
    let found = harness.connector.find_users(users).await.unwrap();
    assert!(found.iter().all(|result| result.is_err()));
    write!(shown, "{found:?}").unwrap();
    secrets.push(token.replace('_', "-"));
    secrets.push(token[..20].replace('_', "-"));
    secrets.push(token);

    let log = String::from_utf8_lossy(&LOGGED.0.lock().unwrap()).into_owned();
    for expected in
        ["action=\"suspend-user\"", "outcome=\"changed\"", &format!("user_id=\"{wendy}\""), "requests=", "hyper"]
    {
        assert!(log.contains(expected), "the log lacks {expected} in {} bytes", log.len());
    }
    for secret in &secrets {
        for (place, text) in [("a result", &shown), ("the log", &log)] {
            let found = text.find(secret.as_str()).map(|at| text[at.saturating_sub(200)..at].to_owned());
            assert_eq!(found, None, "{place} holds a secret after this");
        }
    }
}
