//! `spin.toml`: what is read of it, and the build command that stands there. A key that is not known here is an error, so
//! that nothing is taken for honoured that is not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::Error;

/// A Spin application of one component behind one HTTP route.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of the format: 2.
    spin_manifest_version: u32,
    #[serde(rename = "application")]
    _application: About,
    /// The variables that whoever starts the application may set.
    #[serde(default)]
    pub(crate) variables: BTreeMap<String, Variable>,
    pub(crate) trigger: Triggers,
    /// The components, by name.
    #[serde(rename = "component")]
    components: BTreeMap<String, Component>,
    /// Where the manifest stands: paths in it are relative to this.
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

/// A component, and what it may have.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    pub(crate) source: PathBuf,
    #[serde(rename = "description")]
    _description: Option<String>,
    /// The origins that it may reach, which may be templates of variables.
    #[serde(default)]
    pub allowed_outbound_hosts: Vec<String>,
    /// The variables that it sees, each a template of the application's.
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

/// Another component, that fills imports of this one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dependency {
    pub(crate) path: PathBuf,
    /// What of its parent's it may have.
    #[serde(default)]
    pub(crate) inherit_configuration: Vec<String>,
}

impl Manifest {
    /// Reads a manifest, or the `spin.toml` of a folder.
    ///
    /// # Errors
    ///
    /// It cannot be read, has a key that is not known here, or is of another form than these applications have.
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
            return Err(problem(&"this host serves applications with one HTTP trigger"));
        };
        match manifest.components.keys().collect::<Vec<_>>().as_slice() {
            [name] if **name == trigger.component => Ok(manifest),
            _ => Err(problem(&format!("this host serves applications with one component, here {}", trigger.component))),
        }
    }

    /// The component.
    #[must_use]
    pub fn component(&self) -> &Component {
        // `read` made sure that there is one.
        self.components.values().next().unwrap_or_else(|| unreachable!("a manifest has one component"))
    }

    /// Whether whoever starts the application may set this variable.
    #[must_use]
    pub fn has_variable(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// The variables that whoever starts the application may set, and whether they must.
    pub fn variables(&self) -> impl Iterator<Item = (&str, bool)> {
        self.variables.iter().map(|(name, variable)| (name.as_str(), variable.required))
    }

    /// Whether Spin keeps the value of this variable out of its own logs.
    #[must_use]
    pub fn is_secret(&self, name: &str) -> bool {
        self.variables.get(name).is_some_and(|variable| variable.secret)
    }

    /// The component, to be changed.
    pub fn component_mut(&mut self) -> &mut Component {
        self.components.values_mut().next().unwrap_or_else(|| unreachable!("a manifest has one component"))
    }

    /// A path that stands in the manifest.
    pub(crate) fn resolve(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// Whether a request with this path is the application's: `/...` at the end of a route stands for anything.
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
    /// There is no command, or it fails; the text holds what it printed.
    pub fn build(&self) -> Result<(), Error> {
        let Some(build) = &self.component().build else { return Err(Error::new("the component has no build command")) };
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(&build.command).current_dir(&self.folder);
        // They belong to a build or test that this may be a part of.
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
#[allow(clippy::unwrap_used, reason = "a test may end here")]
mod tests {
    use super::*;

    #[test]
    fn routes_are_matched_as_spin_does() {
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
