//! The table covers the catalogue, and the runner refuses what differs.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::BTreeSet;

use onepassword_users_acceptance::{Face, NAMES, Report, Suite, Table, UNREACHABLE, Verdict};
use onepassword_users_host::catalogue::{ACTIONS, ERRORS};
use serde_json::{Value, json};

#[test]
fn every_code_of_the_catalogue_has_a_row_or_a_reason() {
    let codes = Table::own().unwrap().codes();
    for code in ERRORS {
        let is_named = UNREACHABLE.iter().any(|(other, reason)| other == code && !reason.is_empty());
        assert_ne!(codes.contains(code.name()), is_named, "{} is in no row and has no reason, or both", code.name());
    }
}

#[test]
fn every_action_has_rows_that_succeed_and_that_fail() {
    let table = Table::own().unwrap();
    for action in ACTIONS.iter().map(|action| action.name).chain(["test"]) {
        let calls = || table.rows.iter().flat_map(|row| &row.calls).filter(|call| call.action == action);
        let failed = calls().filter(|call| call.expected.failure.is_some()).count();
        assert!(calls().count() - failed >= 3 && failed >= 3, "{action}");
    }
}

#[test]
fn rows_name_faces_that_exist() {
    for row in &Table::own().unwrap().rows {
        let differences = row.calls.iter().flat_map(|call| call.instead.keys());
        for face in row.not_applicable.keys().chain(differences) {
            assert!(NAMES.contains(&face.as_str()), "{}: {face}", row.name);
        }
    }
}

#[test]
fn a_table_that_does_not_fit_the_format_is_refused() {
    let row = |row: Value| Table::parse(&json!({ "values": {}, "rows": [row] }).to_string());
    let call = json!({"action": "test", "output": {}});
    assert!(row(json!({"name": "a", "calls": [call]})).is_ok());
    for (problem, words) in [
        (row(json!({"name": "a", "calls": []})), "has no calls"),
        (row(json!({"name": "a", "calls": [{"action": "test"}]})), "neither an output nor a failure"),
        (row(json!({"name": "a", "calls": [{"action": "test", "output": {}, "failure": {}}]})), "or both"),
        (
            row(json!({"name": "a", "calls": [{"action": "test", "output": {}, "request": 1}]})),
            "unknown field `request`",
        ),
        (row(json!({"name": "a", "calls": [call], "state": {}})), "unknown field `state`"),
        (
            row(json!({"name": "a", "calls": [call], "account": {"dialect": {"error": "list"}}})),
            "unknown field `error`",
        ),
        (
            row(
                json!({"name": "a", "calls": [{"action": "test", "output": {}, "instead": {"spin": {"because": "", "x": 1}}}]}),
            ),
            "unknown field `x`",
        ),
    ] {
        let problem = problem.unwrap_err();
        assert!(problem.contains(words), "{problem}");
    }
    let twice = json!({"values": {}, "rows": [{"name": "a", "calls": [call]}, {"name": "a", "calls": [call]}]});
    assert_eq!(Table::parse(&twice.to_string()).unwrap_err(), "the row a is there twice");
}

/// Runs a table whose values are those of every row.
async fn run(rows: Value) -> Report {
    let table = Table::parse(&json!({"values": {"max-attempts": "1"}, "rows": rows}).to_string()).unwrap();
    Suite::with(table).await.unwrap().run(&Face::by_name().unwrap(), "").await
}

