//! The imports and exports of the component, and its WIT package.

use onepassword_users_component::COMPONENT;
use onepassword_users_host::{Error, Host, HostConfig};
use wasmtime::Engine;
use wasmtime::component::Component;
use wit_parser::{Docs, Resolve, TypeDefKind};

/// Outbound HTTP, a monotonic clock, settings and secrets. No files, sockets, environment, randomness or standard streams.
pub(crate) const IMPORTS: [&str; 8] = [
    "automation:connector/secrets@0.1.0",
    "automation:connector/settings@0.1.0",
    "wasi:clocks/monotonic-clock@0.2.0",
    "wasi:http/outgoing-handler@0.2.0",
    "wasi:http/types@0.2.0",
    "wasi:io/error@0.2.0",
    "wasi:io/poll@0.2.0",
    "wasi:io/streams@0.2.0",
];

const EXPORTS: [&str; 5] = [
    "automation:connector/connector@0.1.0",
    "automation:connector/failures@0.1.0",
    "automation:connector/manifest@0.1.0",
    "onepassword:users/actions@0.1.0",
    "onepassword:users/types@0.1.0",
];

/// The interfaces of the WIT packages that belong to this project.
const INTERFACES: [&str; 8] = [
    "automation:connector/connector",
    "automation:connector/failures",
    "automation:connector/manifest",
    "automation:connector/secrets",
    "automation:connector/settings",
    "automation:connector/steps",
    "onepassword:users/actions",
    "onepassword:users/types",
];

#[test]
fn the_component_imports_only_the_allowed_interfaces() {
    let engine = Engine::default();
    let component = Component::new(&engine, COMPONENT).unwrap();
    let component = component.component_type();
    let mut imports: Vec<String> = component.imports(&engine).map(|(name, _)| name.to_owned()).collect();
    let mut exports: Vec<String> = component.exports(&engine).map(|(name, _)| name.to_owned()).collect();
    imports.sort();
    exports.sort();
    assert_eq!(imports, IMPORTS);
    assert_eq!(exports, EXPORTS);
}

#[test]
fn a_component_with_other_imports_does_not_link() {
    for import in [
        "wasi:cli/environment@0.2.0",
        "wasi:filesystem/preopens@0.2.0",
        "wasi:sockets/tcp@0.2.0",
        "wasi:random/random@0.2.0",
    ] {
        let greedy =
            wat::parse_str(format!(r#"(component (import "{import}" (instance (export "f" (func)))))"#)).unwrap();
        let Err(Error::Load(problem)) = Host::new(&greedy, HostConfig::default()) else {
            panic!("{import} was linked")
        };
        assert!(problem.contains(import), "{problem}");
    }
    let Err(Error::Load(_)) = Host::new(b"not a component", HostConfig::default()) else { panic!() };
}

#[test]
fn every_item_of_the_wit_package_is_documented() {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit")).unwrap();
    let world = resolve.select_world(&[package], Some("plugin")).unwrap();
    assert_eq!(resolve.worlds[world].exports.len(), EXPORTS.len());

    let (mut undocumented, mut interfaces) = (Vec::new(), Vec::new());
    let mut check = |docs: &Docs, item: String| {
        if docs.contents.as_deref().unwrap_or_default().trim().is_empty() {
            undocumented.push(item);
        }
    };
    let ours = ["onepassword:users", "automation:connector"];
    for (_, package) in &resolve.packages {
        let name = format!("{}:{}", package.name.namespace, package.name.name);
        if !ours.contains(&name.as_str()) {
            continue;
        }
        check(&package.docs, name.clone());
        for world in package.worlds.values() {
            check(&resolve.worlds[*world].docs, format!("world {}", resolve.worlds[*world].name));
        }
        for (interface_name, interface) in &package.interfaces {
            let interface = &resolve.interfaces[*interface];
            interfaces.push(format!("{name}/{interface_name}"));
            check(&interface.docs, format!("{name}/{interface_name}"));
            for (function_name, function) in &interface.functions {
                check(&function.docs, format!("{interface_name}.{function_name}"));
            }
            for (type_name, id) in &interface.types {
                let definition = &resolve.types[*id];
                let members: Vec<(&str, &Docs)> = match &definition.kind {
                    TypeDefKind::Record(record) => record.fields.iter().map(|f| (f.name.as_str(), &f.docs)).collect(),
                    TypeDefKind::Variant(variant) => variant.cases.iter().map(|c| (c.name.as_str(), &c.docs)).collect(),
                    TypeDefKind::Enum(cases) => cases.cases.iter().map(|c| (c.name.as_str(), &c.docs)).collect(),
                    TypeDefKind::Flags(flags) => flags.flags.iter().map(|f| (f.name.as_str(), &f.docs)).collect(),
                    // Imported from another interface with `use`, and documented there.
                    TypeDefKind::Type(_) => continue,
                    _ => Vec::new(),
                };
                check(&definition.docs, format!("{interface_name}.{type_name}"));
                for (member, docs) in members {
                    check(docs, format!("{interface_name}.{type_name}.{member}"));
                }
            }
        }
    }
    interfaces.sort();
    assert_eq!(interfaces, INTERFACES);
    assert_eq!(undocumented, [""; 0]);
}
