//! The description of a connector.

use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use serde_json::Value as Json;

/// The description of a connector, from which a platform builds its forms, lists and rules. `manifest.schema.json` in `wit/`
/// documents each member.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// The name.
    pub name: String,
    /// The title.
    pub title: String,
    /// The purpose, as a sentence.
    pub description: String,
    /// The version.
    pub version: String,
    /// The vendor of the service.
    pub vendor: String,
    /// The product that the service belongs to.
    pub product: String,
    /// The category of the product.
    pub category: String,
    /// The address of the service's documentation.
    pub documentation: String,
    /// The settings, in the order of a form.
    pub settings: Vec<ManifestValue>,
    /// The secrets, in the order of a form.
    pub secrets: Vec<ManifestValue>,
    /// The origins that requests go to.
    pub origins: Origins,
    /// The codes of failures besides the generic ones.
    pub codes: Vec<ManifestCode>,
    /// The actions.
    pub actions: Vec<ManifestAction>,
    /// The whole description, with members that this host does not know.
    #[serde(skip)]
    pub json: Json,
}

/// A setting or secret of a connector.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct ManifestValue {
    /// The name by which it is looked up.
    pub name: String,
    /// The label of a form field.
    pub label: String,
    /// The meaning, as a phrase.
    pub help: String,
    /// The type: `text`, `url`, `choice` or `integer`. More may follow.
    #[serde(rename = "type")]
    pub kind: String,
    /// True if actions fail without it, unless the help names something in its place.
    pub required: bool,
    /// The value that applies unless one is set.
    pub default: Option<String>,
}

/// The origins that a connector sends requests to, one at a time.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Origins {
    /// The origin unless the setting names another.
    pub default: String,
    /// The origins of the service.
    pub allowed: Vec<String>,
    /// The setting that names the origin.
    pub setting: Option<String>,
}

/// A code of failures that only this connector has.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct ManifestCode {
    /// The code.
    pub code: String,
    /// The name of its class.
    pub class: String,
    /// A title.
    pub title: String,
    /// The cause, as a phrase.
    pub cause: String,
    /// The remedy, as a phrase.
    pub remedy: String,
}

/// An action of a connector.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct ManifestAction {
    /// The name by which it is invoked.
    pub name: String,
    /// The title.
    pub title: String,
    /// The effect, as a phrase.
    pub description: String,
    /// `enrichment` or `containment`.
    pub kind: String,
    /// `read`, `write` or `destroy`.
    pub class: String,
    /// True if a repetition has no further effect.
    pub idempotent: bool,
    /// The action that reverts it.
    pub undo: Option<String>,
    /// The permission that the credentials need.
    pub permission: Option<String>,
    /// The JSON Schema of the arguments.
    pub input: Json,
    /// The JSON Schema of the result.
    pub output: Json,
}

/// The description of a component, once it is known. Until then, the component sends no request.
pub(crate) type SharedManifest = Arc<OnceLock<Manifest>>;

/// The name of the connector that the typed calls are for.
const OWN_NAME: &str = "onepassword-users";

impl Manifest {
    /// True for the connector that the typed calls are for.
    pub(crate) fn is_own(&self) -> bool {
        self.name == OWN_NAME
    }

    /// Reads a description.
    pub(crate) fn parse(json: &str) -> Result<Self, String> {
        let problem = |error| format!("its description is not one: {error}");
        let json: Json = serde_json::from_str(json).map_err(problem)?;
        let manifest = Self::deserialize(&json).map_err(problem)?;
        Ok(Self { json, ..manifest })
    }
}
