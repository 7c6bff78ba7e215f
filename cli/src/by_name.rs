//! Commands that know no more of a connector than its description: the built-in one, or any other component.

use std::path::Path;
use std::process::ExitCode;

use onepassword_users_host::{
    Connector, Environment, Error, Manifest, ManifestAction, ManifestCode, Options, Origins, Output as Result_,
    SubjectKind,
};
use onepassword_users_simulator::Simulator;
use serde_json::{Value, json};

use crate::args::{Format, Global};
use crate::confirm::confirmed;
use crate::failure::{Failure, WOULD_CHANGE, with_options};
use crate::output::{Output, cut, print_json};
use crate::target::{Effect, Target, host};
use crate::users_file;

/// The name of the built-in connector.
const OWN_NAME: &str = "onepassword-users";

/// A connector that was described, with its values.
struct Described {
    connector: Connector,
    manifest: Manifest,
    output: Output,
    /// Serves the simulated account until it is dropped.
    _simulator: Option<Simulator>,
}

impl Described {
    async fn start(global: &Global, effect: impl FnOnce(&Manifest) -> Effect) -> Result<Self, Failure> {
        let host = host(global)?;
        let manifest = host.connector(Options::default())?.describe().await?;
        let Target { options, simulator } = if manifest.name == OWN_NAME {
            Target::announced(global, effect(&manifest)).await?
        } else {
            Target::foreign(global, &manifest)?
        };
        let Target { options, simulator } = Target { options, simulator }.audited(global)?;
        let output = Output::new(global.output, simulator.is_some());
        Ok(Self { connector: host.connector(options)?, manifest, output, _simulator: simulator })
    }

    /// The failure of an action, in which settings and secrets have the names of their variables.
    fn failure(&self, error: &Error) -> Failure {
        let mut record = error.record();
        let argument = record.subject.as_ref().filter(|subject| subject.kind == SubjectKind::Argument);
        let argument = argument.map(|subject| subject.name.clone());
        let Manifest { settings, secrets, .. } = &self.manifest;
        record = record.respelled(|name| {
            let is_value = settings.iter().chain(secrets).any(|value| value.name == name);
            if is_value && argument.as_deref() != Some(name) { variable(&self.manifest, name) } else { name.to_owned() }
        });
        with_options(&mut record.message);
        with_options(&mut record.remedy);
        Failure::of_action(record)
    }
}

/// The environment variable of a setting or secret.
fn variable(manifest: &Manifest, name: &str) -> String {
    if manifest.name == OWN_NAME { Environment::variable(name) } else { Environment::variable_of(&manifest.name, name) }
}

/// Describes the connector, for people or in JSON.
pub(crate) async fn describe(global: &Global) -> Result<(), Failure> {
    let manifest = host(global)?.connector(Options::default())?.describe().await?;
    let output = Output::new(global.output, false);
    match output.format {
        Format::Table => {}
        Format::Json | Format::Ndjson => return print_json(&manifest.json, Some(output.format)),
        Format::Csv | Format::CsvRaw => {
            let message = "a description has no rows: use --output table or --output json".into();
            return Err(Failure::usage(message));
        }
    }
    let Manifest { name, title, version, description, documentation, .. } = &manifest;
    let mut text = format!("{title} ({name} {version})\n{description}\n{documentation}\n");
    let values = [("Settings", &manifest.settings), ("Secrets", &manifest.secrets)];
    for (heading, values) in values {
        text += &format!("\n{heading}\n");
        for value in values {
            let default = match (&value.default, value.required) {
                (Some(default), _) => format!(" [default: {default}]"),
                (None, true) => " [required]".into(),
                (None, false) => String::new(),
            };
            let help = value.help.replace('`', "");
            text += &format!("  {} ({})\n      {help}{default}\n", value.name, variable(&manifest, &value.name));
        }
    }
    text += "\nActions\n";
    for action in &manifest.actions {
        let ManifestAction { name, description, kind, class, .. } = action;
        text += &format!("  {name}\n      {} ({kind}, {class})\n", description.replace('`', ""));
        if let Some(permission) = &action.permission {
            text += &format!("      needs the permission: {permission}\n");
        }
        if let Some(undo) = &action.undo {
            text += &format!("      undone by {undo}\n");
        }
        text += &format!("      arguments: {}\n", members(&action.input));
    }
    if !manifest.codes.is_empty() {
        text += "\nFailures besides those that every connector has\n";
    }
    for ManifestCode { code, class, cause, .. } in &manifest.codes {
        text += &format!("  {code}\n      {} ({class})\n", cause.replace('`', ""));
    }
    let Origins { default, allowed, setting, .. } = &manifest.origins;
    text += &format!("\nRequests go to {default}");
    if let Some(setting) = setting {
        text += &format!(", or to the origin that {setting} names");
        let others: Vec<&str> = allowed.iter().map(String::as_str).filter(|origin| origin != default).collect();
        if !others.is_empty() {
            text += &format!(": {} and {default} are the service's", others.join(", "));
        }
    }
    text += "\n";
    output.text(&text)
}

