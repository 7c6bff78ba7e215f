//! Any connector: the description, actions by name, and the test, for a host that knows no more than the contract.

use std::collections::BTreeMap;

use onepassword_users_component::COMPONENT;
use onepassword_users_host::catalogue::{ACTIONS, ErrorCode, SECRETS, SETTINGS};
use onepassword_users_host::types::ChangeMode;
use onepassword_users_host::{Error, Host, Output, StateChange, User};
use onepassword_users_simulator::{Fault, Operation};
use onepassword_users_test_kit::harness::{ALL, Harness, config, email, expect_failure, options};
use serde_json::{Value, json};

const WENDY: &str = "wendy.appleseed@example.com";

/// Runs actions by name and holds their results against the schemas of the description.
struct Checked {
    harness: Harness,
    schemas: BTreeMap<String, (jsonschema::Validator, jsonschema::Validator)>,
}

impl Checked {
    async fn new() -> Self {
        let harness = Harness::new().await;
        let manifest = harness.connector.describe().await.unwrap();
        let validator = |schema: &Value| jsonschema::draft202012::new(schema).unwrap();
        let schemas = manifest
            .actions
            .iter()
            .map(|action| (action.name.clone(), (validator(&action.input), validator(&action.output))));
        Self { schemas: schemas.collect(), harness }
    }

    async fn invoke(&self, action: &str, arguments: Value) -> (Value, Output) {
        let (input, result) = &self.schemas[action];
        assert!(input.is_valid(&arguments), "{action}: {arguments}");
        let output = self.harness.connector.invoke(action, &arguments.to_string()).await.unwrap();
        let json: Value = serde_json::from_str(&output.json).unwrap();
        let problems: Vec<String> = result.iter_errors(&json).map(|error| error.to_string()).collect();
        assert_eq!(problems, [""; 0], "{action} {arguments}: {json}");
        (json, output)
    }
}

#[tokio::test]
async fn the_description_needs_no_account_and_has_all_actions_and_values() {
    let harness = Harness::new().await;
    let manifest = harness.connector.describe().await.unwrap();
    let names = |values: &[onepassword_users_host::ManifestValue]| -> Vec<String> {
        values.iter().map(|value| value.name.clone()).collect()
    };
    assert_eq!(names(&manifest.settings), SETTINGS.map(|value| value.name));
    assert_eq!(names(&manifest.secrets), SECRETS.map(|value| value.name));
    let actions: Vec<&str> = manifest.actions.iter().map(|action| action.name.as_str()).collect();
    assert_eq!(actions, ACTIONS.map(|action| action.name));
    assert_eq!(manifest.version, env!("CARGO_PKG_VERSION"));
    assert_eq!(harness.requests(), [""; 0]);
}

#[tokio::test]
async fn every_action_by_name_has_a_result_that_fits_its_schema() {
    let checked = Checked::new().await;
    let wendy = checked.harness.id(WENDY);

    let (list, output) = checked.invoke("list-users", json!({})).await;
    let users = list["users"].as_array().unwrap();
    assert_eq!((users.len(), output.summary.as_str(), output.changed), (60, "60 users", false));
    let (part, output) = checked.invoke("list-users", json!({"state": "active", "limit": 7})).await;
    assert_eq!(part["users"].as_array().unwrap().len(), 7);
    assert_eq!(output.summary, "7 users, and there are more");
    let rest = json!({"state": "active", "page_token": part["next_page_token"]});
    let (rest, _) = checked.invoke("list-users", rest).await;
    let active = users.iter().filter(|user| user["state"] == "active").count();
    assert_eq!(rest["users"].as_array().unwrap().len(), active - 7);
    assert_eq!(rest["next_page_token"], Value::Null);

    for user in [json!(wendy), json!(WENDY), json!({"id": wendy}), json!({"id": wendy, "email": WENDY})] {
        let (user, output) = checked.invoke("get-user", json!({ "user": user })).await;
        assert_eq!((&user["id"], &user["state"]), (&json!(wendy), &json!("active")));
        assert_eq!(output.summary, format!("\"{WENDY}\" ({wendy}) is active"));
    }
    let users = json!([WENDY, {"email": "nobody@example.com"}, WENDY, "../x"]);
    let (found, output) = checked.invoke("find-users", json!({ "users": users })).await;
    let codes: Vec<&Value> = found["results"].as_array().unwrap().iter().map(|found| &found["error"]["code"]).collect();
    assert_eq!(codes, [&Value::Null, &json!("user-not-found"), &Value::Null, &json!("invalid-argument")]);
    assert_eq!(found["results"][1]["input"], json!({"email": "nobody@example.com"}));
    assert_eq!(output.summary, "2 of 4 users found");

    for (action, dry_run, outcome, changed, words) in [
        ("suspend-user", true, "would-change", false, "would be suspended; nothing was sent"),
        ("suspend-user", false, "changed", true, "was suspended"),
        ("suspend-user", false, "unchanged", false, "was suspended already, so nothing was sent"),
        ("reactivate-user", true, "would-change", false, "would be reactivated; nothing was sent"),
        ("reactivate-user", false, "changed", true, "was reactivated"),
        ("reactivate-user", false, "unchanged", false, "was active already, so nothing was sent"),
    ] {
        let (change, output) = checked.invoke(action, json!({"user": WENDY, "dry_run": dry_run})).await;
        assert_eq!((&change["outcome"], output.changed), (&json!(outcome), changed), "{action}");
        assert_eq!(output.summary, format!("\"{WENDY}\" ({wendy}) {words}"));
    }
}

