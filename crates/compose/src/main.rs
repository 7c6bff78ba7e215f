//! The command that composes the component with adapters: writes the results to the target directory of the workspace. The Spin
//! manifest runs it.

#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use onepassword_users_compose::{interfaces, portable, spin_dependency, wasi_config};

const USAGE: &str = "\
Builds the component, composes it with an adapter that provides its settings
and secrets, and writes the result to target/ in the workspace.

Usage: cargo run -p onepassword-users-compose [-- NAME...]

  spin         from Spin's variables: onepassword-users-for-spin.wasm (default)
  portable     from environment variables: onepassword-users-portable.wasm
  wasi-config  from wasi:config/store: onepassword-users-for-wasi-config.wasm
";

/// A composition that this command writes.
struct Composition {
    name: &'static str,
    file: &'static str,
    compose: fn(&Path, &Path) -> Result<Vec<u8>, String>,
}

const SPIN: Composition =
    Composition { name: "spin", file: "onepassword-users-for-spin.wasm", compose: spin_dependency };
const PORTABLE: Composition =
    Composition { name: "portable", file: "onepassword-users-portable.wasm", compose: portable };
const WASI_CONFIG: Composition =
    Composition { name: "wasi-config", file: "onepassword-users-for-wasi-config.wasm", compose: wasi_config };

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let mut compositions = Vec::new();
    for argument in &arguments {
        let Some(composition) = [SPIN, PORTABLE, WASI_CONFIG].into_iter().find(|known| argument == known.name) else {
            eprint!("error: there is no composition {argument:?}\n\n{USAGE}");
            return ExitCode::from(2);
        };
        compositions.push(composition);
    }
    if compositions.is_empty() {
        compositions.push(SPIN);
    }
    for composition in compositions {
        match write(&composition) {
            Ok(summary) => println!("{summary}"),
            Err(problem) => {
                eprintln!("error: {problem}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// Writes the file, and returns its path, size and imports as text.
fn write(composition: &Composition) -> Result<String, String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = here.ancestors().nth(2).unwrap_or(here);
    let target = workspace.join("target");
    let component = (composition.compose)(workspace, &target.join("compose"))?;
    let path = target.join(composition.file);
    fs::write(&path, &component).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    let imports = interfaces(&component)?.imports.join(", ");
    Ok(format!("{}: {} bytes; imports {imports}", path.display(), component.len()))
}
