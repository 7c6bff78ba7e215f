//! A strict simulation of the 1Password Users API, for tests and for trials without an account.
//!
//! [`Service`] is a pure model: requests and responses are values, and the caller passes the time, so that a test can send
//! millions of requests under virtual time. Ids, tokens and secrets follow from a seed. With the feature `server`, which is on
//! by default, [`Simulator`] serves the model on loopback, records every request, and injects faults.
//!
//! The model is as strict as the service's documentation allows, so that it refuses requests that the real service might
//! refuse. Where the documentation leaves behaviour open, the model chooses one: the message of a refusal for an externally
//! managed administrator, the status for a wrong method, the check of the account id before that of the permission.
//!
//! A [`Dialect`] is another choice for the form of the answers: other keys, errors, page tokens, or encodings. Seeds give
//! dialects that a client must understand ([`Dialect::seeded`]), and defective ones whose answers it must not believe
//! ([`Dialect::defective`]).
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use onepassword_users_simulator::{Account, Person, Request, Service};
//!
//! let mut account = Account::new("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
//! account.insert(Person::new("WENDY", "wendy@example.com"));
//! let mut service = Service::new(account, 1);
//!
//! let client_id = service.application().client_id.clone();
//! let token = service.issue_token(&client_id, Duration::ZERO);
//! let bearer = format!("Bearer {token}");
//! let mut get = |now| {
//!     let request = Request {
//!         method: "GET",
//!         path: "/v1/accounts/ABCDEFGHIJKLMNOPQRSTUVWXYZ/users/WENDY",
//!         query: None,
//!         headers: &[("authorization", &bearer), ("user-agent", "Example/1.0")],
//!         body: b"",
//!     };
//!     service.handle(&request, now)
//! };
//! assert!(get(Duration::from_secs(1)).text().contains("wendy@example.com"));
//! assert_eq!(get(Duration::from_secs(900)).status, 401, "the token has expired");
//! ```

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod account;
mod body;
mod dialect;
mod names;
#[cfg(feature = "server")]
mod server;
mod service;

pub use account::{Account, Person, Role};
pub use dialect::{ChangeAnswer, Cut, Dialect, ErrorForm, PageTokens, Routes, Spelling, TokenErrorForm};
#[cfg(feature = "server")]
pub use server::{Config, Fault, Record, Simulator};
pub use service::{Application, Operation, PERMISSIONS, Request, Response, Service, TOKEN_LIFETIME};
