//! An application that is ready to be served: its component, composed with its dependencies and compiled, and its
//! configuration.

use std::collections::BTreeMap;
use std::sync::Arc;

use onepassword_users_compose::{interfaces, plug};
use onepassword_users_host::{Client, Network};
use wasmtime::component::{Component, Linker};
use wasmtime::{Cache, CacheConfig, Config, Engine};
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::Error;
use crate::manifest::Manifest;
use crate::options::Options;
use crate::outbound::Outbound;
use crate::state::{Counts, State};
use crate::variables::{self, Variables};

/// The configuration that a dependency must inherit. Without it, Spin denies the network and the variables.
const MUST_INHERIT: [&str; 2] = ["allowed_outbound_hosts", "variables"];

/// A loaded application.
pub struct Application {
    pub(crate) component: ServicePre<State>,
    pub(crate) manifest: Manifest,
    pub(crate) options: Options,
    pub(crate) outbound: Outbound,
    pub(crate) variables: Variables,
    pub(crate) counts: Arc<Counts>,
}

impl Application {
    /// Loads the built component, with these values for the application's variables.
    ///
    /// # Errors
    ///
    /// Fails if a required variable is missing or a variable is unknown, if an allowed host is not an origin, or if the
    /// component cannot be read, does not fit its dependency, or imports an interface that Spin does not provide.
    pub fn load(manifest: &Manifest, variables: &BTreeMap<String, String>, options: Options) -> Result<Self, Error> {
        let variables = Variables::new(manifest, variables, options.failures.clone())?;
        let client = Client::new(Network::default()).map_err(|error| Error::new(error.to_string()))?;
        let outbound = Outbound::new(manifest, &variables, client)?;
        let component = compile(&compose(manifest)?)
            .map_err(|error| Error::new(format!("cannot load the component: {error:#}")))?;
        let manifest = manifest.clone();
        Ok(Self { component, manifest, options, outbound, variables, counts: Arc::default() })
    }
}

impl std::fmt::Debug for Application {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Application").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Composes the component of the manifest with its dependencies, as Spin does on start.
fn compose(manifest: &Manifest) -> Result<Vec<u8>, Error> {
    let read = |path| {
        let path = manifest.resolve(path);
        std::fs::read(&path).map_err(|error| Error::new(format!("{}: {error}", path.display())))
    };
    let component = manifest.component();
    let mut composed = read(&component.source)?;
    for (name, dependency) in &component.dependencies {
        let problem = |problem: String| Error::new(format!("the dependency {name} {problem}"));
        if let Some(missing) =
            MUST_INHERIT.iter().find(|name| !dependency.inherit_configuration.iter().any(|i| i == *name))
        {
            return Err(problem(format!("does not inherit {missing}; Spin would deny it")));
        }
        let imports = interfaces(&composed).map_err(|error| problem(format!("cannot be composed: {error}")))?.imports;
        if !imports.iter().any(|import| is_part_of(import, name)) {
            return Err(problem("is not imported by the component".into()));
        }
        let plugged = plug(&composed, &[&read(&dependency.path)?]);
        composed = plugged.map_err(|error| problem(format!("cannot be composed: {error}")))?;
    }
    Ok(composed)
}

/// Returns true if an interface (`onepassword:users/actions@0.1.0`) belongs to a package (`onepassword:users@0.1.0`).
fn is_part_of(interface: &str, package: &str) -> bool {
    let of_interface = interface.split_once('/').map(|(name, rest)| (name, rest.split_once('@').map(|(_, v)| v)));
    let of_package = package.split_once('@').map_or((package, None), |(name, version)| (name, Some(version)));
    of_interface == Some(of_package)
}

fn compile(component: &[u8]) -> wasmtime::Result<ServicePre<State>> {
    let mut config = Config::new();
    config.wasm_component_model_async(true).cache(Cache::new(CacheConfig::new()).ok());
    let engine = Engine::new(&config)?;
    let mut linker = Linker::new(&engine);
    // Spin links all of WASI. These instances have no files, sockets or environment variables.
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    variables::add_to_linker(&mut linker, |state: &mut State| &mut state.variables)?;
    ServicePre::new(linker.instantiate_pre(&Component::new(&engine, component)?)?)
}
