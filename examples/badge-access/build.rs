//! Sets the linker options of a component.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Without it, the linker adds an adapter for WASI preview 1, which raises the imported WASI version.
    println!("cargo::rustc-link-arg-cdylib=--wasi-adapter=none");
}
