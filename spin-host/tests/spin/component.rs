//! What can be read off the built application, before anything runs.

use onepassword_users_compose::interfaces;

use crate::rig::manifest;

/// Least authority: HTTP in and out, Spin's variables, a clock, and what the standard library asks for. No files, no sockets.
#[test]
fn the_application_imports_exactly_what_it_may_use() {
    manifest();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/wasm32-wasip2/release/onepassword_users_spin.wasm");
    let interfaces = interfaces(&std::fs::read(path).unwrap()).unwrap();
    let without_version = |names: &[String]| -> Vec<String> {
        names.iter().map(|name| name.split('@').next().unwrap().to_owned()).collect()
    };
    assert_eq!(without_version(&interfaces.exports), ["wasi:http/handler"]);
    let own =
        ["spin:variables/variables", "wasi:clocks/monotonic-clock", "wasi:clocks/system-clock", "wasi:clocks/types"];
    let imports = without_version(&interfaces.imports);
    let others: Vec<_> = imports
        .iter()
        .filter(|name| !own.contains(&name.as_str()))
        .filter(|name| !["wasi:cli/", "wasi:http/", "wasi:io/"].iter().any(|prefix| name.starts_with(prefix)))
        .collect();
    assert_eq!(others, ["wasi:random/insecure-seed"], "for the hash maps of the standard library");
}
