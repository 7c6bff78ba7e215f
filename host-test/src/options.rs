//! The options of a connector.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::audit::Audit;
use crate::outbound::Network;
use crate::values::Source;

/// The options of a connector.
#[derive(Clone)]
pub struct Options {
    /// The source of settings, such as `base-url` and `account-id`.
    pub settings: Arc<dyn Source>,
    /// The source of secrets: `client-id` and `client-secret`, or `access-token`.
    pub secrets: Arc<dyn Source>,
    /// The proxy, TLS and address rules of connections.
    pub network: Network,
    /// The longest duration of one look-up of settings or secrets.
    pub lookup_timeout: Duration,
    /// The longest duration of one call, from its start (not from when it was queued) and including waits for the service.
    /// The component enforces its own setting `deadline`. Keep that one shorter: its error says more than
    /// [`Error::Deadline`](crate::Error::Deadline).
    ///
    /// With an audit hook, a change by a component over WASI is two calls: a look-up and the change.
    pub deadline: Duration,
    /// A hook that records each change before it is sent, and after it. If it fails, the change is not sent. None by default.
    pub audit: Option<Arc<dyn Audit>>,
    /// The longest duration of one call of the hook. Afterwards, a change that was not recorded is not sent.
    pub audit_timeout: Duration,
}

impl Default for Options {
    /// No settings, no secrets, the environment's proxy, ten seconds per look-up, ten minutes per call, and no audit hook (ten
    /// seconds for each call of one).
    fn default() -> Self {
        let empty: Arc<dyn Source> = Arc::new(BTreeMap::new());
        Self {
            settings: empty.clone(),
            secrets: empty,
            network: Network::default(),
            lookup_timeout: Duration::from_secs(10),
            deadline: Duration::from_secs(600),
            audit: None,
            audit_timeout: Duration::from_secs(10),
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("network", &self.network)
            .field("lookup_timeout", &self.lookup_timeout)
            .field("deadline", &self.deadline)
            .field("audit", &self.audit.is_some())
            .field("audit_timeout", &self.audit_timeout)
            .finish_non_exhaustive()
    }
}
