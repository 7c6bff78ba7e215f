//! The schemas of results and failures: those of the description, and those of `openapi.json`.

use std::collections::BTreeMap;
use std::path::Path;

use jsonschema::Validator;
use onepassword_users_component::COMPONENT;
use onepassword_users_host::{Host, HostConfig, Options};
use serde_json::{Value, json};

use crate::pattern::Difference;

#[derive(Debug)]
pub(crate) struct Schemas {
    inputs: BTreeMap<String, Validator>,
    outputs: BTreeMap<String, Validator>,
    failure: Validator,
    problem: Validator,
}

impl Schemas {
    /// Reads the schemas of the actions from the component's description.
    pub(crate) async fn read() -> Result<Self, String> {
        let host = Host::new(COMPONENT, HostConfig::default()).map_err(|error| error.to_string())?;
        let connector = host.connector(Options::default()).map_err(|error| error.to_string())?;
        let manifest = connector.describe().await.map_err(|error| error.to_string())?;
        let (mut inputs, mut outputs) = (BTreeMap::new(), BTreeMap::new());
        for action in &manifest.actions {
            inputs.insert(action.name.clone(), validator(&action.input)?);
            outputs.insert(action.name.clone(), validator(&action.output)?);
        }
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let read = |path: &str| -> Result<Value, String> {
            let text = std::fs::read_to_string(workspace.join(path)).map_err(|error| format!("{path}: {error}"))?;
            serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))
        };
        let api = read("spin/openapi.json")?;
        let of_api = |name: &str| {
            let reference = format!("#/components/schemas/{name}");
            validator(&json!({ "$ref": reference, "components": api.get("components") }))
        };
        outputs.insert("test".into(), of_api("TestReport")?);
        outputs.insert("describe".into(), validator(&read("wit/deps/automation-connector/manifest.schema.json")?)?);
        Ok(Self { inputs, outputs, failure: of_api("Failure")?, problem: of_api("Problem")? })
    }

    /// Holds the output of an action, and the failures in it, against their schemas. Accepted arguments must fit theirs.
    pub(crate) fn check_output(&self, action: &str, arguments: &Value, output: &Value, found: &mut Vec<Difference>) {
        if let Some(schema) = self.inputs.get(action) {
            check("arguments", schema, arguments, found);
        }
        match self.outputs.get(action) {
            Some(schema) => check("output", schema, output, found),
            None => found.push(Difference::new("output", "a failure of an unknown action", output)),
        }
        let results = output.get("results").and_then(Value::as_array).into_iter().flatten();
        for error in results.filter_map(|result| result.get("error")).filter(|error| !error.is_null()) {
            check("output.results.error", &self.failure, error, found);
        }
    }

    /// Holds a failure record, or a problem document, against its schema.
    pub(crate) fn check_failure(&self, is_problem: bool, failure: &Value, found: &mut Vec<Difference>) {
        check("failure", if is_problem { &self.problem } else { &self.failure }, failure, found);
    }
}

fn validator(schema: &Value) -> Result<Validator, String> {
    jsonschema::draft202012::new(schema).map_err(|error| format!("a schema cannot be used: {error}"))
}

fn check(member: &str, schema: &Validator, value: &Value, found: &mut Vec<Difference>) {
    let problem = |error: jsonschema::ValidationError<'_>| {
        let path = error.instance_path().to_string();
        Difference::new(format!("{member}{}", path.replace('/', ".")), "what its schema says", error)
    };
    found.extend(schema.iter_errors(value).take(3).map(problem));
}
