//! The command line in scripts: its output on both streams, and its exit codes.

use std::io::Write;
use std::process::{Command, Output};

use onepassword_users_host::{Environment, catalogue};
use onepassword_users_simulator::{Config, Fault, Operation, Simulator};
use serde_json::Value;

/// The command with only these environment variables.
pub fn command(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onepassword-users"));
    command.args(arguments).env_clear().envs(environment.iter().copied());
    // HOME is for the cache of compiled code.
    for name in ["HOME", "PATH"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command
}

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    command(arguments, environment).output().unwrap()
}

/// The command line, its output and its exit code.
fn transcript(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = run(arguments, environment);
    format!(
        "$ onepassword-users {}\n{}[exit code {}]\n{}",
        arguments.join(" "),
        String::from_utf8(output.stdout).unwrap(),
        output.status.code().unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A simulated account in this process, and the environment variables that point to it.
pub struct Account {
    pub simulator: Simulator,
    environment: Vec<(&'static str, String)>,
}

impl Account {
    pub async fn new() -> Self {
        let simulator = Simulator::start(Config { users: 40, ..Config::default() }).await.unwrap();
        let environment = vec![
            ("ONEPASSWORD_MAX_ATTEMPTS", "1".to_owned()),
            ("ONEPASSWORD_BASE_URL", simulator.base_url()),
            ("ONEPASSWORD_ACCOUNT_ID", simulator.account_id().to_owned()),
            ("ONEPASSWORD_CLIENT_ID", simulator.client_id().to_owned()),
            ("ONEPASSWORD_CLIENT_SECRET", simulator.client_secret().to_owned()),
        ];
        Self { simulator, environment }
    }

    pub fn environment(&self) -> Vec<(&str, &str)> {
        self.environment.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    fn without(&self, names: &[&str]) -> Vec<(&str, &str)> {
        self.environment().into_iter().filter(|(name, _)| !names.contains(name)).collect()
    }
}

macro_rules! assert_transcript {
    ($name:expr, $arguments:expr) => {
        assert_transcript!($name, $arguments, &[])
    };
    ($name:expr, $arguments:expr, $environment:expr) => {
        insta::with_settings!({ filters => [
            (r"127\.0\.0\.1:\d+", "127.0.0.1:<port>"),
            (r"onepassword-users \d+\.\d+\.\d+", "onepassword-users <version>"),
        ], omit_expression => true }, { insta::assert_snapshot!($name, transcript($arguments, $environment)) });
    };
}

#[test]
fn help() {
    assert_transcript!("help", &["--help"]);
    for command in [
        "list-users",
        "get-user",
        "suspend-user",
        "reactivate-user",
        "test",
        "describe",
        "invoke",
        "simulate",
        "demo",
        "completions",
        "man",
    ] {
        assert_transcript!(format!("help_{command}"), &[command, "--help"]);
    }
}

#[test]
fn without_credentials_read_commands_use_a_simulated_account() {
    assert_transcript!("list_json", &["list-users", "--limit", "2"]);
    assert_transcript!("list_table", &["list-users", "--limit", "12", "--output", "table"]);
    assert_transcript!("list_csv", &["list-users", "--limit", "9", "--state", "active", "-o", "csv"]);
    assert_transcript!("get_json", &["get-user", "wendy.appleseed@example.com"]);
    assert_transcript!("get_table", &["get-user", "-o", "table", "TOMAS.HERRERA@example.com"]);
    let all = run(&["list-users"], &[]);
    assert_eq!(json(&all)["users"].as_array().unwrap().len(), 2500);
    assert_eq!(json(&all)["simulated"], true);
}

#[test]
fn without_credentials_a_test_needs_the_flag_simulated() {
    assert_transcript!("test_refused", &["test"]);
    assert_transcript!("test_table", &["test", "--simulated", "-o", "table"]);
    assert_transcript!("test_csv", &["test", "--simulated", "-o", "csv"]);
    assert_transcript!("test_json", &["test", "--simulated"]);
}

#[test]
fn without_credentials_a_change_needs_the_flag_simulated() {
    let people =
        ["wendy.appleseed@example.com", "margaret.okafor@example.com", "helpdesk@example.com", "NOBODY", "a/b"];
    for verb in ["suspend-user", "reactivate-user"] {
        assert_transcript!(format!("{verb}_refused"), &[verb, people[0]]);
        for format in ["json", "table", "csv", "ndjson"] {
            let arguments = [&[verb, "--simulated", "-o", format][..], &people].concat();
            assert_transcript!(format!("{verb}_{format}"), &arguments);
        }
    }
    assert_transcript!("suspend_dry_run", &["suspend-user", "--simulated", "--dry-run", "-o", "table", people[0]]);
    assert_transcript!("suspend_twice", &["suspend-user", "--simulated", "-o", "table", people[0], people[0]]);
}

#[test]
fn demo() {
    assert_transcript!("demo", &["demo"]);
}

#[test]
fn json_output_of_the_demo_is_marked_as_simulated() {
    let output = run(&["demo", "--output", "json"], &[]);
    let results: Vec<Value> =
        serde_json::Deserializer::from_slice(&output.stdout).into_iter().map(Result::unwrap).collect();
    assert_eq!(results.len(), 6);
    assert!(results.iter().all(|result| result["simulated"] == true));
}

#[test]
fn network_flags() {
    let output =
        run(&["--insecure", "--proxy", "none", "test", "--simulated"], &[("HTTP_PROXY", "http://127.0.0.1:1")]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("warning: TLS certificates are not verified"));
}

#[test]
fn wrong_usage() {
    for (name, arguments) in [
        ("nothing", &[][..]),
        ("unknown_command", &["delete-user", "A"][..]),
        ("limit_0", &["list-users", "--limit", "0"]),
        ("unknown_state", &["list-users", "--state", "gone"]),
        ("no_user", &["suspend-user"]),
        ("not_a_user", &["get-user", "../x"]),
        ("bad_timeout", &["list-users", "--timeout", "30s"]),
        ("bad_version", &["list-users", "--api-version", "v2"]),
        ("bad_proxy", &["--proxy", "somewhere", "list-users"]),
        ("no_component", &["--component", "/nowhere.wasm", "list-users"]),
        ("no_component_at_all", &["--component", "/dev/null", "list-users"]),
        ("no_ca_file", &["--ca-file", "/nowhere.pem", "list-users"]),
    ] {
        assert_transcript!(format!("usage_{name}"), arguments);
    }
}

#[test]
fn secrets_on_the_command_line_are_refused_and_not_repeated() {
    for arguments in [
        &["list-users", "--client-secret", "hunter2"][..],
        &["list-users", "--client-secret=hunter2"],
        &["list-users", "--access-token=hunter2"],
        &["list-users", "--secret=hunter2"],
        &["list-users", "--client_secret", "hunter2"],
        &["--proxy", "http://me:hunter2@proxy.example:8080", "list-users"],
        &["--proxy=http://me:hunter2@proxy.example:8080", "list-users"],
        &["ONEPASSWORD_CLIENT_SECRET=hunter2", "list-users"],
    ] {
        let output = run(arguments, &[]);
        assert_ne!(output.status.code(), Some(0));
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains("others can read") && !text.contains("hunter2"), "{text}");
        assert!(output.stdout.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_only_some_credentials_the_command_fails() {
    let account = Account::new().await;
    let (id, secret, base) = ("ONEPASSWORD_CLIENT_ID", "ONEPASSWORD_CLIENT_SECRET", "ONEPASSWORD_BASE_URL");
    for missing in [
        &[id][..],
        &[secret],
        &["ONEPASSWORD_ACCOUNT_ID"],
        &[id, secret],
        &["ONEPASSWORD_ACCOUNT_ID", id, secret, base][..3],
    ] {
        for arguments in [&["list-users"][..], &["suspend-user", "A"], &["test"]] {
            let output = run(arguments, &account.without(missing));
            let text = String::from_utf8(output.stderr).unwrap();
            assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0), "{text}");
            assert!(missing.iter().all(|name| text.contains(name)), "{text}");
            assert!(!text.contains(account.simulator.client_secret()));
        }
    }
    assert!(account.simulator.take_records().is_empty());
    assert_transcript!("half_set", &["list-users"], &[("ONEPASSWORD_ACCOUNT_ID", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_credentials_the_service_is_used() {
    let account = Account::new().await;
    let output = run(&["list-users"], &account.environment());
    let list = json(&output);
    assert_eq!((list["users"].as_array().unwrap().len(), &list["simulated"]), (40, &Value::Bool(false)));
    assert!(output.stderr.is_empty(), "standard error is empty on success");

    // Without a terminal there is no prompt.
    let output = run(&["suspend-user", "wendy.appleseed@example.com"], &account.environment());
    assert_eq!(json(&output)["results"][0]["outcome"], "changed");
    let state = account.simulator.account(|a| a.by_email("wendy.appleseed@example.com").unwrap().state.clone());
    assert_eq!(state, "SUSPENDED");

    // --simulated takes precedence over the environment, and so does the demo.
    account.simulator.take_records();
    let output = run(&["reactivate-user", "--simulated", "wendy.appleseed@example.com"], &account.environment());
    assert_eq!(json(&output)["simulated"], true);
    run(&["demo"], &account.environment());
    assert!(account.simulator.take_records().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_secret_files_and_access_tokens() {
    let account = Account::new().await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "{}", account.simulator.client_secret()).unwrap();
    let path = file.path().to_str().unwrap();

    let mut environment =
        account.without(&["ONEPASSWORD_CLIENT_SECRET", "ONEPASSWORD_BASE_URL", "ONEPASSWORD_ACCOUNT_ID"]);
    environment.push(("ONEPASSWORD_CLIENT_SECRET_FILE", path));
    let (base_url, account_id) = (account.simulator.base_url(), account.simulator.account_id().to_owned());
    let flags =
        ["--base-url", &base_url, "--account", &account_id, "test", "--api-version", "v1beta1", "--timeout", "5"];
    let output = run(&flags, &environment);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(account.simulator.take_records()[0].target.starts_with("/v1beta1/"));

    let mut both = account.environment();
    both.push(("ONEPASSWORD_CLIENT_SECRET_FILE", path));
    let output = run(&["test"], &both);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().contains("ONEPASSWORD_CLIENT_SECRET_FILE"));

    let mut missing_file = account.without(&["ONEPASSWORD_CLIENT_SECRET"]);
    missing_file.push(("ONEPASSWORD_CLIENT_SECRET_FILE", "/nowhere/secret"));
    let output = run(&["test"], &missing_file);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().contains("/nowhere/secret"));

    let token = account.simulator.issue_token();
    let mut environment = account.without(&["ONEPASSWORD_CLIENT_ID", "ONEPASSWORD_CLIENT_SECRET"]);
    environment.push(("ONEPASSWORD_ACCESS_TOKEN", &token));
    account.simulator.take_records();
    assert_eq!(run(&["test"], &environment).status.code(), Some(0));
    assert_eq!(account.simulator.take_records().len(), 2, "a page and a user, and no token request");
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_by_error() {
    let account = Account::new().await;
    let environment = account.environment();
    let wrong =
        [&account.without(&["ONEPASSWORD_CLIENT_SECRET"])[..], &[("ONEPASSWORD_CLIENT_SECRET", "wrong")]].concat();
    let code = |arguments: &[&str], environment: &[(&str, &str)]| {
        let output = run(arguments, environment);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.starts_with("error: ") && !text.contains(account.simulator.client_secret()), "{text}");
        output.status.code().unwrap()
    };
    let fault = |operation, status, body: &str| {
        for _ in 0..10 {
            account.simulator.inject(operation, Fault::reply(status, body));
        }
    };
    let gateway = r#"{"code":7,"message":"no","details":[]}"#;
    assert_eq!(code(&["get-user", "a/b"], &environment), 2);
    assert_eq!(code(&["list-users", "--timeout", "0"], &environment), 3);
    assert_eq!(code(&["list-users"], &wrong), 4);
    fault(Operation::List, 403, gateway);
    assert_eq!(code(&["list-users"], &environment), 5);
    let account_two = Account::new().await;
    let environment_two = account_two.environment();
    assert_eq!(code(&["get-user", "NOBODY"], &environment_two), 6);
    assert_eq!(code(&["get-user", "helpdesk@example.com"], &environment_two), 7);
    assert_eq!(code(&["suspend-user", "margaret.okafor@example.com"], &environment_two), 8);
    assert_eq!(code(&["suspend-user", "ines.provider@example.com"], &environment_two), 8);
    fault(Operation::Get, 429, gateway);
    assert_eq!(code(&["get-user", "A"], &environment), 9);
    let account_three = Account::new().await;
    for _ in 0..10 {
        account_three.simulator.inject(Operation::Get, Fault::reply(503, gateway));
    }
    assert_eq!(code(&["get-user", "A"], &account_three.environment()), 10);
    account_two.simulator.inject(Operation::Get, Fault::reply(200, "<html>"));
    assert_eq!(code(&["get-user", "A"], &environment_two), 11);
    // Several users: the code of the error if all failures have the same one, else 1.
    assert_eq!(code(&["suspend-user", "NOBODY", "wendy.appleseed@example.com", "NEMO"], &environment_two), 6);
    assert_eq!(code(&["suspend-user", "NOBODY", "helpdesk@example.com", "NEMO"], &environment_two), 1);
}

/// An error in JSON has the members of its golden file, and the same class and remedy apart from the spelling of names.
#[tokio::test(flavor = "multi_thread")]
async fn json_errors_have_the_form_of_the_golden_files() {
    let words = |code: u8| format!(r#"{{"code":{code},"message":"no","details":[]}}"#);
    // The code, the users, and the answer of the service if it is not the simulator's own.
    type Case = (&'static str, &'static str, Option<(Operation, u16, String)>);
    let moved = r#"{"id":"CECVP4FQBNIIODOC7DDCOVMELY","email":"w@example.com","state":"ACTIVE"}"#;
    let circle = r#"{"results":[{"id":"A"}],"next_page_token":"again"}"#;
    let cases: [Case; 16] = [
        ("invalid-argument", "a/b", None),
        ("user-not-found", "NOBODY", None),
        ("ambiguous-user", "helpdesk@example.com", None),
        ("last-owner", "margaret.okafor@example.com", None),
        ("externally-managed", "ines.provider@example.com", None),
        ("permission-denied", "A", Some((Operation::Get, 403, words(7)))),
        ("unauthenticated", "A", Some((Operation::Get, 401, words(16)))),
        ("misconfigured", "A", Some((Operation::Get, 404, "<html>".into()))),
        ("rate-limited", "A", Some((Operation::Get, 429, words(8)))),
        ("unavailable", "A", Some((Operation::Get, 503, words(14)))),
        ("invalid-response", "A", Some((Operation::Get, 200, "<html>".into()))),
        ("other", "A", Some((Operation::Get, 409, words(6)))),
        ("intermediary", "A", Some((Operation::Get, 403, "<html>".into()))),
        ("protected-user", "wendy.appleseed@example.com", None),
        (
            "address-mismatch",
            "wendy.appleseed@example.com nobody@example.com",
            Some((Operation::Get, 200, moved.into())),
        ),
        ("endless-list", "wendy.appleseed@example.com", Some((Operation::List, 200, circle.into()))),
    ];
    for (code, users, fault) in cases {
        let account = Account::new().await;
        for (operation, status, body) in fault.iter().flat_map(|fault| std::iter::repeat_n(fault, 2)) {
            account.simulator.inject(*operation, Fault::reply(*status, body));
        }
        let arguments = ["suspend-user", "--output", "json"].into_iter().chain(users.split(' '));
        let mut environment = account.environment();
        if code == "protected-user" {
            environment.push(("ONEPASSWORD_PROTECTED_USERS", users));
        }
        let output = run(&arguments.collect::<Vec<_>>(), &environment);
        let error = &json(&output)["results"][0]["error"];
        let golden = format!("{}/../core/tests/golden/{code}.json", env!("CARGO_MANIFEST_DIR"));
        let golden: Value = serde_json::from_str(&std::fs::read_to_string(golden).unwrap()).unwrap();
        let names = |json: &Value| json.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(error), names(&golden), "{code}");
        for member in ["code", "class", "retryable"] {
            assert_eq!(error[member], golden[member], "{code}: {error}");
        }
        let mut remedy = error["remedy"].as_str().unwrap().to_owned();
        for value in catalogue::SETTINGS.iter().chain(&catalogue::SECRETS) {
            remedy = remedy.replace(&Environment::variable(value.name), value.name);
        }
        // The golden files of these are about another setting, another permission, and a change that may have been made.
        assert!(
            remedy == golden["remedy"] || ["misconfigured", "permission-denied", "unavailable"].contains(&code),
            "{code}: {remedy}"
        );
        if error["subject"].is_object() {
            assert_eq!(names(&error["subject"]), ["kind", "name"]);
        }
        if error["service"].is_object() {
            assert_eq!(names(&error["service"]), ["status", "code", "message"]);
        }
    }
}

/// If one stream fails, the results are on the other, and the remaining users are still changed.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn write_errors_do_not_stop_the_changes() {
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let account = Account::new().await;
    let arguments = ["suspend-user", "NOBODY", "wendy.appleseed@example.com"];
    let state = || account.simulator.account(|a| a.by_email("wendy.appleseed@example.com").unwrap().state.clone());

    let output = command(&arguments, &account.environment()).stderr(full()).output().unwrap();
    assert_eq!((output.status.code(), state().as_str()), (Some(6), "SUSPENDED"));
    assert_eq!(json(&output)["results"][1]["outcome"], "changed");

    let output = command(&["reactivate-user", "NOBODY", "wendy.appleseed@example.com"], &account.environment())
        .stdout(full())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("wendy.appleseed@example.com: changed") && text.contains("NOBODY") && text.contains("written"),
        "{text}"
    );
    assert_eq!((output.status.code(), state().as_str()), (Some(1), "ACTIVE"));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_reports_finished_and_untouched_users() {
    let account = Account::new().await;
    account.simulator.inject(Operation::Get, Fault::Delay(std::time::Duration::from_secs(2)));
    let id = account.simulator.account(|a| a.by_email("wendy.appleseed@example.com").unwrap().id.clone());
    let mut child = command(&["suspend-user", &id, "SECOND", "THIRD"], &account.environment());
    let mut child = child.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    while account.simulator.take_records().is_empty() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it sent anything");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.ends_with("as --users-file reads them:\nSECOND\nTHIRD\n"), "{text}");
    assert_eq!((output.status.code(), &json(&output)["results"][0]["outcome"]), (Some(130), &Value::from("changed")));
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let mut child = command(&["list-users"], &[])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn verbose_logs_show_requests_but_no_secret() {
    let account = Account::new().await;
    let output = run(&["suspend-user", "-vv", "wendy.appleseed@example.com"], &account.environment());
    let text = String::from_utf8(output.stderr).unwrap();
    for part in ["suspend-user", "client-secret", "/v1/oauth/token", "status=200"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let records = account.simulator.take_records();
    for record in &records {
        let (_, credentials) = record.headers.iter().find(|(name, _)| name == "authorization").unwrap();
        assert!(!text.contains(credentials.split(' ').next_back().unwrap()), "{text}");
    }
    assert!(!text.contains(account.simulator.client_secret()), "{text}");
}

#[test]
fn simulate_prints_the_environment_of_its_account() {
    use std::io::{BufRead, BufReader};
    let mut child = command(&["simulate", "--users", "12"], &[]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let environment: Vec<(String, String)> = lines
        .take_while(|line| !line.starts_with("# Ctrl+C"))
        .filter_map(|line| line.strip_prefix("export ")?.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned())))
        .collect();
    let environment: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(environment.len(), 4);
    let output = run(&["list-users"], &environment);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(json(&output)["users"].as_array().unwrap().len(), 12);
}
