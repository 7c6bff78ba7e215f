//! The Spin application: actions on 1Password users as an HTTP API, for callers with a key.
//!
//! ```text
//!   request ───▶ service ──▶ access (authentication) ──▶ route (parsing) ──▶ driver ◀──▶ core
//!                   │                                                          │
//!   response ◀──  body  ◀── json, problem, list                       http ◀───┴───▶ Spin's variables
//! ```
//!
//! Routes, fields and errors of 1Password are known to the core only. The modules that need no platform (authentication,
//! parsing of requests, bodies of responses) build and are tested natively. Those that perform IO build for WebAssembly only.

#![allow(clippy::result_large_err, reason = "a problem is created once per request, at its end")]

extern crate alloc;

pub mod access;
pub mod json;
pub mod log;
pub mod origin;
pub mod problem;
pub mod route;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod variables;

#[cfg(target_family = "wasm")]
mod body;
#[cfg(target_family = "wasm")]
mod checks;
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
#[cfg(target_family = "wasm")]
mod turns;

/// The OpenAPI 3.1 description of the API. Tests write its schemas and its problems.
pub const OPENAPI: &str = include_str!("../openapi.json");
