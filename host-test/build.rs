//! Builds the component for the host to embed, so that `cargo run` and `cargo test` need no step before them.

#[path = "build/guest.rs"]
mod guest;

use std::env;
use std::path::PathBuf;

fn main() {
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let manifest_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let workspace = manifest_dir.parent().unwrap_or(&manifest_dir);

    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    for input in ["Cargo.toml", "Cargo.lock", "build.rs", "core", "src", "wit"] {
        println!("cargo::rerun-if-changed={}", workspace.join(input).display());
    }
    match guest::build(workspace, "onepassword-users", &out_dir.join("guest")) {
        Ok(component) => println!("cargo::rustc-env=ONEPASSWORD_USERS_COMPONENT={}", component.display()),
        Err(problem) => {
            // Each line needs the prefix, or cargo shows the first one alone.
            problem.lines().for_each(|line| println!("cargo::error={line}"));
            std::process::exit(1);
        }
    }
}
