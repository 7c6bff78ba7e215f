//! The imports and exports of composed components, and the errors of compositions that do not fit.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use onepassword_users_compose::{Interfaces, interfaces, plug, portable, spin_dependency, wasi_config};

fn build(package: &str) -> Vec<u8> {
    std::fs::read(onepassword_users_guest_build::build(workspace(), package, target_dir()).unwrap()).unwrap()
}

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn target_dir() -> &'static Path {
    Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/compose"))
}

fn for_spin() -> &'static [u8] {
    static COMPONENT: OnceLock<Vec<u8>> = OnceLock::new();
    COMPONENT.get_or_init(|| spin_dependency(workspace(), target_dir()).unwrap())
}

fn named(imports: &[&str], exports: &[&str]) -> Interfaces {
    let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    Interfaces { imports: owned(imports), exports: owned(exports) }
}

/// A component that exports an interface with one function of this type.
fn exporting(interface: &str, function: &str) -> Vec<u8> {
    component(&format!(
        r#"(core module $m (func (export "f") (result i32) i32.const 1))
           (core instance $m (instantiate $m))
           (func $f {function} (canon lift (core func $m "f")))
           (instance $i (export "f" (func $f)))
           (export "{interface}" (instance $i))"#
    ))
}

/// A component that imports an interface with one function, which returns a number.
fn importing(interface: &str) -> Vec<u8> {
    component(&format!(r#"(import "{interface}" (instance (export "f" (func (result u32)))))"#))
}

fn component(body: &str) -> Vec<u8> {
    wat::parse_str(format!("(component {body})")).unwrap()
}

/// The exports of every composition.
const EXPORTS: [&str; 5] = [
    "automation:connector/connector@0.1.0",
    "automation:connector/failures@0.1.0",
    "automation:connector/manifest@0.1.0",
    "onepassword:users/actions@0.1.0",
    "onepassword:users/types@0.1.0",
];

#[test]
fn the_component_for_spin_imports_only_what_spin_provides() {
    let expected = named(
        &[
            "fermyon:spin/variables@2.0.0",
            "wasi:clocks/monotonic-clock@0.2.0",
            "wasi:http/outgoing-handler@0.2.0",
            "wasi:http/types@0.2.0",
            "wasi:io/error@0.2.0",
            "wasi:io/poll@0.2.0",
            "wasi:io/streams@0.2.0",
        ],
        &EXPORTS,
    );
    assert_eq!(interfaces(for_spin()).unwrap(), expected);
}

#[test]
fn the_portable_component_imports_only_wasi() {
    let expected = named(
        &[
            "wasi:cli/environment@0.2.0",
            "wasi:clocks/monotonic-clock@0.2.0",
            "wasi:http/outgoing-handler@0.2.0",
            "wasi:http/types@0.2.0",
            "wasi:io/error@0.2.0",
            "wasi:io/poll@0.2.0",
            "wasi:io/streams@0.2.0",
        ],
        &EXPORTS,
    );
    assert_eq!(interfaces(&portable(workspace(), target_dir()).unwrap()).unwrap(), expected);
}

#[test]
fn the_component_for_wasi_config_imports_only_wasi_and_the_store() {
    let expected = named(
        &[
            "wasi:clocks/monotonic-clock@0.2.0",
            "wasi:config/store@0.2.0-rc.1",
            "wasi:http/outgoing-handler@0.2.0",
            "wasi:http/types@0.2.0",
            "wasi:io/error@0.2.0",
            "wasi:io/poll@0.2.0",
            "wasi:io/streams@0.2.0",
        ],
        &EXPORTS,
    );
    assert_eq!(interfaces(&wasi_config(workspace(), target_dir()).unwrap()).unwrap(), expected);
}

#[test]
fn each_adapter_imports_only_its_source() {
    for (package, import) in [
        ("spin-variables-adapter", "fermyon:spin/variables@2.0.0"),
        ("environment-adapter", "wasi:cli/environment@0.2.0"),
        ("wasi-config-adapter", "wasi:config/store@0.2.0-rc.1"),
    ] {
        let expected = named(&[import], &["automation:connector/secrets@0.1.0", "automation:connector/settings@0.1.0"]);
        assert_eq!(interfaces(&build(package)).unwrap(), expected, "{package}");
    }
}

/// The application uses the types of one interface in the functions of another. Composition must unify them.
#[test]
fn an_application_is_composed_with_its_dependency() {
    let application = build("spin-dependency-example");
    let before = interfaces(&application).unwrap();
    let ours: Vec<_> = before.imports.iter().filter(|name| name.starts_with("onepassword:users/")).collect();
    assert_eq!(ours, ["onepassword:users/actions@0.1.0", "onepassword:users/types@0.1.0"]);

    let after = interfaces(&plug(&application, &[for_spin()]).unwrap()).unwrap();
    assert_eq!(after.exports, before.exports);
    assert!(!after.imports.iter().any(|name| name.starts_with("onepassword:")), "{:?}", after.imports);
    assert!(after.imports.iter().any(|name| name == "fermyon:spin/variables@2.0.0"), "{:?}", after.imports);
}

#[test]
fn imports_without_a_plug_stay_imports() {
    let socket = component(
        r#"(import "a:b/one@1.0.0" (instance (export "f" (func (result u32)))))
           (import "a:b/two@1.0.0" (instance (export "f" (func (result u32)))))
           (import "a:b/three@1.0.0" (instance (export "f" (func (result u32)))))"#,
    );
    let one = exporting("a:b/one@1.0.0", "(result u32)");
    let two = exporting("a:b/two@1.0.0", "(result u32)");
    let composed = plug(&socket, &[&one, &two]).unwrap();
    assert_eq!(interfaces(&composed).unwrap(), named(&["a:b/three@1.0.0"], &[]));
}

#[test]
fn misfits_are_named_in_the_error() {
    let socket = importing("a:b/c@1.0.0");
    let plug_ = exporting("a:b/c@1.0.0", "(result u32)");
    let other_type = exporting("a:b/c@1.0.0", "(result s32)");
    let other_name = exporting("a:b/other@1.0.0", "(result u32)");
    for (socket, plugs, words) in [
        (&b"no"[..], &[][..], &["the socket cannot be read as a component"][..]),
        (&socket, &[&b"\0asm\x0d\0\x01\0\x07"[..]], &["plug 1 cannot be read as a component"]),
        (&socket, &[&other_name], &["plug 1 exports nothing that the socket imports"]),
        (&socket, &[&plug_, &other_name], &["plug 2 exports nothing that the socket imports"]),
        (&socket, &[&other_type], &["plug 1 does not fit", "a:b/c@1.0.0", "expected u32, found s32"]),
        (&socket, &[&plug_, &plug_], &["plug 2 does not fit", "a:b/c@1.0.0", "already"]),
    ] {
        let problem = plug(socket, plugs).unwrap_err();
        for words in words {
            assert!(problem.contains(words), "{problem}");
        }
    }
}

#[test]
fn the_command_knows_its_compositions() {
    let run =
        |argument: &str| Command::new(env!("CARGO_BIN_EXE_onepassword-users-compose")).arg(argument).output().unwrap();
    let help = run("--help");
    assert_eq!(help.status.code(), Some(0));
    let usage = String::from_utf8(help.stdout).unwrap();
    for words in ["Usage: cargo run -p onepassword-users-compose", "\n  spin ", "\n  portable ", "\n  wasi-config "] {
        assert!(usage.contains(words), "{words}");
    }

    let unknown = run("elsewhere.wasm");
    assert_eq!(unknown.status.code(), Some(2));
    assert!(unknown.stdout.is_empty());
    let problem = String::from_utf8(unknown.stderr).unwrap();
    assert!(problem.starts_with("error: there is no composition \"elsewhere.wasm\"\n") && problem.ends_with(&usage));
}
