//! The gate: sizes of the Spin application and of the component composed for other Spin applications.

use onepassword_users_test_kit::ceilings::{Rule, check};

use crate::{dependency, harness};

#[test]
fn the_components_for_spin_are_no_larger_than_recorded() {
    harness::manifest();
    dependency::manifest();
    let read = |path: &str| {
        let path = format!("{}/../../target/{path}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let counts = [
        ("application", without_paths(&read("wasm32-wasip2/guest/onepassword_users_spin.wasm"))),
        ("dependency", without_paths(&read("onepassword-users-for-spin.wasm"))),
    ];
    check("bytes.spin", Rule::AtMost, &counts);
}

/// Size without the path of cargo's registry. The application's panic messages contain it, and its length depends on the
/// machine.
fn without_paths(component: &[u8]) -> u64 {
    let cargo_home =
        std::env::var("CARGO_HOME").or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cargo")));
    let folder = format!("{}/registry/", cargo_home.unwrap());
    let found = component.windows(folder.len()).filter(|bytes| *bytes == folder.as_bytes()).count();
    (component.len() - found * folder.len()) as u64
}
