//! Keeps rustc's linker from adding its preview-1 adapter, which would raise the imported `wasi:io` to 0.2.6.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-cdylib=--wasi-adapter=none");
}
