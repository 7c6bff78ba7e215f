//! The command that the Spin manifest runs: writes the component for Spin to the target directory of the workspace.

#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use onepassword_users_compose::{interfaces, spin_dependency};

const USAGE: &str = "\
Builds the component, composes it with the adapter for Spin's variables, and
writes target/onepassword-users-for-spin.wasm in the workspace.

Usage: cargo run -p onepassword-users-compose
";

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [] => match write() {
            Ok(summary) => {
                println!("{summary}");
                ExitCode::SUCCESS
            }
            Err(problem) => {
                eprintln!("error: {problem}");
                ExitCode::FAILURE
            }
        },
        [help] if help == "--help" || help == "-h" => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => {
            eprint!("error: this command takes no arguments\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Writes the file, and returns its path, size and imports as text.
fn write() -> Result<String, String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = here.ancestors().nth(2).unwrap_or(here);
    let target = workspace.join("target");
    let component = spin_dependency(workspace, &target.join("compose"))?;
    let path = target.join("onepassword-users-for-spin.wasm");
    fs::write(&path, &component).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    let imports = interfaces(&component)?.imports.join(", ");
    Ok(format!("{}: {} bytes; imports {imports}", path.display(), component.len()))
}
