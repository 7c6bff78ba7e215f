//! The command line: the component's actions from a terminal or a script.

#![forbid(unsafe_code)]

/// Prints to standard error. If nobody can read that, the work goes on all the same.
macro_rules! say {
    ($($text:tt)*) => {
        let _ = writeln!(std::io::stderr(), $($text)*);
    };
}

mod args;
mod commands;
mod demo;
mod failure;
mod output;
mod target;

fn main() -> std::process::ExitCode {
    commands::run()
}
