//! The manifest `spin.toml`, and its build command. An unknown key is an error, since it would have no effect.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::Error;

/// A Spin application of one component behind one HTTP route.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of the format. Must be 2.
    spin_manifest_version: u32,
    #[serde(rename = "application")]
    _application: About,
    /// The application's variables, by name.
    #[serde(default)]
    pub(crate) variables: BTreeMap<String, Variable>,
    pub(crate) trigger: Triggers,
    /// The components, by name.
    #[serde(rename = "component")]
    components: BTreeMap<String, Component>,
    /// The folder of the manifest. Paths in the manifest are relative to it.
    #[serde(skip)]
    folder: PathBuf,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "version")]
    _version: String,
    #[serde(rename = "description")]
    _description: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variable {
    pub(crate) default: Option<String>,
    #[serde(default)]
    pub(crate) required: bool,
    #[serde(default)]
    pub(crate) secret: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Triggers {
    http: Vec<HttpTrigger>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpTrigger {
    route: String,
    component: String,
}

/// A component and its permissions.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    pub(crate) source: PathBuf,
    #[serde(rename = "description")]
    _description: Option<String>,
    /// The allowed origins, as templates over the application's variables.
    #[serde(default)]
    pub allowed_outbound_hosts: Vec<String>,
    /// The variables of the component, as templates over the application's variables.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    build: Option<Build>,
    #[serde(default)]
    pub(crate) dependencies: BTreeMap<String, Dependency>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Build {
    command: String,
    #[serde(default, rename = "watch")]
    _watch: Vec<String>,
}

/// A component that provides imports of this one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dependency {
    pub(crate) path: PathBuf,
    /// The configuration that it inherits from its parent.
    #[serde(default)]
    pub(crate) inherit_configuration: Vec<String>,
}

impl Manifest {
    /// Reads a manifest, or the `spin.toml` of a folder.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, has an unknown key, or is not an application of one component behind one HTTP route.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let path = &if path.is_dir() { path.join("spin.toml") } else { path.to_owned() };
        let problem = |problem: &dyn std::fmt::Display| Error::new(format!("{}: {problem}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| problem(&error))?;
        let mut manifest: Self = toml::from_str(&text).map_err(|error| problem(&error))?;
        manifest.folder = path.parent().map(Into::into).unwrap_or_default();
        if manifest.spin_manifest_version != 2 {
            return Err(problem(&"spin_manifest_version is not 2"));
        }
        for (name, variable) in &manifest.variables {
            if variable.required == variable.default.is_some() {
                return Err(problem(&format!("the variable {name} must either be required or have a default")));
            }
        }
        let [trigger] = manifest.trigger.http.as_slice() else {
            return Err(problem(&"only applications with one HTTP trigger are supported"));
        };
        match manifest.components.keys().collect::<Vec<_>>().as_slice() {
            [name] if **name == trigger.component => Ok(manifest),
            _ => {
                Err(problem(&format!("only applications with one component are supported, here {}", trigger.component)))
            }
        }
    }

    /// The component.
    #[must_use]
    pub fn component(&self) -> &Component {
        // `read` has checked this.
        self.components.values().next().unwrap_or_else(|| unreachable!("a manifest has one component"))
    }

    /// Returns true if the application has this variable.
    #[must_use]
    pub fn has_variable(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// The names of the application's variables, and whether each is required.
    pub fn variables(&self) -> impl Iterator<Item = (&str, bool)> {
        self.variables.iter().map(|(name, variable)| (name.as_str(), variable.required))
    }

    /// Returns true if this variable is secret, so that Spin does not log its value.
    #[must_use]
    pub fn is_secret(&self, name: &str) -> bool {
        self.variables.get(name).is_some_and(|variable| variable.secret)
    }

    /// Mutable access to the component.
    pub fn component_mut(&mut self) -> &mut Component {
        self.components.values_mut().next().unwrap_or_else(|| unreachable!("a manifest has one component"))
    }

    /// Resolves a path of the manifest.
    pub(crate) fn resolve(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// Returns true if a path matches the route. A trailing `/...` matches any rest.
    pub(crate) fn routes(&self, path: &str) -> bool {
        self.trigger.http.iter().any(|trigger| match trigger.route.strip_suffix("/...") {
            Some(prefix) => path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            None => path == trigger.route,
        })
    }

    /// Builds the component with the command of the manifest, as `spin build` does.
    ///
    /// # Errors
    ///
    /// Fails if there is no command, or if it fails. The text holds its output.
    pub fn build(&self) -> Result<(), Error> {
        let Some(build) = &self.component().build else { return Err(Error::new("the component has no build command")) };
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(&build.command).current_dir(&self.folder);
        // Variables of the surrounding build, which must not affect this one.
        for name in [
            "CARGO_BUILD_TARGET",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_TARGET_DIR",
            "RUSTC_WORKSPACE_WRAPPER",
            "RUSTFLAGS",
        ] {
            shell.env_remove(name);
        }
        let output = shell.output().map_err(|error| Error::new(format!("{}: {error}", build.command)))?;
        if output.status.success() {
            return Ok(());
        }
        Err(Error::new(format!("{}\n{}", build.command, String::from_utf8_lossy(&output.stderr))))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn routes_match_as_in_spin() {
        let text = |route: &str| {
            format!(
                "spin_manifest_version = 2\n[application]\nname = 'a'\nversion = '1.0.0'\n[[trigger.http]]\nroute = '{route}'\n\
                 component = 'c'\n[component.c]\nsource = 'c.wasm'\n"
            )
        };
        let manifest = |route: &str| toml::from_str::<Manifest>(&text(route)).unwrap();
        for path in ["/", "/a", "/a/b"] {
            assert!(manifest("/...").routes(path), "{path}");
        }
        for (path, is_routed) in [("/a", true), ("/a/b", true), ("/ab", false), ("/", false)] {
            assert_eq!(manifest("/a/...").routes(path), is_routed, "{path}");
        }
        assert!(manifest("/a").routes("/a") && !manifest("/a").routes("/a/b"));
        let unknown = format!("{}surprise = 1\n", text("/"));
        assert!(toml::from_str::<Manifest>(&unknown).unwrap_err().to_string().contains("surprise"));
    }
}
