//! The Spin application: four actions on 1Password users as an HTTP API, for whoever bears a key.
//!
//! ```text
//!   request ──▶ service ── access: who calls? ── route: what is wanted? ──▶ driver ◀──▶ core
//!                  │                                                          │
//!   answer ◀── json, problem, list                                   http ◀───┴───▶ Spin's variables
//! ```
//!
//! Nothing here knows a route, a field or an error of 1Password: that is the core's. What needs no platform (who may call,
//! what a request means, what an answer looks like) builds and is tested natively; what moves bytes is for WebAssembly alone.

#![allow(clippy::result_large_err, reason = "a problem ends its request, and is made once")]

extern crate alloc;

pub mod access;
pub mod json;
pub mod log;
pub mod problem;
pub mod route;

#[cfg(target_family = "wasm")]
mod clock;
#[cfg(target_family = "wasm")]
mod convert;
#[cfg(target_family = "wasm")]
mod driver;
#[cfg(target_family = "wasm")]
mod entry;
#[cfg(target_family = "wasm")]
mod http;
#[cfg(target_family = "wasm")]
mod list;
#[cfg(target_family = "wasm")]
mod log_line;
#[cfg(target_family = "wasm")]
mod service;

/// The description of the API, in OpenAPI 3.1. A test compares its schemas with the types of [`json`] and [`problem`].
pub const OPENAPI: &str = include_str!("../openapi.json");
