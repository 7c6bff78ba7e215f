//! An application, ready to be served: its component, composed with its dependencies and compiled, and what it may have.

use std::collections::BTreeMap;
use std::sync::Arc;

use onepassword_users_compose::{interfaces, plug};
use onepassword_users_host::{Client, Network};
use wasmtime::component::{Component, Linker};
use wasmtime::{Cache, CacheConfig, Config, Engine};
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::Error;
use crate::log::Log;
use crate::manifest::Manifest;
use crate::outbound::Outbound;
use crate::state::{Counts, State};
use crate::variables::{self, Failure, Variables};

/// What a dependency must inherit to be of use: without it, Spin denies it the network and the variables.
const INHERITED: [&str; 2] = ["allowed_outbound_hosts", "variables"];

/// How to serve an application.
#[derive(Debug, Clone)]
pub struct Options {
    /// The most memory that one instance may use, in bytes.
    pub memory: usize,
    /// Where the component's standard output and standard error go.
    pub log: Log,
    /// Variables that cannot be had, by the names that the component has for them.
    pub failing: BTreeMap<String, Failure>,
}

impl Default for Options {
    /// 512 MiB, and standard error.
    fn default() -> Self {
        Self { memory: 512 * 1024 * 1024, log: Log::new(|line| eprintln!("{line}")), failing: BTreeMap::new() }
    }
}

/// An application that can be served.
pub struct Application {
    pub(crate) component: ServicePre<State>,
    pub(crate) manifest: Manifest,
    pub(crate) options: Options,
    pub(crate) outbound: Outbound,
    pub(crate) variables: Variables,
    pub(crate) counts: Arc<Counts>,
}

impl Application {
    /// Loads the built component, with these values for the variables of the application.
    ///
    /// # Errors
    ///
    /// A variable that is missing or that the manifest does not have, an allowed host that is none, or a component that is
    /// not there, does not fit its dependency, or wants what Spin would not give it.
    pub fn load(manifest: &Manifest, variables: &BTreeMap<String, String>, options: Options) -> Result<Self, Error> {
        let variables = Variables::new(manifest, variables, options.failing.clone())?;
        let client = Client::new(Network::default()).map_err(|error| Error::new(error.to_string()))?;
        let outbound = Outbound::new(manifest, &variables, client)?;
        let component = compile(&compose(manifest)?)
            .map_err(|error| Error::new(format!("the component cannot be loaded: {error:#}")))?;
        let manifest = manifest.clone();
        Ok(Self { component, manifest, options, outbound, variables, counts: Arc::default() })
    }
}

impl std::fmt::Debug for Application {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Application").field("options", &self.options).finish_non_exhaustive()
    }
}

/// The component of the manifest with its dependencies, as Spin composes them at its start.
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
            INHERITED.iter().find(|what| !dependency.inherit_configuration.iter().any(|i| i == *what))
        {
            return Err(problem(format!("does not inherit {missing}, so that Spin would deny it")));
        }
        let wanted = interfaces(&composed).map_err(|why| problem(format!("cannot be composed: {why}")))?.imports;
        if !wanted.iter().any(|import| is_part_of(import, name)) {
            return Err(problem("is no import of the component".into()));
        }
        let plugged = plug(&composed, &[&read(&dependency.path)?]);
        composed = plugged.map_err(|why| problem(format!("cannot be composed: {why}")))?;
    }
    Ok(composed)
}

/// Whether an interface (`onepassword:users/actions@0.1.0`) is in the package that a dependency names
/// (`onepassword:users@0.1.0`).
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
    // Spin links all of WASI; the files, sockets and environment of these instances are empty.
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    variables::add_to_linker(&mut linker, |state: &mut State| &mut state.variables)?;
    ServicePre::new(linker.instantiate_pre(&Component::new(&engine, component)?)?)
}
