//! Composes components, so that the connector can run on platforms that do not provide `automation:connector`.
//!
//! [`portable`] builds a component that any host of WASI 0.2 with outbound HTTP can run, [`wasi_config`] one for hosts with
//! `wasi:config`, and [`spin_dependency`] one that any Spin application can use as a dependency. [`plug`] is the general tool: it
//! composes an application with its dependencies as Spin does.
//!
//! ```no_run
//! use std::path::Path;
//!
//! # fn main() -> Result<(), String> {
//! let users = onepassword_users_compose::spin_dependency(Path::new("."), Path::new("target/compose"))?;
//! let application = std::fs::read("application.wasm").map_err(|error| error.to_string())?;
//! let composed = onepassword_users_compose::plug(&application, &[&users])?;
//! println!("{:?}", onepassword_users_compose::interfaces(&composed)?.imports);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![warn(missing_docs)]

use std::error::Error;
use std::fs;
use std::path::Path;

use onepassword_users_component::COMPONENT;
use wac_graph::types::{Package, World};
use wac_graph::{CompositionGraph, EncodeOptions, PackageId};

/// The names of a component's imports and exports, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interfaces {
    /// The imports, such as `wasi:io/poll@0.2.0`.
    pub imports: Vec<String>,
    /// The exports.
    pub exports: Vec<String>,
}

/// Builds the adapter for Spin's variables and composes it with [`COMPONENT`]. `target_dir` is cargo's target directory for
/// this build, preferably one that no other build locks.
///
/// # Errors
///
/// Fails if the adapter cannot be built or composed. The text holds the compiler's messages.
pub fn spin_dependency(workspace: &Path, target_dir: &Path) -> Result<Vec<u8>, String> {
    with_adapter("spin-variables-adapter", workspace, target_dir)
}

/// Builds the adapter for environment variables and composes it with [`COMPONENT`]. The result imports WASI 0.2.0 and nothing
/// else. The arguments are those of [`spin_dependency`].
///
/// # Errors
///
/// Fails if the adapter cannot be built or composed. The text holds the compiler's messages.
pub fn portable(workspace: &Path, target_dir: &Path) -> Result<Vec<u8>, String> {
    with_adapter("environment-adapter", workspace, target_dir)
}

/// Builds the adapter for `wasi:config/store` and composes it with [`COMPONENT`]. The arguments are those of
/// [`spin_dependency`].
///
/// # Errors
///
/// Fails if the adapter cannot be built or composed. The text holds the compiler's messages.
pub fn wasi_config(workspace: &Path, target_dir: &Path) -> Result<Vec<u8>, String> {
    with_adapter("wasi-config-adapter", workspace, target_dir)
}

fn with_adapter(package: &str, workspace: &Path, target_dir: &Path) -> Result<Vec<u8>, String> {
    let path = onepassword_users_guest_build::build(workspace, package, target_dir)?;
    let adapter = fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    plug(COMPONENT, &[&adapter])
}

/// Connects the imports of `socket` to the exports of the `plugs` with the same names. The result has the exports of `socket`,
/// its remaining imports, and the imports of the plugs.
///
/// # Errors
///
/// Names the argument that is not a component, has no export that `socket` imports, exports an interface of another type, or
/// exports one that an earlier plug has filled.
pub fn plug(socket: &[u8], plugs: &[&[u8]]) -> Result<Vec<u8>, String> {
    let mut graph = CompositionGraph::new();
    let socket = register(&mut graph, "the socket", socket)?;
    let composed = graph.instantiate(socket);
    for (number, plug) in (1..).zip(plugs) {
        let name = format!("plug {number}");
        let plug = register(&mut graph, &name, plug)?;
        let imports = &world(&graph, socket).imports;
        let matching: Vec<String> =
            world(&graph, plug).exports.keys().filter(|export| imports.contains_key(*export)).cloned().collect();
        if matching.is_empty() {
            return Err(format!("{name} exports nothing that the socket imports"));
        }
        let instance = graph.instantiate(plug);
        for interface in matching {
            let export = graph.alias_instance_export(instance, &interface).map_err(|error| chain(&error))?;
            graph
                .set_instantiation_argument(composed, &interface, export)
                .map_err(|error| format!("{name} does not fit: {}", chain(&error)))?;
        }
    }
    let exports: Vec<String> = world(&graph, socket).exports.keys().cloned().collect();
    for interface in exports {
        let export = graph.alias_instance_export(composed, &interface).map_err(|error| chain(&error))?;
        graph.export(export, &interface).map_err(|error| chain(&error))?;
    }
    graph.encode(EncodeOptions::default()).map_err(|error| chain(&error))
}

/// Reads the imports and exports of a component.
///
/// # Errors
///
/// Fails if the bytes are not a component.
pub fn interfaces(component: &[u8]) -> Result<Interfaces, String> {
    let mut graph = CompositionGraph::new();
    let component = register(&mut graph, "the file", component)?;
    let sorted = |names: &mut dyn Iterator<Item = &String>| {
        let mut names: Vec<String> = names.cloned().collect();
        names.sort();
        names
    };
    let World { imports, exports, .. } = world(&graph, component);
    Ok(Interfaces { imports: sorted(&mut imports.keys()), exports: sorted(&mut exports.keys()) })
}

fn register(graph: &mut CompositionGraph, name: &str, component: &[u8]) -> Result<PackageId, String> {
    let package = Package::from_bytes(name, None, component, graph.types_mut())
        .map_err(|error| format!("{name} cannot be read as a component: {error:#}"))?;
    graph.register_package(package).map_err(|error| chain(&error))
}

#[allow(clippy::indexing_slicing, reason = "both indices come from this graph")]
fn world(graph: &CompositionGraph, package: PackageId) -> &World {
    &graph.types()[graph[package].ty()]
}

/// An error with all its causes in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