/// The members that a schema of an object allows. Those that must be there are marked.
fn members(schema: &Value) -> String {
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema.get("properties").and_then(Value::as_object);
    let names = properties
        .into_iter()
        .flat_map(|properties| properties.keys())
        .map(|name| if required.contains(&name.as_str()) { format!("{name} (required)") } else { name.clone() });
    let names: Vec<String> = names.collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// Tests settings, credentials and permissions.
pub(crate) async fn test(global: &Global) -> Result<(), Failure> {
    let described = Described::start(global, |_| Effect::Test).await?;
    match described.connector.test().await {
        Ok(report) => described.output.test_report(&report.json),
        Err(error) => Err(described.failure(&error)),
    }
}

/// Runs an action by its name.
pub(crate) async fn invoke(global: &Global, name: &str, arguments: &str, yes: bool) -> Result<ExitCode, Failure> {
    let arguments = read_arguments(arguments)?;
    let is_read = |manifest: &Manifest| {
        manifest.actions.iter().find(|action| action.name == name).is_none_or(|action| action.class == "read")
    };
    let effect = |manifest: &Manifest| if is_read(manifest) { Effect::Read } else { Effect::Change };
    let described = Described::start(global, effect).await?;
    if !is_read(&described.manifest) && !yes && !confirmed(&format!("Run {name} with {arguments}?"))? {
        return Err(Failure::not_confirmed("not confirmed; nothing was changed"));
    }
    let result = described.connector.invoke(name, &arguments).await.map_err(|error| described.failure(&error))?;
    described.show(name, &result)?;
    // The catalogue's word for a dry run, which other connectors may use as well.
    let outcome = serde_json::from_str::<Value>(&result.json).ok().and_then(|json| Some(json.get("outcome")?.clone()));
    Ok(if outcome == Some("would-change".into()) { ExitCode::from(WOULD_CHANGE) } else { ExitCode::SUCCESS })
}

impl Described {
    /// Shows a result: as a table with its summary, or in JSON.
    fn show(&self, action: &str, result: &Result_) -> Result<(), Failure> {
        let unreadable = |error| Failure::other(format!("the result is not JSON: {error}"));
        let json: Value = serde_json::from_str(&result.json).map_err(unreadable)?;
        let Result_ { summary, changed, .. } = result;
        if self.output.format.is_json() {
            return self.output.json(json!({ "changed": changed, "summary": summary, "result": json }));
        }
        let actions = self.manifest.json.get("actions").and_then(Value::as_array);
        let action = actions.into_iter().flatten().find(|entry| entry.get("name") == Some(&action.into()));
        let form = |key| action.and_then(|action| action.get(key));
        let columns: Vec<(&str, &str)> = form("columns")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|column| Some((column.get("label")?.as_str()?, column.get("path")?.as_str()?)))
            .collect();
        let header: Vec<&str> = columns.iter().map(|(label, _)| *label).collect();
        let rows = select(&json, form("rows").and_then(Value::as_str).unwrap_or("$"));
        let is_table = self.output.format == Format::Table;
        let text = |row: &Value, path: &str| match cell(row, path) {
            name if is_table && path.ends_with("name") => cut(&name),
            text => text,
        };
        let row = |row: &Value| columns.iter().map(|(_, path)| text(row, path)).collect();
        self.output.rows(&header, rows.into_iter().map(row).collect())?;
        message!("{summary}");
        Ok(())
    }
}

/// The text of a cell. Anything but a text is shown in JSON.
fn cell(row: &Value, path: &str) -> String {
    match select(row, path).first() {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// The values at a path: `$`, members as in `$.a.b`, and all items as in `$.a[*]`. That is the part of JSONPath that manifests
/// need. Another path selects nothing.
fn select<'a>(value: &'a Value, path: &str) -> Vec<&'a Value> {
    let Some(path) = path.strip_prefix('$') else { return Vec::new() };
    let mut selected = vec![value];
    for part in path.split('.').skip(1) {
        let (name, is_each) = part.strip_suffix("[*]").map_or((part, false), |name| (name, true));
        selected = selected.into_iter().filter_map(|value| value.get(name)).collect();
        if is_each {
            selected = selected.into_iter().filter_map(Value::as_array).flatten().collect();
        }
    }
    selected
}

/// The arguments as given, from a file, or from standard input.
fn read_arguments(arguments: &str) -> Result<String, Failure> {
    let path = match arguments.strip_prefix('@') {
        Some(path) => Path::new(path),
        None if arguments == "-" => Path::new("-"),
        None => return Ok(arguments.to_owned()),
    };
    let problem =
        |problem: String| Failure::usage(format!("cannot read the arguments from {}: {problem}", path.display()));
    let bytes = users_file::read_bytes(path).map_err(|error| problem(error.to_string()))?;
    users_file::text(&bytes).map(str::to_owned).map_err(problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_select_members_and_items() {
        let value = json!({"a": {"b": [{"c": 1}, {"c": 2}, {}]}, "d": null});
        let found = |path| select(&value, path).into_iter().cloned().collect::<Vec<Value>>();
        assert_eq!(found("$"), [value.clone()]);
        assert_eq!(found("$.a.b[*]").len(), 3);
        assert_eq!(found("$.a.b[*].c"), [json!(1), json!(2)]);
        assert_eq!(found("$.d"), [Value::Null]);
        for nothing in ["", "a", "$.x", "$.a[*]", "$.a.b.c", "$..a", "$[0]"] {
            assert_eq!(found(nothing).len(), usize::from(nothing == "$[0]"), "{nothing}");
        }
    }
}
