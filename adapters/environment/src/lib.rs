//! Adapter component: provides the settings and secrets of a connector from environment variables.
//!
//! On targets other than WebAssembly this package is empty, so that native builds, lints and documentation skip it.

#![cfg_attr(target_family = "wasm", no_std)]

#[cfg(target_family = "wasm")]
extern crate alloc;

#[cfg(target_family = "wasm")]
use onepassword_users_guest_runtime as _;

#[cfg(target_family = "wasm")]
mod bindings;
#[cfg(target_family = "wasm")]
mod lookup;
