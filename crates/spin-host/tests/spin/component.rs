//! The imports of the built application, and its manifest.

use onepassword_users_compose::interfaces;

use crate::harness::manifest;

/// HTTP in and out, Spin's variables, clocks, and the imports of the standard library. No files, no sockets.
const IMPORTS: [&str; 20] = [
    "spin:variables/variables@3.0.0",
    "wasi:cli/environment@0.2.6",
    "wasi:cli/exit@0.2.6",
    "wasi:cli/stderr@0.2.6",
    "wasi:cli/stdin@0.2.6",
    "wasi:cli/stdout@0.2.6",
    "wasi:cli/terminal-input@0.2.6",
    "wasi:cli/terminal-output@0.2.6",
    "wasi:cli/terminal-stderr@0.2.6",
    "wasi:cli/terminal-stdin@0.2.6",
    "wasi:cli/terminal-stdout@0.2.6",
    "wasi:clocks/monotonic-clock@0.3.0",
    "wasi:clocks/system-clock@0.3.0",
    "wasi:clocks/types@0.3.0",
    "wasi:http/client@0.3.0",
    "wasi:http/types@0.3.0",
    "wasi:io/error@0.2.6",
    "wasi:io/poll@0.2.6",
    "wasi:io/streams@0.2.6",
    "wasi:random/insecure-seed@0.2.6",
];

#[test]
fn the_application_imports_only_the_allowed_interfaces() {
    manifest();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/wasm32-wasip2/guest/onepassword_users_spin.wasm");
    let interfaces = interfaces(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(interfaces.exports, ["wasi:http/handler@0.3.0"]);
    assert_eq!(interfaces.imports, IMPORTS);
}

/// The only allowed host is that of the variable `base_url`.
#[test]
fn the_manifest_allows_one_host_and_marks_the_secrets() {
    let manifest = manifest();
    assert_eq!(manifest.component().allowed_outbound_hosts, ["{{ base_url }}"]);
    let secrets: Vec<&str> =
        manifest.variables().map(|(name, _)| name).filter(|name| manifest.is_secret(name)).collect();
    assert_eq!(secrets, ["access_token", "client_id", "client_secret", "reader_keys", "responder_keys"]);
    let required: Vec<&str> = manifest.variables().filter(|(_, required)| *required).map(|(name, _)| name).collect();
    assert_eq!(required, ["account_id", "client_id", "client_secret", "reader_keys", "responder_keys"]);
}
