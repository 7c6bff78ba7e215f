//! The command line at a terminal: tables, and a prompt before a suspension.

#![cfg(unix)]

use onepassword_users_simulator::{Config, Fault, Operation, Simulator};
use rexpect::process::WaitStatus;
use rexpect::session::{PtySession, spawn_command};

use crate::command_line::command;

const WENDY: &str = "wendy.appleseed@example.com";

fn at_terminal(arguments: &[&str], environment: &[(&str, &str)]) -> PtySession {
    spawn_command(command(arguments, environment), Some(30_000)).unwrap()
}

fn exit_code(session: &PtySession) -> i32 {
    match session.process().wait().unwrap() {
        WaitStatus::Exited(_, code) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn output_at_a_terminal_is_a_table() {
    let mut session = at_terminal(&["list-users", "--limit", "3"], &[]);
    let text = session.exp_eof().unwrap();
    assert!(text.contains("E-MAIL") && text.contains("Wendy Appleseed") && !text.contains('{'), "{text}");
    assert_eq!(exit_code(&session), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn suspending_prompts_first() {
    let simulator = Simulator::start(Config { users: 10, ..Config::default() }).await.unwrap();
    let base_url = simulator.base_url();
    let environment = [
        ("ONEPASSWORD_BASE_URL", base_url.as_str()),
        ("ONEPASSWORD_ACCOUNT_ID", simulator.account_id()),
        ("ONEPASSWORD_CLIENT_ID", simulator.client_id()),
        ("ONEPASSWORD_CLIENT_SECRET", simulator.client_secret()),
    ];
    let state = || simulator.account(|account| account.by_email(WENDY).unwrap().state.clone());

    for answer in ["n", "", "maybe"] {
        let mut session = at_terminal(&["suspend-user", WENDY], &environment);
        session.exp_string("Suspend wendy.appleseed@example.com? [y/N]").unwrap();
        session.send_line(answer).unwrap();
        session.exp_string("nothing was changed").unwrap();
        session.exp_eof().unwrap();
        assert_eq!((exit_code(&session), state().as_str()), (12, "ACTIVE"), "{answer}");
    }
    assert!(simulator.take_records().is_empty());

    let mut session = at_terminal(&["suspend-user", WENDY], &environment);
    session.exp_string("[y/N]").unwrap();
    session.send_line("y").unwrap();
    session.exp_string("changed").unwrap();
    session.exp_eof().unwrap();
    assert_eq!((exit_code(&session), state().as_str()), (0, "SUSPENDED"));

    // No prompt for reactivate-user, --dry-run and --yes.
    for (arguments, code) in [
        (&["reactivate-user", WENDY][..], 0),
        (&["suspend-user", "--dry-run", WENDY], 20),
        (&["suspend-user", "--yes", WENDY], 0),
    ] {
        let mut session = at_terminal(arguments, &environment);
        let text = session.exp_eof().unwrap();
        assert!(!text.contains("[y/N]"), "{text}");
        assert_eq!(exit_code(&session), code);
    }
    assert_eq!(state(), "SUSPENDED");
}

/// Without escapes for colours and moving parts, but for the table itself.
#[test]
fn row_54_no_color_and_dumb_terminals_are_obeyed() {
    for environment in [[("NO_COLOR", "1")], [("TERM", "dumb")]] {
        for arguments in [&["list-users", "--simulated", "-v"][..], &["--help"], &["list-users", "--wrong"]] {
            let text = at_terminal(arguments, &environment).exp_eof().unwrap();
            assert!(!text.is_empty() && !text.contains('\u{1b}'), "{environment:?} {arguments:?}: {text:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_43_a_long_name_is_cut_and_an_address_is_not() {
    let simulator = Simulator::start(Config { users: 10, ..Config::default() }).await.unwrap();
    let base_url = simulator.base_url();
    let environment = [
        ("ONEPASSWORD_BASE_URL", base_url.as_str()),
        ("ONEPASSWORD_ACCOUNT_ID", simulator.account_id()),
        ("ONEPASSWORD_CLIENT_ID", simulator.client_id()),
        ("ONEPASSWORD_CLIENT_SECRET", simulator.client_secret()),
    ];
    let (name, address) = ("N".repeat(66_000), format!("{}@example.com", "x".repeat(64)));
    let user = format!(r#"{{"id":"A","email":"{address}","display_name":"{name}","state":"ACTIVE"}}"#);
    for list in [false, true] {
        let (operation, body) =
            if list { (Operation::List, format!(r#"{{"results":[{user}]}}"#)) } else { (Operation::Get, user.clone()) };
        simulator.inject(operation, Fault::reply(200, &body));
        let arguments = if list { ["list-users", "--limit", "1"] } else { ["get-user", "--", "A"] };
        let text = at_terminal(&arguments, &environment).exp_eof().unwrap();
        assert!(text.contains(&address) && text.contains(&"N".repeat(39)), "{text}");
        assert!(!text.contains(&"N".repeat(40)), "{text}");
    }
}
