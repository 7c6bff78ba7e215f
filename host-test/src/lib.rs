//! A small wasmtime host for the 1Password users component, to embed or to use as an example.
//!
//! ```
//! use std::{collections::BTreeMap, sync::Arc};
//! use onepassword_users_component::COMPONENT;
//! use onepassword_users_host::{Host, HostConfig, Network, Options, Value, types::UserRef};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A simulated service on loopback stands in for 1Password.
//! let simulator = onepassword_users_simulator::Simulator::start(Default::default()).await?;
//!
//! // Once per process: compiles the component, or loads it from the cache, if the configuration names one.
//! let host = Host::new(COMPONENT, HostConfig::default())?;
//!
//! // Once per account: its settings and secrets. A platform implements `Source` for its vault.
//! let values = |pairs: &[(&str, &str)]| -> Arc<BTreeMap<String, Value>> {
//!     Arc::new(pairs.iter().map(|(name, value)| (name.to_string(), value.to_string().into())).collect())
//! };
//! let connector = host.connector(Options {
//!     settings: values(&[("base-url", &simulator.base_url()), ("account-id", simulator.account_id())]),
//!     secrets: values(&[("client-id", simulator.client_id()), ("client-secret", simulator.client_secret())]),
//!     // For the simulator only. By default, credentials go to the origins of 1Password and nowhere else.
//!     network: Network { allow_loopback: true, ..Network::default() },
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
//!
//! # Defaults
//!
//! The defaults are the safe ones. What an embedder may have to allow:
//!
//! - **Origins.** A setting may only name an origin that the component's manifest lists. [`Network::allowed_origins`] and
//!   [`Network::allow_loopback`] allow others. Settings and secrets are often edited by different people, and the secret goes
//!   where the setting points.
//! - **Addresses.** Names that lead to private and other special addresses are refused, unless [`Network::allow_private`] is set.
//! - **Proxies.** A proxy of the environment that cannot be used is an error for the requests that it would carry. Nothing is
//!   sent directly instead.
//! - **Compiled code.** It is cached only in a folder that [`HostConfig::cache_dir`] names and that is the process's own.
//!
//! # Limits
//!
//! An instance has at most [`HostConfig::max_memory`] bytes in all its memories, 10,000 table elements, and four core modules. A
//! host has [`HostConfig::max_instances`] instances; the longest idle one makes room for a new one. A connector has 64
//! connections in use, and further requests wait for one. A call sends at most 20,000 requests, and has the time of
//! [`Options::deadline`]. A list of all users has at most 2,000,000 users and 512 MiB of text, some 1.5 GB in memory.
//!
//! # Audit
//!
//! [`Options::audit`] takes a hook that records each change before it is sent and after it; without a record, nothing is sent.

#![warn(missing_docs)]

mod address;
mod audit;
mod bindings;
mod by_name;
mod code_cache;
mod connector;
mod convert;
mod engine;
mod error;
mod host;
mod manifest;
mod obstacle;
mod options;
mod outbound;
mod pool;
mod proxy;
mod state;
mod steps;
mod values;

pub use audit::{Audit, AuditError, ChangeEvent, ChangeResult, Recording};
/// The types of the actions, generated from `wit/`, where they are documented.
pub use bindings::users::exports::onepassword::users::types;
pub use by_name::Output;
pub use connector::Connector;
pub use engine::HostConfig;
pub use error::{Error, ForeignCode};
pub use host::Host;
pub use manifest::{Manifest, ManifestAction, ManifestCode, ManifestValue, Origins};
pub use onepassword_users_core::{
    BaseUrl, Check, Failure, MAX_FIND_USERS, StateChange, Subject, SubjectKind, TestReport, User, UserList, catalogue,
    is_printable,
};
pub use options::Options;
pub use outbound::{Answer, Client, Network};
pub use proxy::Proxy;
pub use values::{Environment, Lookup, Source, SourceError, Value};
