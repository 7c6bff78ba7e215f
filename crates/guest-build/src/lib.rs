//! Builds packages of this workspace as components, for build scripts, tools and tests. Also sets the linker options in the
//! build script of a guest.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The target of all components.
pub const TARGET: &str = "wasm32-wasip2";

/// The cargo profile of all components: optimised for size, across crates.
pub const PROFILE: &str = "guest";

/// Builds `package` as a component and returns the path of its file.
///
/// `workspace` is the directory of the workspace's `Cargo.toml`. `target_dir` must not be the target directory of a build in
/// progress, which holds its lock. The target [`TARGET`] must be installed.
///
/// # Errors
///
/// Fails if cargo cannot be run or cannot build the package. The text holds the compiler's messages.
pub fn build(workspace: &Path, package: &str, target_dir: &Path) -> Result<PathBuf, String> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--package", package, "--profile", PROFILE, "--locked", "--target", TARGET])
        .arg("--target-dir")
        .arg(target_dir)
        .current_dir(workspace);
    // Variables of the surrounding build, which must not affect the guest's.
    for name in
        ["CARGO_BUILD_TARGET", "CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS"]
    {
        cargo.env_remove(name);
    }
    let output = cargo.output().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("cannot build {package}:\n{}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(target_dir.join(TARGET).join(PROFILE).join(package.replace('-', "_")).with_extension("wasm"))
}

/// Sets the linker options of a component. For the build script of a guest without the standard library.
///
/// They keep rustc's linker from adding its preview-1 adapter, which would raise the imported `wasi:io` to 0.2.6.
pub fn link_component() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-cdylib=--wasi-adapter=none");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_package_is_named_in_the_error() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target_dir = env::temp_dir().join("onepassword-users-guest-build");
        let problem = build(&workspace, "no-such-package", &target_dir);
        assert!(problem.is_err_and(|problem| problem.starts_with("cannot build no-such-package:\n")));
    }
}
