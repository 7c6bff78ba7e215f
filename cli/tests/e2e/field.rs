//! Faults from the field and from attacks, on the command line.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use onepassword_users_simulator::{Config, Fault, Operation, Simulator};
use serde_json::{Value, json};

use crate::command_line::{Account, command};

const WENDY: &str = "wendy.appleseed@example.com";
const TOMAS: &str = "tomas.herrera@example.com";

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    command(arguments, environment).output().unwrap()
}

fn run_with_input(arguments: &[&str], environment: &[(&str, &str)], input: &str) -> Output {
    let mut command = command(arguments, environment);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // One that needs no input may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn error(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    text(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn state(simulator: &Simulator, email: &str) -> String {
    simulator.account(|account| account.by_email(email).unwrap().state.clone())
}

/// Text from an alert, passed as a user, is neither an option nor a success.
#[tokio::test(flavor = "multi_thread")]
async fn row_11_no_text_after_the_command_decides_where_secrets_go_or_whether_anything_happens() {
    let account = Account::new().await;
    let other = Simulator::start(Config { users: 1, ..Config::default() }).await.unwrap();
    let base_url = format!("--base-url={}", other.base_url());
    for option in
        [&base_url, "--account=X", "--proxy=none", "--ca-file=/x", "--insecure", "--allow-private", "--component=/x"]
    {
        for verb in ["suspend-user", "reactivate-user", "get-user", "list-users", "test"] {
            // Before the user, after it, and in its place.
            for arguments in [&[verb, option, "A"][..], &[verb, "A", option], &[verb, option]] {
                let output = run(arguments, &account.environment());
                assert_eq!((code(&output), output.stdout.len()), (2, 0), "{arguments:?}: {}", error(&output));
            }
        }
    }
    for option in
        ["--dry-run", "--simulated", "--yes", "-y", "-v", "--output=json", "-ojson", "--help", "-h", "--version"]
    {
        for verb in ["suspend-user", "reactivate-user"] {
            let output = run(&[verb, "A", option], &account.environment());
            assert_eq!((code(&output), output.stdout.len()), (2, 0), "{option}: {}", error(&output));
            // In place of the user, nothing is changed, and that is no success.
            let output = run(&[verb, option], &account.environment());
            assert_eq!(code(&output), 2, "{option}: {}", error(&output));
            // With --, it is a user who does not exist.
            let output = run(&[verb, "--", option], &account.environment());
            assert!([2, 6].contains(&code(&output)), "{option}: {}", error(&output));
        }
    }
    assert_eq!(other.take_records().len(), 0, "the secret went nowhere else");
    assert_eq!(state(&account.simulator, WENDY), "ACTIVE");
    // Every argument is a user, and each has an outcome: two hyphens are no user either.
    for arguments in [&["suspend-user", "--", "--"][..], &["suspend-user", "--dry-run", "--", "--"]] {
        let output = run(arguments, &account.environment());
        assert!([2, 6].contains(&code(&output)), "{}", error(&output));
    }
    let output = run(&["suspend-user", "--", "NOBODY", "--"], &account.environment());
    let document: Value = serde_json::from_str(&text(&output)).unwrap();
    assert_eq!((code(&output) == 0, document["results"].as_array().unwrap().len()), (false, 2));
    let hint = error(&run(&["suspend-user", &base_url, WENDY], &account.environment()));
    assert!(hint.contains("--base-url decides where requests and secrets go"), "{hint}");
    // As documented, it works.
    let output = run(&["suspend-user", "--", WENDY], &account.environment());
    assert_eq!((code(&output), state(&account.simulator, WENDY).as_str()), (0, "SUSPENDED"));
}

#[tokio::test(flavor = "multi_thread")]
async fn row_11_a_dry_run_that_would_change_something_has_its_own_exit_code_and_errors_win() {
    let account = Account::new().await;
    let dry_run =
        |users: &[&str]| code(&run(&[&["suspend-user", "--dry-run"], users].concat(), &account.environment()));
    assert_eq!(dry_run(&[WENDY]), 20);
    assert_eq!(dry_run(&[TOMAS]), 0, "suspended already");
    assert_eq!(dry_run(&[WENDY, TOMAS]), 20);
    assert_eq!(dry_run(&[WENDY, "NOBODY"]), 6);
    assert_eq!(dry_run(&["helpdesk@example.com", WENDY, "NOBODY"]), 1);
    let arguments = json!({ "user": WENDY, "dry_run": true }).to_string();
    let by_name = run(&["invoke", "suspend-user", "--arguments", &arguments], &account.environment());
    assert_eq!(code(&by_name), 20, "{}", error(&by_name));
    assert_eq!(state(&account.simulator, WENDY), "ACTIVE");
}

