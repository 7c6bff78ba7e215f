//! Puts components together, so that the connector can run where nobody speaks `automation:connector`.
//!
//! [`spin_dependency`] makes the component that any Spin application can have as a dependency; [`plug`] is the general
//! tool, and does what Spin does with an application and its dependency.
//!
//! ```no_run
//! use std::path::Path;
//!
//! # fn main() -> Result<(), String> {
//! let users = onepassword_users_compose::spin_dependency(Path::new("."), Path::new("target/compose"))?;
//! let application = std::fs::read("application.wasm").map_err(|error| error.to_string())?;
//! let both = onepassword_users_compose::plug(&application, &[&users])?;
//! println!("{:?}", onepassword_users_compose::interfaces(&both)?.imports);
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

/// The names of what a component needs and of what it gives, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interfaces {
    /// What it needs, such as `wasi:io/poll@0.2.0`.
    pub imports: Vec<String>,
    /// What it gives.
    pub exports: Vec<String>,
}

/// The component with its settings and secrets taken from the variables of Spin: builds the adapter and puts it together with
/// [`COMPONENT`]. `target_dir` is where cargo may work; best not the one that other builds use.
///
/// # Errors
///
/// What could not be built, with the words of the compiler.
pub fn spin_dependency(workspace: &Path, target_dir: &Path) -> Result<Vec<u8>, String> {
    let path = onepassword_users_guest_build::build(workspace, "spin-variables-adapter", target_dir)?;
    let adapter = fs::read(&path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    plug(COMPONENT, &[&adapter])
}

/// Fills the imports of `socket` with what the `plugs` export under the same names. What is left of its imports, and all
/// that the plugs import, are the imports of the whole; its exports are those of `socket`.
///
/// # Errors
///
/// Which of them is not a component, or has nothing that `socket` could use, or offers an interface that is another one
/// under the same name, or one that an earlier plug has filled already.
pub fn plug(socket: &[u8], plugs: &[&[u8]]) -> Result<Vec<u8>, String> {
    let mut graph = CompositionGraph::new();
    let socket = register(&mut graph, "the socket", socket)?;
    let whole = graph.instantiate(socket);
    for (number, plug) in (1..).zip(plugs) {
        let name = format!("plug {number}");
        let plug = register(&mut graph, &name, plug)?;
        let wanted = &world(&graph, socket).imports;
        let fitting: Vec<String> =
            world(&graph, plug).exports.keys().filter(|export| wanted.contains_key(*export)).cloned().collect();
        if fitting.is_empty() {
            return Err(format!("{name} exports nothing that the socket imports"));
        }
        let part = graph.instantiate(plug);
        for interface in fitting {
            let export = graph.alias_instance_export(part, &interface).map_err(|error| chain(&error))?;
            graph
                .set_instantiation_argument(whole, &interface, export)
                .map_err(|error| format!("{name} does not fit: {}", chain(&error)))?;
        }
    }
    let exports: Vec<String> = world(&graph, socket).exports.keys().cloned().collect();
    for interface in exports {
        let export = graph.alias_instance_export(whole, &interface).map_err(|error| chain(&error))?;
        graph.export(export, &interface).map_err(|error| chain(&error))?;
    }
    graph.encode(EncodeOptions::default()).map_err(|error| chain(&error))
}

/// Reads off a component what it needs and what it gives.
///
/// # Errors
///
/// Why it is not a component.
pub fn interfaces(component: &[u8]) -> Result<Interfaces, String> {
    let mut graph = CompositionGraph::new();
    let component = register(&mut graph, "this", component)?;
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

#[allow(clippy::indexing_slicing, reason = "both indices come from this very graph")]
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
