//! Builds packages of this workspace as components: for the build script of the component's crate, for the tool that composes
//! components, and for tests with guests of their own. Also sets what a guest's build script must set.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The target of all components.
pub const TARGET: &str = "wasm32-wasip2";

/// The cargo profile of all components: small, and optimized across crates.
pub const PROFILE: &str = "guest";

/// Builds `package` as a component and returns the path of its file.
///
/// `workspace` is the folder of the workspace's `Cargo.toml`. `target_dir` is where cargo works: it must not be the target
/// directory of a build that is under way, because that one is locked until the build ends. The target [`TARGET`] must be
/// installed.
///
/// # Errors
///
/// Fails if cargo cannot be run, or if it cannot build the package; the text then holds the compiler's messages.
pub fn build(workspace: &Path, package: &str, target_dir: &Path) -> Result<PathBuf, String> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--package", package, "--profile", PROFILE, "--locked", "--target", TARGET])
        .arg("--target-dir")
        .arg(target_dir)
        .current_dir(workspace);
    // These belong to the build that the caller is a part of, not to the guest's.
    for name in
        ["CARGO_BUILD_TARGET", "CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS"]
    {
        cargo.env_remove(name);
    }
    let output = cargo.output().map_err(|error| format!("cargo cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(format!("{package} could not be built:\n{}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(target_dir.join(TARGET).join(PROFILE).join(package.replace('-', "_")).with_extension("wasm"))
}

/// Sets the linker's options for a component; a guest without the standard library calls this in its build script.
///
/// Keeps rustc's linker from adding its preview-1 adapter, which would raise the imported `wasi:io` to 0.2.6.
pub fn link_component() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-cdylib=--wasi-adapter=none");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_is_not_there_is_named() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target_dir = env::temp_dir().join("onepassword-users-guest-build");
        let problem = build(&workspace, "no-such-package", &target_dir);
        assert!(problem.is_err_and(|problem| problem.starts_with("no-such-package could not be built:\n")));
    }
}
