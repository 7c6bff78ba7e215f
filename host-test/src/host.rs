//! The host: one compiled component, from which connectors are made.

use crate::connector::{Connector, Options};
use crate::engine::{Compiled, Limits};
use crate::error::Error;

/// An engine and one compiled component, from which connectors are made. Clones are cheap.
#[derive(Clone)]
pub struct Host(Compiled);

impl Host {
    /// Compiles a component (the content of its file), or takes it from the cache.
    ///
    /// # Errors
    ///
    /// [`Error::Load`] if these bytes are no component, if it lacks an export, or if it imports anything that this host
    /// does not lend: files, sockets, the environment, randomness.
    pub fn new(component: &[u8], limits: Limits) -> Result<Self, Error> {
        Compiled::new(component, limits).map(Self).map_err(|error| Error::Load(format!("{error:#}")))
    }

    /// A connector: this component with its own settings, secrets, connections and warm instance.
    ///
    /// # Errors
    ///
    /// [`Error::Options`] if the certificate or proxy cannot be used.
    pub fn connector(&self, options: Options) -> Result<Connector, Error> {
        Connector::new(self.0.clone(), options)
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}
