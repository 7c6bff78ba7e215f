//! The adapter between a connector and Spin: settings and secrets are Spin's variables, and nothing else is needed.
//!
//! On any other target than WebAssembly this package is empty, so that native builds, lints and documentation pass over it.

#![cfg_attr(target_family = "wasm", no_std)]

#[cfg(target_family = "wasm")]
extern crate alloc;

#[cfg(target_family = "wasm")]
use onepassword_users_guest_runtime as _;

#[cfg(target_family = "wasm")]
mod bindings;
#[cfg(target_family = "wasm")]
mod lookup;