#[test]
fn row_32_a_users_file_in_another_encoding_is_named_and_a_pipe_without_a_writer_is_no_hang() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let utf16: Vec<u8> = "\u{feff}A\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let with = |file: &str| run(&["suspend-user", "--simulated", "--users-file", file], &[]);
    for (file, words) in [
        (write("utf16", &utf16), "looks like UTF-16"),
        (write("latin1", b"M\xfcller@example.com"), "not UTF-8, after 1 bytes"),
        (write("empty", b"\n# nobody yet\n"), "names no user"),
        (write("csv", b"A\n'=1+1\n"), "line 2 begins with '"),
        ("/nowhere".into(), "cannot read /nowhere"),
    ] {
        let output = with(&file);
        assert!(code(&output) == 2 && error(&output).contains(words), "{file}: {}", error(&output));
    }
    #[cfg(unix)]
    {
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let output = with(pipe.to_str().unwrap());
        assert!(code(&output) == 2 && error(&output).contains("nobody is at its other end"), "{}", error(&output));
    }
    let marked = write("marked", format!("\u{feff}{WENDY}\r\n").as_bytes());
    assert_eq!(code(&with(&marked)), 0);
}

#[test]
fn row_41_no_text_from_outside_reaches_the_terminal_raw() {
    let evil = "\u{1b}]0;x\u{7}\u{202e}\u{85}\u{9b}31m\u{2028}a@example.com";
    for arguments in [
        &["get-user", "--simulated", evil][..],
        &["suspend-user", "--simulated", evil],
        &["suspend-user", "--simulated", "--output", "table", evil, "B"],
        &["list-users", "--simulated", "--page-token", evil],
        &["list-users", "--state", evil],
        &[evil],
        &["--component", evil, "list-users"],
        &["invoke", "--simulated", evil],
        &["invoke", "--simulated", "get-user", "--arguments", &json!({ "user": evil }).to_string()],
        &["suspend-user", "--users-file", evil],
        &["get-user", "-o", "json", "--simulated", evil],
    ] {
        let output = run(arguments, &[]);
        assert_ne!(code(&output), 0, "{arguments:?}");
        let shown = text(&output) + &error(&output);
        let raw = |c: char| c != '\n' && !onepassword_users_host::is_printable(c);
        assert!(!shown.contains(raw), "{arguments:?}: {shown:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_42_names_are_no_formulas_in_csv() {
    let account = Account::new().await;
    let user = |name: &str| {
        let mut user = json!({ "id": "A", "email": "=cmd@example.com", "state": "ACTIVE" });
        user["display_name"] = name.into();
        user.to_string()
    };
    for name in ["=HYPERLINK(\"http://x\")", "+1", "-1", "@SUM(A1)", "\t=1"] {
        account.simulator.inject(Operation::Get, Fault::reply(200, &user(name)));
        let shown = text(&run(&["get-user", "-o", "csv", "A"], &account.environment()));
        let mut cells = shown.lines().nth(1).unwrap().splitn(3, ',').skip(1);
        assert_eq!(cells.next(), Some("'=cmd@example.com"), "{shown}");
        assert!(cells.next().unwrap().trim_matches(['"', '\u{fffd}']).starts_with('\''), "{shown}");
        account.simulator.inject(Operation::Get, Fault::reply(200, &user(name)));
        let raw = text(&run(&["get-user", "-o", "csv-raw", "A"], &account.environment()));
        assert!(raw.contains(",=cmd@example.com,"), "{raw}");
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn row_51_signals_stop_after_the_current_user_and_lose_nothing() {
    for (signal, expected) in [("-TERM", 143), ("-HUP", 129), ("-INT", 130)] {
        let account = Account::new().await;
        account.simulator.inject(Operation::Get, Fault::Delay(Duration::from_secs(1)));
        let id = account.simulator.account(|a| a.by_email(WENDY).unwrap().id.clone());
        let arguments = ["suspend-user", "-o", "ndjson", &id, "SECOND", "-THIRD"];
        let arguments = [&arguments[..3], &["--"], &arguments[3..]].concat();
        let mut command = command(&arguments, &account.environment());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        while account.simulator.take_records().is_empty() {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it sent anything");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(code(&output), expected, "{}", error(&output));
        let lines = lines(&output);
        assert_eq!((lines.len(), &lines[0]["outcome"]), (2, &json!("changed")), "{signal}");
        assert_eq!(lines[1]["not_processed"], json!(["SECOND", "-THIRD"]));
        assert!(error(&output).ends_with("reads them:\nSECOND\n-THIRD\n"), "{}", error(&output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_53_a_page_token_may_begin_with_a_hyphen() {
    let account = Account::new().await;
    let output = run(&["list-users", "--page-token", "-x"], &account.environment());
    assert!(code(&output) == 2 && error(&output).contains("--page-token"), "{}", error(&output));
    let first = run(&["list-users", "--limit", "3", "-o", "csv"], &account.environment());
    let hint = error(&first);
    let option = hint.split("continue with ").nth(1).unwrap().trim();
    let rest = run(&["list-users", option, "-o", "csv"], &account.environment());
    assert_eq!(text(&rest).lines().count(), 1 + 40 - 3, "{}", error(&rest));
}

/// A process that was started with `nohup` does not stop when its terminal goes.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn row_51_a_hang_up_that_is_ignored_stays_ignored() {
    let account = Account::new().await;
    account.simulator.inject(Operation::Get, Fault::Delay(Duration::from_secs(1)));
    let id = account.simulator.account(|a| a.by_email(WENDY).unwrap().id.clone());
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$0\" suspend-user \"$1\"", env!("CARGO_BIN_EXE_onepassword-users"), &id]);
    let shell = shell.envs(account.environment()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    while account.simulator.take_records().is_empty() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it sent anything");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", error(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn row_55_a_failure_is_one_document_for_those_who_asked_for_json() {
    let account = Account::new().await;
    let environment = account.environment();
    for (arguments, expected) in [
        (&["get-user", "NOBODY"][..], "user-not-found"),
        (&["list-users", "--page-token", "x"], "invalid-argument"),
        (&["invoke", "get-user", "--arguments", "{}"], "invalid-argument"),
        (&["invoke", "nothing"], "invalid-argument"),
        (&["--ca-file", "/nowhere", "test"], "misconfigured"),
        (&["suspend-user", "--users-file", "/nowhere"], "invalid-argument"),
        (&["suspend-user", "--users-file", "-"], "not-confirmed"),
    ] {
        for format in ["json", "ndjson"] {
            let output = run_with_input(&[&["-o", format], arguments].concat(), &environment, "A\n");
            assert_ne!(code(&output), 0);
            let document: Value = serde_json::from_str(&text(&output)).unwrap_or_else(|_| panic!("{}", text(&output)));
            assert_eq!(document["error"]["code"], expected, "{arguments:?}: {document}");
            assert!(document["error"]["message"].as_str().is_some_and(|message| !message.is_empty()));
            assert_eq!(error(&output).lines().filter(|line| line.starts_with("error: ")).count(), 1);
        }
        // Nothing that could be parsed as a user, unless JSON was asked for.
        let output = run_with_input(arguments, &environment, "A\n");
        assert_eq!(text(&output), "", "{arguments:?}");
    }
    // Wrong usage as well.
    for arguments in
        [&["-o", "json", "bogus"][..], &["suspend-user", "--output=ndjson"], &["list-users", "-ojson", "--limit", "x"]]
    {
        let output = run(arguments, &environment);
        let document: Value = serde_json::from_str(&text(&output)).unwrap_or_else(|_| panic!("{arguments:?}"));
        assert_eq!((code(&output), &document["error"]["code"]), (2, &json!("invalid-argument")));
    }
    // The results of changes hold their errors already.
    let output = run(&["-o", "json", "suspend-user", "NOBODY"], &environment);
    let document: Value = serde_json::from_str(&text(&output)).unwrap();
    assert_eq!(document["results"][0]["error"]["code"], "user-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_come_from_a_file_or_from_standard_input() {
    let account = Account::new().await;
    let (environment, input) = (account.environment(), format!("# from the alert\n\n {WENDY} \r\nNOBODY\n"));
    let refused = run_with_input(&["suspend-user", "--users-file", "-"], &environment, &input);
    assert_eq!((code(&refused), state(&account.simulator, WENDY).as_str()), (12, "ACTIVE"), "{}", error(&refused));
    let dry_run = run_with_input(&["suspend-user", "--dry-run", "--users-file", "-"], &environment, &input);
    assert_eq!((code(&dry_run), state(&account.simulator, WENDY).as_str()), (6, "ACTIVE"));

    let arguments = ["suspend-user", "--yes", "-o", "ndjson", "--users-file", "-"];
    let output = run_with_input(&arguments, &environment, &input);
    let written = lines(&output);
    assert_eq!((code(&output), written.len()), (6, 3), "{}", error(&output));
    assert_eq!((&written[0]["input"], &written[0]["outcome"]), (&json!(WENDY), &json!("changed")));
    assert_eq!(written[1]["error"]["code"], "user-not-found");
    let summary = json!({ "changed": 1, "unchanged": 0, "would_change": 0, "failed": 1 });
    assert_eq!((&written[2]["summary"], &written[2]["not_processed"]), (&summary, &json!([])));
    assert!(error(&output).contains("2 users: 1 changed, 0 unchanged, 1 failed"), "{}", error(&output));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users");
    std::fs::write(&file, WENDY).unwrap();
    let output = run(&["reactivate-user", "--users-file", file.to_str().unwrap()], &environment);
    assert_eq!((code(&output), state(&account.simulator, WENDY).as_str()), (0, "ACTIVE"), "{}", error(&output));
    let both = run(&["suspend-user", "--users-file", file.to_str().unwrap(), "A"], &environment);
    assert_eq!(code(&both), 2, "users and a file");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_have_a_line_for_each_user_and_a_last_one() {
    let account = Account::new().await;
    let output = run(&["list-users", "-o", "ndjson"], &account.environment());
    let lines = lines(&output);
    assert_eq!(lines.len(), 41);
    assert!(lines[..40].iter().all(|user| user["id"].is_string()));
    assert_eq!(lines[40], json!({ "simulated": false, "next_page_token": null }));
}

#[test]
fn completions_and_the_manual_page_name_every_command() {
    let page = text(&run(&["man"], &[]));
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = text(&run(&["completions", shell], &[]));
        for command in ["list-users", "get-user", "suspend-user", "reactivate-user", "test", "describe", "invoke"] {
            assert!(script.contains(command), "{shell}: {command}");
            assert!(page.contains(&command.replace('-', "\\-")), "{command}");
        }
    }
}

/// Each change has a line before it and one after it. Without the first, nothing is changed.
#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_has_each_change_twice_and_stops_what_it_cannot_record() {
    let account = Account::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.ndjson");
    let log = file.to_str().unwrap();
    let entries = || -> Vec<Value> {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let id = account.simulator.account(|a| a.by_email(WENDY).unwrap().id.clone());
    let mut environment = account.environment();
    environment.push(("USER", "responder-7"));
    let suspend = |users: &[&str]| run(&[&["suspend-user", "--audit-log", log, "--"], users].concat(), &environment);

    // Dry runs, users who are suspended already, and failures before a change leave no line.
    let dry_run = run(&["suspend-user", "--audit-log", log, "--dry-run", WENDY], &environment);
    assert_eq!((code(&dry_run), code(&suspend(&[TOMAS, "NOBODY"])), entries().len()), (20, 6, 0));

    assert_eq!(code(&suspend(&[WENDY])), 0);
    let written = entries();
    let [before, after] = &written[..] else { panic!("{written:?}") };
    assert_eq!((&before["event"], &after["event"]), (&json!("sending"), &json!("ended")));
    assert_eq!(before["correlation_id"], after["correlation_id"]);
    assert_eq!((&before["user"], &before["user_id"]), (&json!(WENDY), &json!(id)));
    assert_eq!((&before["action"], &before["requested_by"]), (&json!("suspend-user"), &json!("responder-7")));
    assert_eq!((&after["outcome"], &after["may_have_changed"]), (&json!("changed"), &json!(true)));
    assert!(before["time"].as_str().unwrap().ends_with('Z'), "{before}");
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions()) & 0o777, 0o600);

    // By name as well, at the end of the same file.
    let arguments = json!({ "user": id }).to_string();
    let by_name = run(&["--audit-log", log, "invoke", "reactivate-user", "--arguments", &arguments], &environment);
    assert_eq!((code(&by_name), entries().len()), (0, 4), "{}", error(&by_name));

    // A line that was cut off is not continued.
    std::fs::write(&file, "{\"event\":\"sen").unwrap();
    assert_eq!(code(&suspend(&[WENDY])), 0);
    let text = std::fs::read_to_string(&file).unwrap();
    let complete = text.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count();
    assert_eq!((text.lines().count(), complete), (3, 2), "{text}");
    assert_eq!(code(&run(&["reactivate-user", "--", WENDY], &environment)), 0);

    // A folder cannot be opened, and a full disk refuses each line.
    account.simulator.take_records();
    for broken in [folder.path().to_str().unwrap(), "/dev/full"] {
        if cfg!(target_os = "linux") || broken != "/dev/full" {
            let output = run(&["suspend-user", "--audit-log", broken, WENDY], &environment);
            assert!([3, 13].contains(&code(&output)), "{broken}: {}", error(&output));
            assert!(error(&output).contains("audit log"), "{}", error(&output));
        }
    }
    assert_eq!(state(&account.simulator, WENDY), "ACTIVE");
    let sent = account.simulator.take_records();
    assert!(sent.iter().all(|record| !record.target.ends_with(":suspend")), "{}", sent.len());
}
