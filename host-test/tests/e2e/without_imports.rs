//! The same tests over the component without imports.

use std::process::Command;

use onepassword_users_component::STEPS;
use onepassword_users_test_kit::harness::ENGINE;
use wasmtime::Engine;
use wasmtime::component::Component;

#[test]
fn it_imports_nothing() {
    let engine = Engine::default();
    let component = Component::new(&engine, STEPS).unwrap();
    let component = component.component_type();
    assert_eq!(component.imports(&engine).count(), 0);
    let mut exports: Vec<String> = component.exports(&engine).map(|(name, _)| name.to_owned()).collect();
    exports.sort();
    let expected = ["failures", "manifest", "steps"].map(|name| format!("automation:connector/{name}@0.1.0"));
    assert_eq!(exports, expected);
}

/// Runs this binary again, over the other component. What is left out is about the component over WASI, about a hostile
/// component of its own, or runs over both components by itself.
#[test]
fn all_tests_pass_over_steps() {
    let mut tests = Command::new(std::env::current_exe().unwrap());
    tests.env(ENGINE, "steps").env("RUST_BACKTRACE", "0");
    for skipped in ["conformance::", "contract::", "gate::", "sandbox::", "without_imports::"] {
        tests.args(["--skip", skipped]);
    }
    let output = tests.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let passed = text.lines().filter(|line| line.ends_with("... ok")).count();
    assert!(passed > 40, "{text}");
}
