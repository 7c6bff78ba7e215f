//! Runs the acceptance table through all faces, or those that are named, and prints a line for each row.

#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use onepassword_users_acceptance::{Face, NAMES, Suite};

const USAGE: &str = "\
Runs the acceptance table through the faces of this project, and prints a line
for each row and face. Exits with 1 if a result differs.

Usage: cargo run -p onepassword-users-acceptance [-- [FACE...] [--rows TEXT]]

  --rows TEXT  only rows whose name contains TEXT
";

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<bool, String> {
    let (mut names, mut filter) = (Vec::new(), String::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--help" | "-h" => {
                print!("{USAGE}\nFaces: {}\n", NAMES.join(", "));
                return Ok(true);
            }
            "--rows" => filter = arguments.next().ok_or("--rows needs a text")?,
            name => names.push(
                *NAMES
                    .iter()
                    .find(|known| **known == name)
                    .ok_or_else(|| format!("there is no face {name:?}, only {}", NAMES.join(", ")))?,
            ),
        }
    }
    if names.is_empty() {
        names.extend(NAMES);
    }
    let suite = Suite::new().await?;
    let mut is_ok = true;
    for name in names {
        let start = Instant::now();
        let report = suite.run(&face(name)?, &filter).await;
        println!("{report}, {:.1} s\n", start.elapsed().as_secs_f64());
        is_ok &= report.is_ok();
    }
    Ok(is_ok)
}

fn face(name: &str) -> Result<Face, String> {
    match name {
        "typed" => Face::typed(),
        "by-name" => Face::by_name(),
        "steps" => Face::steps(),
        "steps-typed" => Face::steps_typed(),
        "portable" => Face::portable(),
        "command-line" => Ok(Face::command_line(build_command_line()?)),
        _ => Face::spin(),
    }
}

/// Builds the command line beside this program, and returns its path.
fn build_command_line() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let folder = own.parent().ok_or("this program is in no folder")?;
    let target = folder.parent().ok_or("this program is in no target directory")?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--locked", "--quiet", "--package", "onepassword-users-cli", "--target-dir"]).arg(target);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    match cargo.status() {
        Ok(status) if status.success() => Ok(folder.join(format!("onepassword-users{}", std::env::consts::EXE_SUFFIX))),
        Ok(status) => Err(format!("cannot build the command line: {status}")),
        Err(error) => Err(format!("cannot run cargo: {error}")),
    }
}
