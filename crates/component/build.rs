//! Builds the components, so that `cargo run` and `cargo test` need no preparation.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use onepassword_users_guest_build::{TARGET, build};

/// The inputs of the builds, relative to the workspace.
const INPUTS: [&str; 15] = [
    "Cargo.lock",
    "Cargo.toml",
    "build.rs",
    "core/Cargo.toml",
    "core/src",
    "crates/contract",
    "crates/guest-build",
    "crates/guest-runtime",
    "crates/wasi-driver",
    "src",
    "steps/Cargo.toml",
    "steps/build.rs",
    "steps/src",
    "steps/wit",
    "wit",
];

fn main() {
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let manifest_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let workspace = manifest_dir.ancestors().nth(2).unwrap_or(&manifest_dir);

    println!("cargo::rerun-if-changed=build.rs");
    for input in INPUTS {
        println!("cargo::rerun-if-changed={}", workspace.join(input).display());
    }
    let build_all = || {
        install_target()?;
        for (variable, package) in [
            ("ONEPASSWORD_USERS_COMPONENT", "onepassword-users"),
            ("ONEPASSWORD_USERS_STEPS", "onepassword-users-steps"),
        ] {
            let component = build(workspace, package, &out_dir.join("guest"))?;
            println!("cargo::rustc-env={variable}={}", component.display());
        }
        Ok(())
    };
    match build_all() {
        Ok(()) => {}
        Err::<(), String>(problem) => {
            // Each line needs the prefix, or cargo shows only the first one.
            problem.lines().for_each(|line| println!("cargo::error={line}"));
            std::process::exit(1);
        }
    }
}

/// Installs the target with rustup if the toolchain lacks it. `rustc` prints the directory of a target's libraries even if it
/// does not exist, so the check is for the directory.
fn install_target() -> Result<(), String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let is_installed = || {
        let output = Command::new(&rustc).args(["--print", "target-libdir", "--target", TARGET]).output().ok()?;
        Some(Path::new(String::from_utf8(output.stdout).ok()?.trim()).is_dir())
    };
    if is_installed() == Some(true) {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]);
    if let Some(toolchain) = env::var_os("RUSTUP_TOOLCHAIN") {
        rustup.arg("--toolchain").arg(toolchain);
    }
    match rustup.output() {
        Ok(output) if output.status.success() && is_installed() == Some(true) => Ok(()),
        _ => Err(format!("the target {TARGET} is not installed; please run: rustup target add {TARGET}")),
    }
}
