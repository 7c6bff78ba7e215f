//! Everything that repeats the catalogue says what the catalogue says. Tables between markers are generated:
//! `UPDATE_DOCS=1 cargo test -p onepassword-users-core --test catalogue` writes them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use onepassword_users_core::catalogue::{ACTIONS, ERRORS, SECRETS, SETTINGS, Value, ValueKind};
use onepassword_users_core::manifest;
use serde_json::Value as Json;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The help of a value, with its bounds.
fn meaning(value: &Value) -> String {
    match value.kind {
        ValueKind::Integer { min, max, .. } => format!("{}: {min} to {max}", value.help),
        _ => value.help.to_owned(),
    }
}

fn settings_table() -> Vec<String> {
    let mut table = vec!["| setting | meaning | default |".to_owned(), "|---|---|---|".to_owned()];
    table.extend(SETTINGS.iter().map(|setting| {
        let default = match (setting.is_required, setting.default) {
            (true, _) => "required".to_owned(),
            (false, Some(default)) => format!("`{default}`"),
            (false, None) => "none".to_owned(),
        };
        format!("| `{}` | {} | {default} |", setting.name, meaning(setting))
    }));
    table
}

fn secrets_table() -> Vec<String> {
    let mut table = vec!["| secret | meaning |".to_owned(), "|---|---|".to_owned()];
    table.extend(SECRETS.iter().map(|secret| format!("| `{}` | {} |", secret.name, meaning(secret))));
    table
}

fn errors_table() -> Vec<String> {
    let header = "| error | cause | remedy | retry | exit code |".to_owned();
    let mut table = vec![header, "|---|---|---|---|---|".to_owned()];
    table.extend(ERRORS.iter().map(|code| {
        let entry = code.entry();
        let retry = if code.is_retryable() { "yes" } else { "no" };
        format!("| `{}` | {} | {} | {retry} | {} |", entry.code, entry.cause, entry.remedy, entry.exit_code)
    }));
    table
}

fn actions_table() -> Vec<String> {
    let mut table = vec!["| action | kind | effect |".to_owned(), "|---|---|---|".to_owned()];
    table.extend(
        ACTIONS.iter().map(|action| format!("| `{}` | {} | {} |", action.name, action.kind.name(), action.effect)),
    );
    table
}

/// The policy of a host that asks for one: the origins of the manifest, the variables of its settings and secrets, and nothing
/// else.
fn policy() -> String {
    let manifest: Json = serde_json::from_str(&manifest()).unwrap();
    let list = |list: &Json| -> Vec<Json> { list.as_array().unwrap().clone() };
    let hosts = list(&manifest["origins"]["allowed"]).into_iter().map(|origin| {
        let host = origin.as_str().unwrap().strip_prefix("https://").unwrap().to_owned();
        format!("      - host: \"{host}\"\n")
    });
    let keys = [list(&manifest["settings"]), list(&manifest["secrets"])].concat().into_iter().map(|value| {
        let variable = value["name"].as_str().unwrap().to_uppercase().replace('-', "_");
        format!("      - key: \"CONNECTOR_{variable}\"\n")
    });
    format!(
        "# Written by UPDATE_DOCS=1 cargo test -p onepassword-users-core --test catalogue\n\
         version: \"1.0\"\n\
         description: \"{}: the origins of the service, and the variables of settings and secrets\"\n\
         permissions:\n  network:\n    allow:\n{}  environment:\n    allow:\n{}",
        manifest["title"].as_str().unwrap(),
        hosts.collect::<String>(),
        keys.collect::<String>(),
    )
}

#[test]
fn the_policy_allows_what_the_manifest_needs_and_nothing_else() {
    let (path, expected) = (root().join("adapters/policy.yaml"), policy());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, expected, "the policy differs from the manifest; write it with UPDATE_DOCS=1");
}

/// Compares the lines between two markers with a table, or writes them. `indent` is in front of each line.
fn check(path: &str, name: &str, indent: &str, table: &[String]) {
    let path = root().join(path);
    let text = std::fs::read_to_string(&path).unwrap();
    let start = text.find(&format!("<!-- {name}:")).unwrap_or_else(|| panic!("{}: no marker {name}", path.display()));
    let start = start + text[start..].find('\n').unwrap() + 1;
    let end = start + text[start..].find(&format!("{indent}<!-- end -->")).unwrap();
    let expected: String = table.iter().map(|line| format!("{indent}{line}\n")).collect();
    if text[start..end] == expected {
        return;
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{}{expected}{}", &text[..start], &text[end..])).unwrap();
        return;
    }
    panic!("{}: the table {name} differs from the catalogue; write it with UPDATE_DOCS=1", path.display());
}

