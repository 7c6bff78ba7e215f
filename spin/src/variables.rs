//! Tests that hold the variables of the application against the catalogue: `spin.toml`, `spinkube.yaml` and the table of the
//! guide.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may end here")]

use std::collections::BTreeMap;

use onepassword_users_core::catalogue::{SECRETS, SETTINGS, Value, ValueKind};
use serde::Deserialize;

const MANIFEST: &str = include_str!("../spin.toml");
const KUBERNETES: &str = include_str!("../spinkube.yaml");
const GUIDE: &str = include_str!("../README.md");

/// The variables that only this application has: the keys of its callers.
const KEYS: [&str; 2] = ["reader_keys", "responder_keys"];

#[derive(Deserialize)]
struct Manifest {
    application: Application,
    variables: BTreeMap<String, Variable>,
    component: BTreeMap<String, Component>,
}

#[derive(Deserialize)]
struct Application {
    version: String,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct Variable {
    default: Option<String>,
    required: bool,
    secret: bool,
}

#[derive(Deserialize)]
struct Component {
    variables: BTreeMap<String, String>,
}

fn manifest() -> Manifest {
    toml::from_str(MANIFEST).unwrap()
}

fn values() -> impl Iterator<Item = &'static Value> {
    SETTINGS.iter().chain(&SECRETS)
}

/// The name of a setting or secret as a variable.
fn variable(value: &Value) -> String {
    value.name.replace('-', "_")
}

#[test]
fn the_manifest_has_every_setting_and_secret() {
    let Manifest { application, mut variables, component } = manifest();
    assert_eq!(application.version, env!("CARGO_PKG_VERSION"));
    for (name, variable) in &variables {
        let template = component.values().next().unwrap().variables.get(name);
        assert_eq!(template, Some(&format!("{{{{ {name} }}}}")), "the component gets {name}: {variable:?}");
    }
    assert_eq!(component.values().next().unwrap().variables.len(), variables.len());
    for key in KEYS {
        let expected = Variable { required: true, secret: true, default: None };
        assert_eq!(variables.remove(key), Some(expected), "{key}");
    }
    for value in values() {
        // A variable of Spin is required or has a default.
        let default = (!value.is_required).then(|| value.default.unwrap_or_default().to_owned());
        let expected = Variable { default, required: value.is_required, secret: value.is_secret };
        assert_eq!(variables.remove(&variable(value)), Some(expected), "{}", value.name);
    }
    assert!(variables.is_empty(), "the catalogue does not have {variables:?}");
}

/// It sets all required variables, secrets by reference, and no variable that does not exist.
#[test]
fn the_kubernetes_manifest_sets_the_variables() {
    let variables = manifest().variables;
    let (_, list) = KUBERNETES.split_once("  variables:\n").unwrap();
    let entries: Vec<(&str, &str)> = list
        .split("    - name: ")
        .skip(1)
        .map(|entry| entry.split_once('\n').unwrap())
        .map(|(name, rest)| (name, rest.split("\n  checks:").next().unwrap()))
        .collect();
    for (name, rest) in &entries {
        let variable = variables.get(*name).unwrap_or_else(|| panic!("{name} is not a variable"));
        assert_eq!(rest.contains("secretKeyRef"), variable.secret, "{name}");
        let key = name.replace('_', "-");
        assert!(!variable.secret || rest.contains(&format!("key: {key}\n")), "{name}");
        assert!(!variable.secret || KUBERNETES.contains(&format!("\n  {key}: ")), "the secret has no {key}");
    }
    for (name, variable) in &variables {
        assert!(!variable.required || entries.iter().any(|(set, _)| set == name), "{name} is not set");
    }
}

/// One row for each variable, in the order of the catalogue, with its default and its bounds.
#[test]
fn the_guide_has_a_row_for_every_variable() {
    let (_, table) = GUIDE.split_once("## Variables\n").unwrap();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let names: Vec<String> =
        values().map(variable).chain(KEYS.map(Into::into)).map(|name| format!("`{name}`")).collect();
    assert_eq!(rows.iter().map(|row| *row.get(1).unwrap()).collect::<Vec<_>>(), names);
    for (value, row) in values().zip(&rows) {
        let [_, name, meaning, default, _] = row.as_slice() else { panic!("{row:?}") };
        let expected = match value.default {
            Some(default) => format!("`{default}`"),
            None if value.is_required => "required".into(),
            None => "none".into(),
        };
        assert_eq!(*default, expected, "{name}");
        match value.kind {
            ValueKind::Integer { min, max, .. } => assert!(meaning.contains(&format!("{min} to {max}")), "{name}"),
            ValueKind::Choice(choices) => assert!(choices.iter().all(|choice| meaning.contains(choice)), "{name}"),
            _ => {}
        }
    }
}
