//! Prints the size of the component and the time of one cold action: from the start of the process to its result.
//!
//! `cargo bench --bench figures`, or with `--profile dev` for what `cargo run` gives.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark may end anywhere")]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use onepassword_users_component::COMPONENT;
use onepassword_users_simulator::Simulator;

/// How often each command is run.
const RUNS: usize = 21;

#[tokio::main]
async fn main() {
    let simulator = Simulator::start(Default::default()).await.unwrap();
    let cache = tempfile::tempdir().unwrap();
    let id = simulator.account(|account| account.by_email(&simulator.example_email()).unwrap().id.clone());
    let run = |arguments: &[&str], home: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_onepassword-users"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", home)
            .env("ONEPASSWORD_BASE_URL", simulator.base_url())
            .env("ONEPASSWORD_ACCOUNT_ID", simulator.account_id())
            .env("ONEPASSWORD_CLIENT_ID", simulator.client_id())
            .env("ONEPASSWORD_CLIENT_SECRET", simulator.client_secret());
        let began = Instant::now();
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        began.elapsed()
    };
    let median = |arguments: &[&str], home: Option<&Path>| {
        let mut times: Vec<Duration> = (0..RUNS)
            .map(|_| match home {
                Some(home) => run(arguments, home),
                None => run(arguments, tempfile::tempdir().unwrap().path()),
            })
            .collect();
        times.sort();
        times.get(RUNS / 2).copied().unwrap_or_default()
    };

    println!("component: {} bytes", COMPONENT.len());
    // Fills the cache.
    run(&["get-user", &id], cache.path());
    // The rival that no host can beat: the same process, which does nothing.
    let nothing = median(&["--version"], Some(cache.path()));
    println!("nothing (--version): {:.1} ms (each time is the median of {RUNS})", nothing.as_secs_f64() * 1000.0);
    for (what, arguments, home) in [
        ("get-user by id, compiled code from the cache", &["get-user", &id][..], Some(cache.path())),
        ("get-user by id, compiled anew", &["get-user", &id], None),
        ("list-users, 2,500 users", &["list-users"], Some(cache.path())),
    ] {
        let time = median(arguments, home);
        let ratio = time.as_secs_f64() / nothing.as_secs_f64();
        println!("{what}: {:.1} ms, {ratio:.1} times nothing", time.as_secs_f64() * 1000.0);
    }
}
