//! Simulation testing with any number of seeds:
//! `cargo run --release -p onepassword-users-test-kit --example storm -- --seeds 100000`.
//!
//! `--from N` starts at another seed, `--seed N` replays one. Exits with 1 at the first wrong result.

use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use onepassword_users_test_kit::storm;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (mut from, mut seeds) = (0_u64, 10_000_u64);
    for pair in arguments.chunks(2) {
        match pair {
            [flag, number] if number.parse::<u64>().is_ok() => {
                let number = number.parse().unwrap_or_default();
                match flag.as_str() {
                    "--seeds" => seeds = number,
                    "--from" => from = number,
                    "--seed" => (from, seeds) = (number, 1),
                    _ => return usage(),
                }
            }
            _ => return usage(),
        }
    }
    let threads = thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let start = Instant::now();
    let results: Vec<Result<storm::Tally, String>> = thread::scope(|scope| {
        let part = |first: u64| {
            let mut sum = storm::Tally::default();
            for seed in (from..from.saturating_add(seeds)).skip(first as usize).step_by(threads as usize) {
                sum.add(storm::run(seed)?);
            }
            Ok(sum)
        };
        let workers: Vec<_> = (0..threads).map(|first| scope.spawn(move || part(first))).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| Err("the core or the model panicked".into())))
            .collect()
    });
    let mut sum = storm::Tally::default();
    for result in results {
        match result {
            Ok(tally) => sum.add(tally),
            Err(problem) => {
                eprintln!("{problem}");
                return ExitCode::FAILURE;
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{seeds} runs in {seconds:.1} s ({:.0} per minute on {threads} threads)", seeds as f64 / seconds * 60.0);
    println!("{} actions, {} requests", sum.actions, sum.requests);
    println!("{} faults injected:", sum.faults.values().sum::<u64>());
    for (fault, count) in &sum.faults {
        println!("  {fault}: {count}");
    }
    println!("outcomes:");
    for (outcome, count) in &sum.outcomes {
        println!("  {outcome}: {count}");
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: storm [--seeds N] [--from N] [--seed N]");
    ExitCode::from(2)
}
