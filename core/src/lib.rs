//! Everything that is known of the 1Password Users API, as a pure state machine without IO.
//!
//! The core performs no IO and reads no clock, no environment and no randomness. A [`Session`] begins an [`Action`];
//! the action answers every [`Event`] with the next [`Step`]; a *driver* carries the steps out and comes back with what
//! happened. All that moves bytes lives in drivers, all that understands them lives here.
//!
//! ```text
//!             Event::Start
//!                  │
//!                  ▼
//!    ┌────────── Action ──────────┐
//!    │                            │
//!    │  Step::Setting(name) ──────┼──▶ driver looks the value up ──▶ Event::Setting
//!    │  Step::Secret(name)  ──────┼──▶ driver looks the value up ──▶ Event::Secret
//!    │  Step::Send(request) ──────┼──▶ driver exchanges bytes ─────▶ Event::Response
//!    │  Step::Wait(duration) ─────┼──▶ driver waits ───────────────▶ Event::Elapsed
//!    │  Step::Join(fetch, most) ──┼──▶ driver waits for another ───▶ Event::Elapsed
//!    │                            │
//!    └──▶ Step::Done(result)      │
//! ```
//!
//! Out of scope, on purpose: connections, TLS, proxies, redirects (they are errors), compression (not asked for), cookies,
//! caching of anything but the token, and every action that the four do not need.
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
//!         Step::Setting("account-id") => Event::Setting(Ok(Some("ABCDEFGHIJKLMNOPQRSTUVWXYZ".into()))),
//!         Step::Setting(_) => Event::Setting(Ok(None)),
//!         Step::Secret("access-token") => Event::Secret(Ok(Some(Secret::new("t0ken".into())))),
//!         Step::Secret(_) => Event::Secret(Ok(None)),
//!         Step::Send(request) => {
//!             assert_eq!(request.authority, "api.1password.com");
//!             let page = br#"{"results":[{"id":"WENDY","email":"Wendy@Example.com","state":"ACTIVE"}]}"#;
//!             Event::Response(Ok(onepassword_users_core::Response::new(200, page.to_vec())))
//!         }
//!         Step::Wait(_) | Step::Join(..) => Event::Elapsed,
//!         Step::Done(result) => break result,
//!     };
//! };
//! assert_eq!(result.unwrap().id, "WENDY");
//! ```

#![no_std]
#![warn(missing_docs)]

extern crate alloc;

mod action;
mod change;
mod client;
mod error;
mod http;
mod list;
mod lookup;
mod reply;
mod retry;
mod secret;
mod service;
mod session;
mod settings;
mod text;
mod user;

pub use action::{Action, Event, Instant, LookupError, Step};
pub use change::{Change, ChangeOptions, StateChange};
pub use error::{Error, Outage};
pub use http::{Header, HeaderValue, Method, Request, Response, TransportError, TransportFault};
pub use list::{ListQuery, Listing, MAX_LISTING, MAX_USERS, StateFilter, UserList};
pub use reply::Reply;
pub use secret::Secret;
pub use session::{Session, TokenFetch};
pub use settings::{AccountId, ApiVersion, BaseUrl, Scheme, UserAgent};
pub use user::{User, UserRef, UserState};
