//! Commands that know a connector by its description only: the built-in one, its component without imports, and another one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::LazyLock;

use onepassword_users_component::STEPS;
use serde_json::{Value, json};

use crate::command_line::command;

const KEY: &str = "badge-key-7Q2";

/// The file of the second connector, built from `examples/`.
static BADGES: LazyLock<PathBuf> = LazyLock::new(|| {
    let workspace = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guest");
    onepassword_users_guest_build::build(workspace, "badge-access-connector", &target_dir).unwrap()
});

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    command(arguments, environment).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", error(output)))
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn error(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Runs the built-in connector with `input` on standard input.
fn run_with_input(arguments: &[&str], input: &str) -> Output {
    let mut child = command(arguments, &[]);
    let child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn describe_shows_what_can_be_set_and_run() {
    let described = json_of(&run(&["describe"], &[]));
    assert_eq!(described["name"], "onepassword-users");
    let shown = text(&run(&["describe", "-o", "table"], &[]));
    insta::assert_snapshot!("describe", shown);
    for (member, name) in [("settings", "name"), ("secrets", "name"), ("actions", "name"), ("codes", "code")] {
        for entry in described[member].as_array().unwrap() {
            assert!(shown.contains(&format!("\n  {}", entry[name].as_str().unwrap())), "{entry}");
        }
    }
    let refused = run(&["describe", "-o", "csv"], &[]);
    assert_eq!((code(&refused), refused.stdout.len()), (2, 0));
}

#[test]
fn arguments_come_from_the_command_line_a_file_or_standard_input() {
    let arguments = r#"{"user":{"email":"wendy.appleseed@example.com"}}"#;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("arguments.json");
    std::fs::write(&file, arguments).unwrap();
    let given = run(&["invoke", "get-user", "--arguments", arguments], &[]);
    let read = run(&["invoke", "get-user", "--arguments", &format!("@{}", file.display())], &[]);
    let piped = run_with_input(&["invoke", "get-user", "--arguments", "-"], arguments);
    for output in [&given, &read, &piped] {
        let result = json_of(output);
        assert_eq!(result["result"]["email"], "wendy.appleseed@example.com");
        assert_eq!((&result["simulated"], &result["changed"]), (&json!(true), &json!(false)));
    }
    let absent = run(&["invoke", "get-user", "--arguments", "@/nowhere/arguments.json"], &[]);
    assert!(code(&absent) == 2 && error(&absent).contains("/nowhere/arguments.json"), "{}", error(&absent));
    let long = run_with_input(&["invoke", "get-user", "--arguments", "-"], &" ".repeat(4 * 1024 * 1024 + 1));
    assert!(code(&long) == 2 && error(&long).contains("longer than"), "{}", error(&long));
}

#[test]
fn wrong_arguments_are_named_as_they_were_given() {
    for (action, arguments, words) in [
        ("list-users", r#"{"timeout":2}"#, "the argument timeout cannot be used"),
        ("get-user", "{}", "the argument user"),
        ("get-user", r#"{"user":5}"#, "the argument user"),
        ("list-users", "[", "the argument arguments"),
        ("nothing", "{}", "only list-users, get-user"),
    ] {
        let output = run(&["invoke", action, "--arguments", arguments, "--simulated"], &[]);
        assert!(error(&output).contains(words), "{action} {arguments}: {}", error(&output));
        assert_eq!((code(&output), output.stdout.len()), (2, 0));
    }
}

#[test]
fn a_change_by_name_needs_an_account_as_any_other() {
    let arguments = r#"{"user":{"email":"wendy.appleseed@example.com"}}"#;
    let refused = run(&["invoke", "suspend-user", "--arguments", arguments], &[]);
    assert!(code(&refused) == 3 && error(&refused).contains("nothing was changed"), "{}", error(&refused));
    let changed = run(&["invoke", "suspend-user", "--arguments", arguments, "--simulated"], &[]);
    assert_eq!(json_of(&changed)["changed"], true);
    let shown = run(&["invoke", "suspend-user", "--arguments", arguments, "--simulated", "-o", "table"], &[]);
    assert!(text(&shown).contains("wendy.appleseed@example.com"), "{}", text(&shown));
    assert!(error(&shown).contains("was suspended"), "{}", error(&shown));
}

/// The component without imports is the same connector, so every command takes it.
#[test]
fn the_component_without_imports_takes_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("steps.wasm");
    std::fs::write(&file, STEPS).unwrap();
    let file = file.to_str().unwrap();
    for arguments in [
        &["list-users", "--limit", "20"][..],
        &["get-user", "wendy.appleseed@example.com"],
        &["suspend-user", "--simulated", "wendy.appleseed@example.com", "helpdesk@example.com"],
        &["test", "--simulated"],
        &["describe"],
        &["invoke", "list-users", "--arguments", r#"{"limit":3}"#],
    ] {
        let (built_in, other) = (run(arguments, &[]), run(&[arguments, &["--component", file]].concat(), &[]));
        assert_eq!((text(&other), error(&other)), (text(&built_in), error(&built_in)), "{arguments:?}");
        assert_eq!(code(&other), code(&built_in));
    }
}

/// The door-access service with the one badge B1, and its origin.
fn doors() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut state = "active";
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let (mut line, mut head) = (String::new(), String::new());
            reader.read_line(&mut line).unwrap();
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
            let (status, body) = match line.trim_end_matches(" HTTP/1.1\r\n") {
                _ if !head.contains(&format!("authorization: Bearer {KEY}\r\n")) => (401, json!({})),
                "GET /v1/badges?limit=1" => (200, json!({"badges": []})),
                "GET /v1/badges/B1" => (200, json!({"id": "B1", "holder": "Ada Park", "state": state})),
                "POST /v1/badges/B1/block" => {
                    state = "blocked";
                    (200, json!({"id": "B1", "holder": "Ada Park", "state": state}))
                }
                _ => (404, json!({"error": {"code": "badge-not-found", "message": "no badge"}})),
            };
            let body = body.to_string();
            let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            let mut stream = reader.into_inner();
            stream.write_all((head + &body).as_bytes()).unwrap();
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read(&mut [0]);
        }
    });
    origin
}

