//! A sans-IO client for the 1Password Users API: five actions as state machines.
//!
//! The core performs no IO and reads no clock, no environment and no randomness. A [`Session`] starts an [`Action`]. The action
//! answers every [`Event`] with the next [`Step`], and a *driver* carries the step out and comes back with the next event.
//! Drivers move bytes and know nothing of the service; the core knows the service and moves no bytes.
//!
//! ```text
//!             Event::Start
//!                  │
//!                  ▼
//!    ┌────────── Action ──────────┐
//!    │                            │
//!    │  Step::Settings(names) ────┼──▶ driver looks values up ─────▶ Event::Settings
//!    │  Step::Secrets(names)  ────┼──▶ driver looks values up ─────▶ Event::Secrets
//!    │  Step::Send(request) ──────┼──▶ driver exchanges bytes ─────▶ Event::Response
//!    │  Step::Wait { .. }   ──────┼──▶ driver waits ───────────────▶ Event::Elapsed
//!    │                            │
//!    └──▶ Step::Done(result)      │
//! ```
//!
//! Actions of one session may overlap. They share a token and its request (single-flight): an action that needs the token while
//! another one requests it asks its driver to wait.
//!
//! Out of scope: connections, TLS, proxies, redirects (an error), compression (not requested), cookies, caching of anything but
//! the token, and every part of the API that the actions do not need.
//!
//! # Example
//!
//! ```
//! use onepassword_users_core::{Event, Instant, Secret, Session, Step, UserRef};
//!
//! let session = Session::new();
//! let mut action = session.get_user(UserRef::Email("wendy@example.com".into()));
//! let mut event = Event::Start;
//! let result = loop {
//!     event = match action.step(event, Instant::from_nanos(0)) {
//!         Step::Settings(names) => Event::Settings(Ok(names
//!             .iter()
//!             .map(|name| (*name == "account-id").then(|| "ABCDEFGHIJKLMNOPQRSTUVWXYZ".into()))
//!             .collect())),
//!         Step::Secrets(names) => Event::Secrets(Ok(names
//!             .iter()
//!             .map(|name| (*name == "access-token").then(|| Secret::new("t0ken".into())))
//!             .collect())),
//!         Step::Send(request) => {
//!             assert_eq!(request.authority, "api.1password.com");
//!             let page = br#"{"results":[{"id":"WENDY","email":"Wendy@Example.com","state":"ACTIVE"}]}"#;
//!             Event::Response(Ok(onepassword_users_core::Response::new(200, page.to_vec())))
//!         }
//!         Step::Wait { .. } => Event::Elapsed,
//!         Step::Done(result) => break result,
//!     };
//! };
//! assert_eq!(result.unwrap().id, "WENDY");
//! ```

#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

mod actions;
mod api;
mod arguments;
pub mod catalogue;
mod classify;
mod client;
mod config;
mod decimal;
mod error;
mod failure;
mod hash;
mod http;
mod invoke;
mod json;
mod listing;
mod machine;
mod manifest;
mod pages;
mod redact;
mod retry;
mod secret;
mod sender;
mod session;
mod text;
mod time;
mod token;
mod values;
mod write;

pub use api::service_error::ServiceError;
pub use error::{ArgumentError, DriverError, Error, TooMany, UnavailableCause};
pub use failure::{Code, Failure, Subject, SubjectKind};
pub use http::{Header, HeaderValue, Method, Request, Response, Scheme, TransportError, TransportFault};
pub use invoke::Output;
pub use listing::{Listing, MAX_LISTING};
pub use machine::{Action, Event, LookupError, LookupErrorKind, Step};
pub use manifest::manifest;
pub use redact::Redactor;
pub use secret::Secret;
pub use session::Session;
pub use text::{is_printable, is_unprintable};
pub use time::Instant;
pub use values::base_url::{ApiVersion, ApiVersionError, BaseUrl, BaseUrlError};
pub use values::change::{ChangeMode, ChangeOutcome, StateChange};
pub use values::email::EmailError;
pub use values::page_token::PageTokenError;
pub use values::protected::ProtectedUsersError;
pub use values::query::{FindError, ListQuery, MAX_FIND_USERS, MAX_USERS, QueryError, UserList};
pub use values::report::{Check, TestReport};
pub use values::settings::{
    AccountId, AccountIdError, NumberError, SecretError, SettingError, UserAgent, UserAgentError,
};
pub use values::user::{StateFilter, User, UserRef, UserRefError, UserState};
