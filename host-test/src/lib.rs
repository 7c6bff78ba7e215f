//! A small wasmtime host for the 1Password users component, to embed or to learn from.
//!
//! ```
//! use std::{collections::BTreeMap, sync::Arc};
//! use onepassword_users_component::COMPONENT;
//! use onepassword_users_host::{Host, Limits, Options, Value, types::UserRef};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A simulated account on loopback stands in for the service.
//! let simulator = onepassword_users_simulator::Simulator::start(Default::default()).await?;
//!
//! // Once for the process: compiles the component, or takes it from the cache.
//! let host = Host::new(COMPONENT, Limits::default())?;
//!
//! // Once for each account: what the component may know. Your vault implements `Source`.
//! let values = |pairs: &[(&str, &str)]| -> Arc<BTreeMap<String, Value>> {
//!     Arc::new(pairs.iter().map(|(name, value)| (name.to_string(), value.to_string().into())).collect())
//! };
//! let connector = host.connector(Options {
//!     settings: values(&[("base-url", &simulator.base_url()), ("account-id", simulator.account_id())]),
//!     secrets: values(&[("client-id", simulator.client_id()), ("client-secret", simulator.client_secret())]),
//!     ..Options::default()
//! })?;
//!
//! // As often as needed: the instance stays warm and reuses its token.
//! let user = connector.get_user(UserRef::Email(simulator.example_email())).await?;
//! println!("{} is {:?}", user.display_name, user.state);
//! # Ok(())
//! # }
//! ```
//!
//! The component gets nothing but this: outbound HTTP to the host of `base-url`, the values that the two sources give, and
//! a monotonic clock. A component that asks for more does not link. A call ends at its deadline, memory is limited, and an
//! instance that trapped is thrown away.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod bindings;
mod connector;
mod engine;
mod error;
mod host;
mod outbound;
mod state;
mod values;

/// What the actions speak of, generated from `wit/`: see there for the documentation of each.
pub use bindings::exports::onepassword::users::types;
pub use connector::{Connector, Options};
pub use engine::Limits;
pub use error::Error;
pub use host::Host;
pub use outbound::{Answer, Client, Network, Proxy};
pub use values::{Environment, Source, SourceError, Value};