/// The analyst's page has a row for each error.
#[test]
fn the_analysts_page_has_every_error() {
    let page = include_str!("../../docs/analyst.md");
    let rows: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |")).map(|(code, _)| code).collect();
    let rows: Vec<&str> = rows.into_iter().filter(|code| ERRORS.iter().any(|error| error.name() == *code)).collect();
    let codes: Vec<&str> = ERRORS.iter().map(|code| code.name()).collect();
    assert_eq!(rows, codes);
}

#[test]
fn the_tables_of_the_readme_are_those_of_the_catalogue() {
    check("README.md", "actions", "", &actions_table());
    check("README.md", "settings", "", &settings_table());
    check("README.md", "secrets", "", &secrets_table());
    check("README.md", "errors", "", &errors_table());
}

#[test]
fn the_contract_documents_the_settings_and_secrets() {
    check("wit/world.wit", "settings", "/// ", &settings_table());
    check("wit/world.wit", "secrets", "/// ", &secrets_table());
}

/// The names inside the braces after `head`, at one level.
fn names<'a>(wit: &'a str, head: &str) -> BTreeSet<&'a str> {
    let (_, body) = wit.split_once(&format!("{head} {{")).unwrap();
    let (body, _) = body.split_once("\n  }").unwrap();
    let lines = body.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("///"));
    lines.map(|line| line.split([',', ':', '(']).next().unwrap()).collect()
}

#[test]
fn the_contract_has_the_codes_classes_and_actions_of_the_catalogue() {
    let types = std::fs::read_to_string(root().join("wit/types.wit")).unwrap();
    assert_eq!(names(&types, "enum error-code"), ERRORS.iter().map(|code| code.name()).collect());
    let classes: BTreeSet<&str> = ERRORS.iter().map(|code| code.class().name()).collect();
    assert_eq!(names(&types, "enum failure-class"), classes);
    // The generic package has the same record, apart from the type of the code.
    let generic = std::fs::read_to_string(root().join("wit/deps/automation-connector/failures.wit")).unwrap();
    for part in ["enum failure-class", "enum subject-kind", "record subject", "record service-error", "record failure"]
    {
        assert_eq!(names(&generic, part), names(&types, part), "{part}");
    }
    let actions = std::fs::read_to_string(root().join("wit/actions.wit")).unwrap();
    let functions: BTreeSet<&str> =
        actions.lines().filter_map(|line| line.trim().split_once(": func(")).map(|(name, _)| name).collect();
    assert_eq!(functions, ACTIONS.iter().map(|action| action.name).collect());
}

#[test]
fn the_catalogue_is_sound() {
    let names: BTreeSet<&str> = SETTINGS.iter().chain(&SECRETS).map(|value| value.name).collect();
    assert_eq!(names.len(), SETTINGS.len() + SECRETS.len(), "a name occurs twice");
    for value in SETTINGS.iter().chain(&SECRETS) {
        assert_eq!(Value::find(value.name), Some(value));
        assert!(value.remedy.ends_with('.') && value.remedy.contains(value.name), "{}", value.name);
        assert!(!value.help.is_empty() && !value.help.ends_with('.') && !value.title.is_empty(), "{}", value.name);
        assert!(!(value.is_required && value.default.is_some()), "{}", value.name);
        if let ValueKind::Integer { min, max, .. } = value.kind {
            let default: u32 = value.default.unwrap().parse().unwrap();
            assert!((min..=max).contains(&default), "{}", value.name);
        }
        if let ValueKind::Choice(choices) = value.kind {
            assert!(value.default.is_none_or(|default| choices.contains(&default)), "{}", value.name);
        }
    }
    assert!(SETTINGS.iter().all(|value| !value.is_secret) && SECRETS.iter().all(|value| value.is_secret));
    for action in &ACTIONS {
        let undo = action.undo.map(|undo| ACTIONS.iter().find(|other| other.name == undo).unwrap());
        assert!(undo.is_none_or(|undo| undo.undo == Some(action.name)), "{}", action.name);
    }
    for code in ERRORS {
        let entry = code.entry();
        assert_eq!((entry.code, entry.class), (code.name(), code.class()));
        assert!(!entry.title.ends_with('.') && (400..600).contains(&entry.http_status), "{}", entry.code);
    }
}
