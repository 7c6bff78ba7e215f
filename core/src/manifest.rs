//! The description of the connector in JSON.

use alloc::string::String;

use crate::catalogue::SHARED;

/// The description of the connector in JSON: all of the catalogue that a platform needs. The contract documents its form.
///
/// It is written at test time, by the test below, and holds the words of `SHARED` between `§` in place of their texts.
#[must_use]
pub fn manifest() -> String {
    const TEMPLATE: &str = include_str!("manifest.template");
    let mut manifest = String::with_capacity(2 * TEMPLATE.len());
    for (n, part) in TEMPLATE.split('§').enumerate() {
        let shared = SHARED.iter().find(|(word, _)| n % 2 == 1 && *word == part);
        manifest.push_str(shared.map_or(part, |(_, text)| text));
    }
    manifest
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    extern crate std;

    use alloc::format;
    use alloc::vec::Vec;
    use std::path::Path;

    use serde::Serialize;
    use serde_json::Value as Json;

    use super::*;
    use crate::catalogue::{
        ACTIONS, ActionEntry, CONNECTOR, Column, ERRORS, ErrorCode, SECRETS, SETTINGS, Tag, Value, ValueKind,
    };

    /// An object whose members are in this order. That of `serde_json` depends on a feature that other packages switch on.
    fn object(members: &[(&str, String)]) -> String {
        let members: Vec<String> = members.iter().map(|(name, json)| format!("\"{name}\":{json}")).collect();
        format!("{{{}}}", members.join(","))
    }

    fn array(items: impl IntoIterator<Item = String>) -> String {
        format!("[{}]", items.into_iter().collect::<Vec<_>>().join(","))
    }

    fn json(value: impl Serialize) -> String {
        serde_json::to_string(&value).unwrap()
    }

    fn value(value: &Value) -> String {
        let (kind, more) = match value.kind {
            ValueKind::Text => ("text", Vec::new()),
            ValueKind::Url => ("url", Vec::new()),
            ValueKind::Pattern(pattern) => ("text", Vec::from([("pattern", json(pattern))])),
            ValueKind::Choice(choices) => ("choice", Vec::from([("choices", json(choices))])),
            ValueKind::Integer { min, max, unit } => {
                let mut more = Vec::from([("minimum", json(min)), ("maximum", json(max))]);
                more.extend(unit.map(|unit| ("unit", json(unit))));
                ("integer", more)
            }
        };
        let mut members = Vec::from([
            ("name", json(value.name)),
            ("label", json(value.title)),
            ("help", json(value.help)),
            ("type", json(kind)),
            ("required", json(value.is_required)),
            ("default", json(value.default)),
        ]);
        members.extend(more);
        object(&members)
    }

    fn code(code: &ErrorCode) -> String {
        let entry = code.entry();
        object(&[
            ("code", json(entry.code)),
            ("class", json(entry.class.name())),
            ("title", json(entry.title)),
            ("cause", json(entry.cause)),
            ("remedy", json(entry.remedy)),
        ])
    }

    fn action(action: &ActionEntry) -> String {
        let form = &action.form;
        let tag = |tag: &Tag| object(&[("path", json(tag.path)), ("meaning", json(tag.meaning.name()))]);
        let column = |column: &Column| object(&[("label", json(column.label)), ("path", json(column.path))]);
        object(&[
            ("name", json(action.name)),
            ("title", json(action.title)),
            ("description", json(action.effect)),
            ("kind", json(action.kind.name())),
            ("class", json(action.class.name())),
            ("idempotent", json(action.is_idempotent)),
            ("undo", json(action.undo)),
            ("permission", json(action.permission)),
            ("input", form.input.into()),
            ("output", form.output.into()),
            (
                "example",
                object(&[("arguments", form.example.arguments.into()), ("result", form.example.result.into())]),
            ),
            ("rows", json(form.rows)),
            ("columns", array(form.columns.iter().map(column))),
            ("input_tags", array(form.input_tags.iter().map(tag))),
            ("output_tags", array(form.output_tags.iter().map(tag))),
        ])
    }

    /// The manifest of the catalogue, with a line for each setting, secret, code and action.
    fn expected() -> String {
        let connector = CONNECTOR;
        let texts = [
            ("name", connector.name),
            ("title", connector.title),
            ("description", connector.description),
            ("version", connector.version),
            ("vendor", connector.vendor),
            ("product", connector.product),
            ("category", connector.category),
            ("documentation", connector.documentation),
        ];
        let mut lines: Vec<String> = texts.iter().map(|(name, text)| format!("\"{name}\":{}", json(text))).collect();
        let list = |name: &str, items: Vec<String>| format!("\"{name}\":[\n{}\n]", items.join(",\n"));
        lines.push(list("settings", SETTINGS.iter().map(value).collect()));
        lines.push(list("secrets", SECRETS.iter().map(value).collect()));
        let origins = connector.origins;
        let origins = object(&[
            ("default", json(origins.default)),
            ("allowed", json(origins.allowed)),
            ("setting", json(origins.setting)),
        ]);
        lines.push(format!("\"origins\":{origins}"));
        lines.push(list("codes", ERRORS.iter().filter(|code| code.is_own()).map(code).collect()));
        lines.push(list("actions", ACTIONS.iter().map(action).collect()));
        format!("{{{}}}\n", lines.join(",\n"))
    }

    /// Run with `UPDATE_DOCS=1` to write the template.
    #[test]
    fn the_manifest_says_what_the_catalogue_says() {
        let expected = expected();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            assert!(!expected.contains('§'), "§ marks a shared text");
            let template =
                SHARED.iter().fold(expected, |text, (word, shared)| text.replace(shared, &format!("§{word}§")));
            std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manifest.template"), template).unwrap();
        } else {
            assert!(manifest() == expected, "UPDATE_DOCS=1 cargo test -p onepassword-users-core --lib writes it");
        }
    }

    /// The manifest fits the contract's schema, and the example of each action fits the action's schemas.
    #[test]
    fn manifest_and_examples_fit_their_schemas() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit/deps/automation-connector/manifest.schema.json");
        let schema: Json = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let manifest: Json = serde_json::from_str(&manifest()).unwrap();
        check(&schema, &manifest, "the manifest");
        for action in manifest["actions"].as_array().unwrap() {
            let name = action["name"].as_str().unwrap();
            check(&action["input"], &action["example"]["arguments"], name);
            check(&action["output"], &action["example"]["result"], name);
            for schema in [&action["input"], &action["output"]] {
                assert!(jsonschema::draft202012::meta::is_valid(schema), "{name}");
            }
        }
    }

    fn check(schema: &Json, instance: &Json, name: &str) {
        let validator = jsonschema::draft202012::new(schema).unwrap();
        let problems: Vec<String> =
            validator.iter_errors(instance).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert_eq!(problems, [""; 0], "{name}");
    }
}
