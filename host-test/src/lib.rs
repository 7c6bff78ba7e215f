//! A small wasmtime host for the 1Password users component, to embed or to use as an example.
//!
//! ```
//! use std::{collections::BTreeMap, sync::Arc};
//! use onepassword_users_component::COMPONENT;
//! use onepassword_users_host::{Host, HostConfig, Options, Value, types::UserRef};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A simulated service on loopback stands in for 1Password.
//! let simulator = onepassword_users_simulator::Simulator::start(Default::default()).await?;
//!
//! // Once per process: compiles the component, or loads it from the cache.
//! let host = Host::new(COMPONENT, HostConfig::default())?;
//!
//! // Once per account: its settings and secrets. A platform implements `Source` for its vault.
//! let values = |pairs: &[(&str, &str)]| -> Arc<BTreeMap<String, Value>> {
//!     Arc::new(pairs.iter().map(|(name, value)| (name.to_string(), value.to_string().into())).collect())
//! };
//! let connector = host.connector(Options {
//!     settings: values(&[("base-url", &simulator.base_url()), ("account-id", simulator.account_id())]),
//!     secrets: values(&[("client-id", simulator.client_id()), ("client-secret", simulator.client_secret())]),
//!     ..Options::default()
//! })?;
//!
//! // Any number of calls: the instance stays warm and reuses its token.
//! let user = connector.get_user(UserRef::Email(simulator.example_email())).await?;
//! println!("{} is {:?}", user.display_name, user.state);
//! # Ok(())
//! # }
//! ```
//!
//! The component has access to outbound HTTP to one origin (that of the setting that its manifest names, here `base-url`),
//! the values of the two sources, and a monotonic clock. A component that imports more does not link. Every call has a
//! deadline, memory is limited, and an instance that trapped is discarded.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod bindings;
mod by_name;
mod connector;
mod convert;
mod engine;
mod error;
mod host;
mod manifest;
mod outbound;
mod state;
mod steps;
mod values;

/// The types of the actions, generated from `wit/`, where they are documented.
pub use bindings::users::exports::onepassword::users::types;
pub use connector::{Connector, Options, Output};
pub use engine::HostConfig;
pub use error::{Error, ForeignCode};
pub use host::Host;
pub use manifest::{Manifest, ManifestAction, ManifestCode, ManifestValue, Origins};
pub use onepassword_users_core::{
    Check, Failure, MAX_FIND_USERS, StateChange, Subject, SubjectKind, TestReport, User, UserList, catalogue,
    is_printable,
};
pub use outbound::{Answer, Client, Network, Proxy};
pub use values::{Environment, Lookup, Source, SourceError, Value};
