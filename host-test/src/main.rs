//! The command line: the component's actions from a terminal or a script.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
