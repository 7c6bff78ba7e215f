//! The host: an engine and one compiled component.

use crate::connector::Connector;
use crate::engine::{Compiled, HostConfig};
use crate::error::Error;
use crate::options::Options;

/// An engine and one compiled component, which create connectors. Clones are cheap.
#[derive(Clone)]
pub struct Host(Compiled);

impl Host {
    /// Compiles a component from the bytes of its file, or loads it from the compilation cache.
    ///
    /// # Errors
    ///
    /// [`Error::Load`] if the bytes are not a component, if it lacks an export, or if it has an import that this host does not
    /// provide, such as files, sockets, the environment or randomness.
    pub fn new(component: &[u8], config: HostConfig) -> Result<Self, Error> {
        Compiled::new(component, config).map(Self).map_err(|error| Error::Load(format!("{error:#}")))
    }

    /// Creates a connector: this component with settings, secrets, connections and a warm instance of its own.
    ///
    /// # Errors
    ///
    /// [`Error::Options`] if the CA file cannot be read or the proxy is not a URL.
    pub fn connector(&self, options: Options) -> Result<Connector, Error> {
        Connector::new(self.0.clone(), options)
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("config", &self.0.config).finish_non_exhaustive()
    }
}
