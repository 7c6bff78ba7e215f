//! The component without imports: a thin driver-facing layer over the core, which says what to do and does nothing itself.
//!
//! For targets other than WebAssembly this package is empty, so that native builds, lints and documentation skip it.

#![cfg_attr(target_family = "wasm", no_std)]

#[cfg(target_family = "wasm")]
extern crate alloc;

#[cfg(target_family = "wasm")]
use onepassword_users_guest_runtime as _;

#[cfg(target_family = "wasm")]
mod bindings;
#[cfg(target_family = "wasm")]
mod events;
#[cfg(target_family = "wasm")]
mod running;
