//! The same tests over the component without imports.

use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use onepassword_users_component::STEPS;
use onepassword_users_host::types::{ChangeMode, ChangeOutcome};
use onepassword_users_host::{Connector, Host};
use onepassword_users_simulator::{Config, Fault, Operation, Simulator};
use onepassword_users_test_kit::harness::{ALL, ENGINE, config, id, options, values};
use tokio::task::JoinSet;
use wasmtime::Engine;
use wasmtime::component::Component;

const WENDY: &str = "wendy.appleseed@example.com";

#[test]
fn it_imports_nothing() {
    let engine = Engine::default();
    let component = Component::new(&engine, STEPS).unwrap();
    let component = component.component_type();
    assert_eq!(component.imports(&engine).count(), 0);
    let mut exports: Vec<String> = component.exports(&engine).map(|(name, _)| name.to_owned()).collect();
    exports.sort();
    let expected = ["failures", "manifest", "steps"].map(|name| format!("automation:connector/{name}@0.1.0"));
    assert_eq!(exports, expected);
}

/// A connector over the component without imports, and its simulated account.
async fn connector() -> (Simulator, Connector) {
    static HOST: LazyLock<Host> = LazyLock::new(|| Host::new(STEPS, config()).unwrap());
    let simulator = Simulator::start(Config { users: 60, ..Config::default() }).await.unwrap();
    let connector = HOST.connector(options(&values(&simulator))).unwrap();
    (simulator, connector)
}

fn id_of(simulator: &Simulator, email: &str) -> String {
    simulator.account(|account| account.by_email(email).unwrap().id.clone())
}

#[tokio::test]
async fn actions_at_once_share_one_token_request() {
    let (simulator, connector) = connector().await;
    simulator.inject(Operation::Token, Fault::Delay(Duration::from_millis(300)));
    let wendy = id_of(&simulator, WENDY);
    let connector = Arc::new(connector);
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let (connector, wendy) = (connector.clone(), wendy.clone());
        tasks.spawn(async move { connector.get_user(id(&wendy)).await.unwrap() });
    }
    assert_eq!(tasks.join_all().await.len(), 64);
    let records = simulator.take_records();
    assert_eq!(records.iter().filter(|record| record.target.ends_with("/token")).count(), 1);
    assert_eq!(records.len(), 65);
}

#[tokio::test]
async fn row_58_a_suspension_does_not_wait_behind_a_list() {
    let (simulator, connector) = connector().await;
    let wendy = id_of(&simulator, WENDY);
    simulator.inject(Operation::List, Fault::Delay(Duration::from_secs(4)));
    let list = connector.list_users(ALL);
    let change = async {
        // The list has sent its request.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let start = Instant::now();
        let change = connector.suspend_user(id(&wendy), ChangeMode::Apply).await.unwrap();
        assert_eq!(change.outcome, ChangeOutcome::Changed);
        start.elapsed()
    };
    let (list, took) = tokio::join!(list, change);
    assert_eq!(list.unwrap().users.len(), 60);
    assert!(took < Duration::from_secs(2), "{took:?}");
}

/// Others that wait for its token go on without it.
#[tokio::test]
async fn an_action_that_is_dropped_ends_and_harms_no_other() {
    let (simulator, connector) = connector().await;
    let wendy = id_of(&simulator, WENDY);
    simulator.inject(Operation::Token, Fault::Delay(Duration::from_secs(60)));
    let dropped = tokio::time::timeout(Duration::from_millis(500), connector.get_user(id(&wendy)));
    let waiting = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let start = Instant::now();
        connector.get_user(id(&wendy)).await.unwrap();
        start.elapsed()
    };
    let (dropped, took) = tokio::join!(dropped, waiting);
    assert!(dropped.is_err(), "it was waiting for its token");
    assert!(took < Duration::from_secs(10), "{took:?}");
    let targets: Vec<String> = simulator.take_records().into_iter().map(|record| record.target).collect();
    let gets = targets.iter().filter(|target| target.ends_with(&wendy)).count();
    assert_eq!(gets, 1, "the dropped action sent nothing more: {targets:?}");
}

/// Runs this binary again, over the other component. What is left out is about the component over WASI, about a hostile
/// component of its own, or runs over both components by itself.
#[test]
fn all_tests_pass_over_steps() {
    let mut tests = Command::new(std::env::current_exe().unwrap());
    tests.env(ENGINE, "steps").env("RUST_BACKTRACE", "0");
    for skipped in ["conformance::", "contract::", "gate::", "raw_steps::", "sandbox::", "without_imports::"] {
        tests.args(["--skip", skipped]);
    }
    let output = tests.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let passed = text.lines().filter(|line| line.ends_with("... ok")).count();
    assert!(passed > 40, "{text}");
}
