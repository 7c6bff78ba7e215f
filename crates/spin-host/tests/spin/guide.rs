//! The operator's guide (`spin/README.md`): its calls and responses are real. The variables are held against the
//! catalogue in `spin/src/variables.rs`.

use onepassword_users_simulator::{Config, Simulator};
use reqwest::Method;
use serde_json::Value;

use crate::harness::{Harness, READER, RESPONDER, Response, Setup};

const GUIDE: &str = include_str!("../../../../spin/README.md");

/// Splits a command line into words, and removes quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quote, mut is_started) = (vec![String::new()], None, false);
    for c in line.chars() {
        match (c, quote) {
            (c, Some(q)) if c == q => quote = None,
            (c, Some(_)) => words.last_mut().unwrap().push(c),
            ('"' | '\'', None) => quote = Some(c),
            (' ', None) if is_started => words.push(String::new()),
            (c, None) => words.last_mut().unwrap().push(c),
        }
        is_started = true;
    }
    words
}

/// Sends the request of a curl command line.
async fn curl(harness: &Harness, line: &str) -> Response {
    let line = line.replace("$READER_KEY", READER).replace("$RESPONDER_KEY", RESPONDER);
    let words = words(&line);
    let (mut method, mut headers, mut body, mut url) = (None, Vec::new(), None, None);
    let mut words = words.into_iter().skip(1);
    while let Some(word) = words.next() {
        let mut next = || words.next().unwrap();
        match word.as_str() {
            "-X" => method = Some(next()),
            "-H" => headers.push(next()),
            "-d" => body = Some(next()),
            _ => assert_eq!(url.replace(word), None, "{line}"),
        }
    }
    let path = url.unwrap().strip_prefix("http://127.0.0.1:3000").unwrap().to_owned();
    let method = method.unwrap_or_else(|| if body.is_some() { "POST".into() } else { "GET".into() });
    let mut request = harness.request(Method::from_bytes(method.as_bytes()).unwrap(), &path);
    for header in headers {
        let (name, value) = header.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    Response::of(request.body(body.unwrap_or_default())).await
}

#[tokio::test]
async fn the_guide_shows_real_responses() {
    let harness = Setup::with(Config::default()).await.serve().await;
    let (mut shown, mut differences) = (0, Vec::new());
    for block in GUIDE.split("```console\n$ ").skip(1).filter_map(|rest| rest.split("\n```").next()) {
        let (line, expected) = block.split_once('\n').unwrap();
        let expected: Value = serde_json::from_str(expected).unwrap();
        let real = curl(&harness, line).await.json;
        if real != expected {
            differences.push(format!("$ {line}\n{real}"));
        }
        shown += 1;
    }
    assert!(differences.is_empty(), "the guide should show:\n{}", differences.join("\n"));
    assert_eq!(shown, 9);

    let (_, line) = GUIDE.split_once("```json\n").unwrap();
    let log = harness.log();
    for (line, outcome) in line.lines().zip(["sending", "changed"]) {
        let example: Value = serde_json::from_str(line).unwrap();
        assert_eq!(example["outcome"], outcome);
        let real = log.iter().find(|line| line["outcome"] == outcome).unwrap();
        let names = |line: &Value| line.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&example), names(real));
    }
}

/// The lines for the simulated account can be used as they are: its values are the same on every machine.
#[tokio::test]
async fn row_78_the_guide_has_the_lines_of_the_simulated_account() {
    let simulator = Simulator::start(Config::default()).await.unwrap();
    for (name, value) in [
        ("BASE_URL", "http://127.0.0.1:4999"),
        ("ACCOUNT_ID", simulator.account_id()),
        ("CLIENT_ID", simulator.client_id()),
        ("CLIENT_SECRET", simulator.client_secret()),
    ] {
        let line = format!("SPIN_VARIABLE_{name}='{value}'\n");
        assert!(GUIDE.contains(&line), "the guide should have: {line}");
    }
    // Building, success and the next step are shown in this order.
    let places =
        ["spin build --up\n", "Serving http://127.0.0.1:3000", "/v1/test\n"].map(|text| GUIDE.find(text).unwrap());
    assert!(places.is_sorted(), "{places:?}");
}
