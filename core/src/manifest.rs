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
    use alloc::string::ToString;
    use alloc::vec::Vec;
    use std::path::Path;

    use serde_json::{Value as Json, json};

    use super::*;
    use crate::catalogue::{
        ACTIONS, ActionEntry, CONNECTOR, ERRORS, ErrorCode, SECRETS, SETTINGS, Tag, Value, ValueKind,
    };

    fn value(value: &Value) -> String {
        let (kind, more) = match value.kind {
            ValueKind::Text => ("text", json!({})),
            ValueKind::Url => ("url", json!({})),
            ValueKind::Pattern(pattern) => ("text", json!({ "pattern": pattern })),
            ValueKind::Choice(choices) => ("choice", json!({ "choices": choices })),
            ValueKind::Integer { min, max, unit: None } => ("integer", json!({ "minimum": min, "maximum": max })),
            ValueKind::Integer { min, max, unit } => {
                ("integer", json!({ "minimum": min, "maximum": max, "unit": unit }))
            }
        };
        let mut members = json!({
            "name": value.name, "label": value.title, "help": value.help, "type": kind, "required": value.is_required,
            "default": value.default,
        });
        members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        members.to_string()
    }

    fn code(code: &ErrorCode) -> String {
        let entry = code.entry();
        let (class, cause) = (entry.class.name(), entry.cause);
        json!({ "code": entry.code, "class": class, "title": entry.title, "cause": cause, "remedy": entry.remedy })
            .to_string()
    }

    fn action(action: &ActionEntry) -> String {
        let form = &action.form;
        let tags = |tags: &[Tag]| -> Json {
            tags.iter().map(|tag| json!({ "path": tag.path, "meaning": tag.meaning.name() })).collect()
        };
        let columns: Json =
            form.columns.iter().map(|column| json!({ "label": column.label, "path": column.path })).collect();
        let members = [
            ("name", json!(action.name).to_string()),
            ("title", json!(action.title).to_string()),
            ("description", json!(action.effect).to_string()),
            ("kind", json!(action.kind.name()).to_string()),
            ("class", json!(action.class.name()).to_string()),
            ("idempotent", json!(action.is_idempotent).to_string()),
            ("undo", json!(action.undo).to_string()),
            ("permission", json!(action.permission).to_string()),
            ("input", form.input.into()),
            ("output", form.output.into()),
            ("example", format!("{{\"arguments\":{},\"result\":{}}}", form.example.arguments, form.example.result)),
            ("rows", json!(form.rows).to_string()),
            ("columns", columns.to_string()),
            ("input_tags", tags(form.input_tags).to_string()),
            ("output_tags", tags(form.output_tags).to_string()),
        ];
        let members: Vec<String> = members.iter().map(|(name, json)| format!("\"{name}\":{json}")).collect();
        format!("{{{}}}", members.join(","))
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
        let mut lines: Vec<String> = texts.iter().map(|(name, text)| format!("\"{name}\":{}", json!(text))).collect();
        let list = |name: &str, items: Vec<String>| format!("\"{name}\":[\n{}\n]", items.join(",\n"));
        lines.push(list("settings", SETTINGS.iter().map(value).collect()));
        lines.push(list("secrets", SECRETS.iter().map(value).collect()));
        let origins = connector.origins;
        let origins = json!({ "default": origins.default, "allowed": origins.allowed, "setting": origins.setting });
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