/// Each of these rows is wrong, and its line names the row, the member, and both values.
#[tokio::test]
async fn a_wrong_row_is_refused_and_names_the_member_and_both_values() {
    let wendy = json!({"user": "wendy.appleseed@example.com"});
    let expecting = |name: &str, action: &str, arguments: &Value, expected: Value| {
        let mut call = json!({"action": action, "arguments": arguments});
        call.as_object_mut().unwrap().extend(expected.as_object().unwrap().clone());
        json!({"name": name, "calls": [call]})
    };
    let cases = [
        (
            "output",
            "get-user",
            json!({"output": {"state": "suspended"}}),
            vec![r#"output.state: expected "suspended", found "active""#],
        ),
        (
            "no-output",
            "get-user",
            json!({"output": {"state": "active", "role": "owner"}}),
            vec![r#"output.role: expected "owner", found nothing"#],
        ),
        (
            "changed",
            "suspend-user",
            json!({"output": {}, "changed": false}),
            vec!["changed: expected false, found true"],
        ),
        (
            "code",
            "suspend-user",
            json!({"failure": {"code": "last-owner"}}),
            vec!["failure: expected a failure, found {"],
        ),
        (
            "requests",
            "get-user",
            json!({"output": {}, "requests": []}),
            vec![r#"requests: expected [], found ["GET /users?max_page_size=1000"]"#],
        ),
        ("number", "get-user", json!({"output": {}, "requests": 2}), vec!["requests: expected 2, found ["]),
        ("tokens", "get-user", json!({"output": {}, "tokens": 0}), vec!["token requests: expected 0, found 1"]),
        (
            "placeholder",
            "get-user",
            json!({"output": {"id": "{id:nobody@example.com}"}}),
            vec!["{id:nobody@example.com} is not a placeholder"],
        ),
    ];
    let mut rows: Vec<Value> =
        cases.iter().map(|(name, action, expected, _)| expecting(name, action, &wendy, expected.clone())).collect();
    let nobody = json!({"user": "NOBODY"});
    rows.push(expecting("record", "get-user", &nobody, json!({"failure": {"code": "other", "retryable": true}})));
    rows.push(expecting("success", "get-user", &nobody, json!({"output": {}})));
    let mut state = expecting("state", "suspend-user", &wendy, json!({"output": {}}));
    state["states"] = json!({"wendy.appleseed@example.com": "ACTIVE"});
    rows.push(state);
    let cases = cases.into_iter().map(|(name, _, _, words)| (name, words)).chain([
        (
            "record",
            vec![
                r#"failure.code: expected "other", found "user-not-found""#,
                "failure.retryable: expected true, found false",
            ],
        ),
        ("success", vec!["output: expected an output, found ", "user-not-found"]),
        ("state", vec!["the state of wendy.appleseed@example.com: expected ACTIVE, found SUSPENDED"]),
    ]);

    let report = run(Value::Array(rows)).await;
    assert!(!report.is_ok());
    assert_eq!(report.counts(), [0, 0, report.verdicts.len()]);
    let text = report.to_string();
    for ((name, verdict), (expected, words)) in report.verdicts.iter().zip(cases) {
        assert_eq!(name, expected);
        assert!(text.contains(&format!("FAIL  by-name  {name}\n")), "{text}");
        let Verdict::Different(problems) = verdict else { panic!("{name}: {verdict:?}") };
        for words in words {
            assert!(problems.iter().any(|problem| problem.contains(words)), "{name}: {problems:?}");
        }
    }
}

#[tokio::test]
async fn a_row_that_is_not_applicable_is_printed_and_counted() {
    let call = json!({"action": "test", "output": {}});
    let report = run(json!([
        {"name": "a", "calls": [call], "not_applicable": {"by-name": "for a reason"}},
        {"name": "b", "calls": [call]}
    ]))
    .await;
    assert_eq!(report.counts(), [1, 1, 0]);
    let expected =
        "n/a   by-name  a: for a reason\nok    by-name  b\nby-name: 2 rows, 1 ok, 1 not applicable, 0 different";
    assert_eq!(report.to_string(), expected);
    let none = run(json!([{"name": "a", "calls": [call], "not_applicable": {"by-name": "for a reason"}}])).await;
    assert!(!none.is_ok(), "nothing ran");
}

/// The rows are held against the schemas of the description: accepted arguments must be those that a schema allows.
#[tokio::test]
async fn arguments_of_a_call_that_succeeds_fit_their_schema() {
    let report =
        run(json!([{"name": "a", "calls": [{"action": "list-users", "arguments": {"limit": 5.5}, "output": {}}]}]))
            .await;
    let codes: BTreeSet<&str> = report.verdicts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((codes, report.is_ok()), (BTreeSet::from(["a"]), false));
}