/// The JSON is the same as that of the typed calls.
#[tokio::test]
async fn actions_by_name_say_what_the_typed_calls_say() {
    let checked = Checked::new().await;
    let connector = &checked.harness.connector;
    let typed = connector.list_users(ALL).await.unwrap();
    let typed: Vec<User> = typed.users.into_iter().map(Into::into).collect();
    let (list, _) = checked.invoke("list-users", json!({})).await;
    assert_eq!(list["users"], json!(typed));

    let typed = User::from(connector.get_user(email(WENDY)).await.unwrap());
    assert_eq!(checked.invoke("get-user", json!({ "user": WENDY })).await.0, json!(typed));
    let typed = StateChange::from(connector.suspend_user(email(WENDY), ChangeMode::DryRun).await.unwrap());
    let arguments = json!({"user": WENDY, "dry_run": true});
    assert_eq!(checked.invoke("suspend-user", arguments).await.0, json!(typed));
}

#[tokio::test]
async fn a_bad_call_by_name_is_named_and_nothing_is_sent() {
    let harness = Harness::new().await;
    for (action, arguments, argument) in [
        ("delete-user", "{}", "action"),
        ("get-user", "{}", "user"),
        ("get-user", "[]", "arguments"),
        ("get-user", r#"{"user": 7}"#, "user"),
        ("get-user", r#"{"user": "A", "limit": 7}"#, "limit"),
        ("get-user", r#"{"user": "a@b c@d"}"#, "user"),
        ("list-users", r#"{"limit": 0}"#, "limit"),
        ("list-users", r#"{"page_token": "x"}"#, "page_token"),
        ("suspend-user", r#"{"user": "A", "dry_run": "yes"}"#, "dry_run"),
        ("find-users", r#"{"users": "A"}"#, "users"),
    ] {
        let failure = expect_failure(ErrorCode::InvalidArgument, harness.connector.invoke(action, arguments).await);
        assert_eq!(failure.subject.unwrap().name, argument, "{action} {arguments}");
    }
    assert_eq!(harness.requests(), [""; 0]);
}

#[tokio::test]
async fn failures_by_name_are_those_of_the_typed_calls() {
    let harness = Harness::without_retries().await;
    let nobody = harness.connector.invoke("get-user", r#"{"user":"nobody@example.com"}"#).await;
    let typed = expect_failure(ErrorCode::UserNotFound, harness.connector.get_user(email("nobody@example.com")).await);
    assert_eq!(expect_failure(ErrorCode::UserNotFound, nobody), typed);

    harness.simulator.inject(Operation::Suspend, Fault::reply(503, "{}"));
    let arguments = json!({ "user": WENDY }).to_string();
    let by_name = expect_failure(ErrorCode::Unavailable, harness.connector.invoke("suspend-user", &arguments).await);
    harness.simulator.inject(Operation::Suspend, Fault::reply(503, "{}"));
    let typed = harness.connector.suspend_user(email(WENDY), ChangeMode::Apply).await;
    assert_eq!(by_name, expect_failure(ErrorCode::Unavailable, typed));
    assert!(by_name.may_have_changed && by_name.service.is_some_and(|service| service.status == 503));
}

#[tokio::test]
async fn the_test_says_what_works_what_is_wrong_and_what_was_not_tested() {
    let harness = Harness::without_retries().await;
    let result = |name: &str, report: &Value| -> String {
        let checks = report["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["check"] == name).unwrap();
        check["result"].as_str().unwrap().to_owned()
    };
    let report: Value = serde_json::from_str(&harness.connector.test().await.unwrap().json).unwrap();
    assert_eq!(report["ok"], true);
    assert_eq!([result("list users", &report), result("get users", &report)], ["permitted", "permitted"]);
    assert!(result("suspend users", &report).starts_with("not tested"));
    assert_eq!(harness.requests().len(), 3);

    // Credentials are tested even if a token is left from before.
    harness.values.set("client-secret", "wrong");
    let failure = expect_failure(ErrorCode::Unauthenticated, harness.connector.test().await);
    assert_eq!(failure.subject.unwrap().name, "client-secret");
    harness.values.set("client-secret", harness.simulator.client_secret());
    harness.values.set("account-id", "wrong");
    let failure = expect_failure(ErrorCode::Misconfigured, harness.connector.test().await);
    assert_eq!(failure.subject.unwrap().name, "account-id");
    harness.values.set("account-id", harness.simulator.account_id());
    harness.values.set("protected-users", "*@example.com");
    let failure = expect_failure(ErrorCode::Misconfigured, harness.connector.test().await);
    assert_eq!(failure.subject.unwrap().name, "protected-users");
    harness.values.unset("protected-users");

    harness.simulator.inject(Operation::Get, Fault::reply(403, r#"{"code":7,"message":"no"}"#));
    let report: Value = serde_json::from_str(&harness.connector.test().await.unwrap().json).unwrap();
    assert_eq!(result("get users", &report), "not permitted (HTTP 403, code 7: no)");
    harness.simulator.inject(Operation::List, Fault::reply(403, r#"{"code":7,"message":"no"}"#));
    expect_failure(ErrorCode::PermissionDenied, harness.connector.test().await);
}

/// A list of more than some megabytes is one document, whatever its parts are.
#[tokio::test]
async fn a_long_list_comes_in_parts_that_are_one_document() {
    let config = onepassword_users_simulator::Config { users: 20_000, ..Default::default() };
    let harness = Harness::with(config).await;
    let output = harness.connector.invoke("list-users", "").await.unwrap();
    assert!(output.json.len() > 5 * 1024 * 1024, "{}", output.json.len());
    let list: Value = serde_json::from_str(&output.json).unwrap();
    assert_eq!(list["users"].as_array().unwrap().len(), 20_000);
    assert_eq!(output.summary, "20000 users");
}

/// The built component with its typed interface under another name: a connector that this host does not know.
#[tokio::test]
async fn a_connector_without_the_typed_interface_is_called_by_name() {
    let mut component = COMPONENT.to_vec();
    let (known, other) = (b"onepassword:users/", b"onepassword:other/");
    let places: Vec<usize> = (0..component.len()).filter(|place| component[*place..].starts_with(known)).collect();
    assert!(!places.is_empty());
    places.iter().for_each(|place| component[*place..place + other.len()].copy_from_slice(other));
    let host = Host::new(&component, config()).unwrap();

    let harness = Harness::new().await;
    let connector = host.connector(options(&harness.values)).unwrap();
    assert_eq!(connector.describe().await.unwrap().name, "onepassword-users");
    let output = connector.invoke("list-users", r#"{"limit":3}"#).await.unwrap();
    assert_eq!(output.summary, "3 users, and there are more");
    let Err(Error::Load(problem)) = connector.list_users(ALL).await else { panic!() };
    assert!(problem.contains("typed actions of onepassword:users"), "{problem}");
}