#[test]
fn another_connector_is_described_tested_and_run() {
    let origin = doors();
    let (component, setting) = (BADGES.to_str().unwrap(), format!("base-url={origin}"));
    let environment = [("BADGE_ACCESS_API_KEY", KEY)];
    let run_with = |arguments: &[&str], environment: &[(&str, &str)]| {
        run(&[arguments, &["--component", component, "--setting", &setting]].concat(), environment)
    };
    insta::assert_snapshot!("describe_badges", text(&run(&["describe", "-o", "table", "--component", component], &[])));
    let report = json_of(&run_with(&["test"], &environment));
    assert_eq!(report["ok"], true, "{report}");

    let badge = ["--arguments", r#"{"badge":"B1"}"#];
    let get = run_with(&[&["invoke", "get-badge"], &badge[..]].concat(), &environment);
    assert_eq!(json_of(&get)["result"], json!({"id": "B1", "holder": "Ada Park", "state": "active"}));
    let blocked = run_with(&[&["invoke", "block-badge", "-o", "csv"], &badge[..]].concat(), &environment);
    assert_eq!(text(&blocked), "Outcome,Badge,State\nchanged,B1,blocked\n");

    // The secret from a file, and the setting from a variable.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, format!("{KEY}\n")).unwrap();
    let environment = [("BADGE_ACCESS_API_KEY_FILE", file.to_str().unwrap()), ("BADGE_ACCESS_BASE_URL", &origin)];
    let get = [&["invoke", "get-badge", "-o", "table", "--component", component], &badge[..]].concat();
    let get = run(&get, &environment);
    assert!(text(&get).contains("Ada Park") && error(&get).contains("is blocked"), "{}{}", text(&get), error(&get));

    // Its failures, with names that can be set.
    let absent = run_with(&["invoke", "get-badge", "--arguments", r#"{"badge":"B2"}"#], &environment);
    assert_eq!(code(&absent), 6, "{}", error(&absent));
    let wrong = run_with(&["test"], &[("BADGE_ACCESS_API_KEY", "wrong")]);
    assert!(code(&wrong) == 4 && !error(&wrong).contains("wrong\""), "{}", error(&wrong));
    let unset = run_with(&["test"], &[]);
    assert!(code(&unset) == 3 && error(&unset).contains("BADGE_ACCESS_API_KEY is not set"), "{}", error(&unset));
    let typed = run(&["list-users", "--component", component], &[]);
    assert!(code(&typed) == 13 && error(&typed).contains("called by name"), "{}", error(&typed));
}

#[test]
fn settings_of_another_connector_have_its_names() {
    let component = BADGES.to_str().unwrap();
    let with = |setting: &str| run(&["test", "--component", component, "--setting", setting], &[]);
    for (setting, words) in [
        ("base-url", "the form NAME=VALUE"),
        ("api-key=x", "set BADGE_ACCESS_API_KEY, or BADGE_ACCESS_API_KEY_FILE"),
        ("colour=red", "no setting colour, only base-url"),
    ] {
        let output = with(setting);
        assert!(code(&output) == 2 && error(&output).contains(words), "{setting}: {}", error(&output));
        assert!(!error(&output).contains("=x"), "{}", error(&output));
    }
    let own = run(&["list-users", "--setting", "timeout=5"], &[]);
    assert!(code(&own) == 2 && error(&own).contains("other connectors"), "{}", error(&own));
}
