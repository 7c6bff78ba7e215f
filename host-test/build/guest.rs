//! Builds a package of this workspace as a component: for the build script, and for the tests, which have guests of their own.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-wasip2";

/// Builds the package, after installing the target if it is missing, and returns the path of the component.
pub(crate) fn build(workspace: &Path, package: &str, target_dir: &Path) -> Result<PathBuf, String> {
    install_target()?;
    build_component(workspace, package, target_dir)?;
    Ok(target_dir.join(TARGET).join("release").join(package.replace('-', "_")).with_extension("wasm"))
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
fn build_component(workspace: &Path, package: &str, target_dir: &Path) -> Result<(), String> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--package", package, "--release", "--locked", "--target", TARGET])
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
    Err(format!("{package} could not be built:\n{}", String::from_utf8_lossy(&output.stderr)))
}
