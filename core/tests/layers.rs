//! The layers of the core: each module uses only modules of lower layers, so there are no import cycles.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::Path;

/// All modules by layer, from the lowest to the highest. A module may use those listed before it.
const LAYERS: [(&str, &[&str]); 9] = [
    ("foundation", &["time", "secret", "text", "hash", "decimal", "redact"]),
    ("http", &["http"]),
    ("catalogue", &["catalogue::actions", "catalogue"]),
    (
        "values",
        &[
            "values::base_url",
            "values::email",
            "values::user",
            "values::protected",
            "values::settings",
            "values::page_token",
            "values::query",
            "values::change",
            "values::report",
            "values",
        ],
    ),
    ("api", &["api::parse", "api::service_error", "api::refusal", "api::body", "api::page", "api::call", "api"]),
    ("machine", &["error", "machine", "retry"]),
    ("client", &["token", "config", "classify", "sender", "client", "pages", "listing"]),
    ("actions", &["actions::lookup", "actions::list", "actions::change", "actions::test", "actions", "session"]),
    ("faces", &["manifest", "failure", "json", "arguments", "write", "invoke"]),
];

/// The source files of the crate by module, without the crate root.
fn sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let relative = path.strip_prefix(&root).unwrap().with_extension("");
            let module = relative.to_str().unwrap().replace(['/', '\\'], "::");
            let module = module.strip_suffix("::mod").unwrap_or(&module).to_owned();
            if module != "lib" {
                sources.insert(module, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    sources
}

/// The modules that a source file names in `crate::` paths, in unit tests as well.
fn used(source: &str, modules: &BTreeMap<String, String>) -> Vec<String> {
    let code: String = source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let mut used = Vec::new();
    for path in code.split("crate::").skip(1) {
        let end = path.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(path.len());
        let path = &path[..end];
        // The longest prefix that is a module: `values::user::User` is part of `values::user`.
        let mut prefix = path.trim_end_matches(':');
        while !modules.contains_key(prefix) {
            match prefix.rsplit_once("::") {
                Some((parent, _)) => prefix = parent,
                None => panic!("crate::{path} is in no module"),
            }
        }
        used.push(prefix.to_owned());
    }
    used
}

#[test]
fn modules_use_only_lower_modules() {
    let sources = sources();
    let order: Vec<&str> = LAYERS.iter().flat_map(|(_, modules)| modules.iter().copied()).collect();
    let listed: std::collections::BTreeSet<&str> = order.iter().copied().collect();
    assert_eq!(order.len(), listed.len(), "LAYERS lists a module twice");
    assert!(listed.iter().copied().eq(sources.keys().map(String::as_str)), "LAYERS does not match the modules in src/");

    let place = |module: &str| order.iter().position(|other| *other == module).unwrap();
    let mut edges = 0;
    for (module, source) in &sources {
        let relative = source.matches("super::").count() - source.matches("use super::*;").count();
        assert_eq!(relative, 0, "{module}: paths to other modules must begin with crate::");
        for other in used(source, &sources) {
            edges += 1;
            assert!(place(&other) < place(module), "{module} uses {other}, which is not in a lower layer");
        }
    }
    assert!(edges > 50, "only {edges} uses found");
}
