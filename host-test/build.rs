//! Builds the component for the host to embed, so that `cargo run` and `cargo test` need no step before them.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-wasip2";

fn main() {
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let manifest_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let workspace = manifest_dir.parent().unwrap_or(&manifest_dir);

    println!("cargo::rerun-if-changed=build.rs");
    for input in ["Cargo.toml", "Cargo.lock", "build.rs", "core", "src", "wit"] {
        println!("cargo::rerun-if-changed={}", workspace.join(input).display());
    }
    if let Err(problem) = install_target().and_then(|()| build_component(workspace, &out_dir.join("guest"))) {
        println!("cargo::error={problem}");
        std::process::exit(1);
    }
    let component = out_dir.join("guest").join(TARGET).join("release/onepassword_users.wasm");
    println!("cargo::rustc-env=ONEPASSWORD_USERS_COMPONENT={}", component.display());
}

/// Has rustup add the target if the toolchain lacks it. That `rustc` can print the folder of its library does not mean
/// that the folder is there.
fn install_target() -> Result<(), String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let is_there = || {
        let output = Command::new(&rustc).args(["--print", "target-libdir", "--target", TARGET]).output().ok()?;
        Some(Path::new(String::from_utf8(output.stdout).ok()?.trim()).is_dir())
    };
    if is_there() == Some(true) {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]);
    if let Some(toolchain) = env::var_os("RUSTUP_TOOLCHAIN") {
        rustup.arg("--toolchain").arg(toolchain);
    }
    match rustup.output() {
        Ok(output) if output.status.success() && is_there() == Some(true) => Ok(()),
        _ => Err(format!("the target {TARGET} is not installed; please run: rustup target add {TARGET}")),
    }
}

/// Builds the component into a target directory of its own: the one in use is locked, and its lock would never open.
fn build_component(workspace: &Path, target_dir: &Path) -> Result<(), String> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--package", "onepassword-users", "--release", "--locked", "--target", TARGET])
        .arg("--target-dir")
        .arg(target_dir)
        .current_dir(workspace);
    // These belong to the build that this script is a part of, not to the guest's.
    for name in
        ["CARGO_BUILD_TARGET", "CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS"]
    {
        cargo.env_remove(name);
    }
    let output = cargo.output().map_err(|error| format!("cargo cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    // Each line needs the prefix, or cargo shows the first one alone.
    for line in String::from_utf8_lossy(&output.stderr).lines() {
        println!("cargo::warning={line}");
    }
    Err("the component could not be built; its errors stand above".into())
}
