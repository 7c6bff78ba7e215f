//! Test kit: code shared by the tests, fuzz targets and simulations of several packages.
//!
//! - [`driver`] is a driver for native tests: a function answers the requests, and time is virtual.
//! - [`ceilings`] compares counts with the recorded ones.
//! - [`checks`] holds the functions of the fuzz targets, which also run as property tests.
//! - [`storm`] runs the core against the simulated service, with faults that follow from a seed.
//! - `hostile` is a misbehaving server on real sockets.
//! - `harness` is the built component in the host, with a simulated account.
//! - `checked` holds every result of the harness against the schema of its action.
//! - `plain_wasi` is a host of WASI 0.2 alone.
//!
//! `hostile`, `harness` and `checked` need the feature `host`, which depends on wasmtime, and `plain_wasi` one of its own.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

pub mod ceilings;
#[cfg(feature = "host")]
pub mod checked;
pub mod checks;
pub mod driver;
#[cfg(feature = "host")]
pub mod harness;
#[cfg(feature = "host")]
pub mod hostile;
#[cfg(feature = "plain-wasi")]
pub mod plain_wasi;
pub mod storm;
