//! The command line: the component's actions from a terminal or a script.

#![forbid(unsafe_code)]

/// Prints a line to standard error. Unlike `eprintln!`, it ignores a failure to write.
macro_rules! message {
    ($($text:tt)*) => {
        let _ = writeln!(std::io::stderr(), $($text)*);
    };
}

mod args;
mod by_name;
mod commands;
mod demo;
mod failure;
mod output;
mod target;

fn main() -> std::process::ExitCode {
    commands::run()
}
