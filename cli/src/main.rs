//! The command line: the component's actions from a terminal or a script.

#![forbid(unsafe_code)]

/// Prints a line to standard error, in which only what is printable is shown. Unlike `eprintln!`, it ignores a failure to write.
macro_rules! message {
    ($($text:tt)*) => {
        $crate::output::print_message(&format!($($text)*))
    };
}

mod args;
mod audit_log;
mod by_name;
mod commands;
mod confirm;
mod demo;
mod failure;
mod output;
mod signals;
mod target;
mod users_file;

fn main() -> std::process::ExitCode {
    commands::run()
}
