//! The component: a thin WASI 0.2 driver for the core.
//!
//! Routes, fields and errors of the service are known to the core only. For targets other than WebAssembly this package is
//! empty, so that native builds, lints and documentation skip it.

#![cfg_attr(target_family = "wasm", no_std)]

#[cfg(target_family = "wasm")]
extern crate alloc;

#[cfg(target_family = "wasm")]
use onepassword_users_guest_runtime as _;

#[cfg(target_family = "wasm")]
mod actions;
#[cfg(target_family = "wasm")]
mod bindings;
#[cfg(target_family = "wasm")]
mod connector;
#[cfg(target_family = "wasm")]
mod convert;
#[cfg(target_family = "wasm")]
mod driver;
#[cfg(target_family = "wasm")]
mod http;
#[cfg(target_family = "wasm")]
mod session;
