//! What tests, fuzz targets and simulations of several packages share.
//!
//! - [`driver`] carries out the steps of an action against a function, under virtual time.
//! - [`ceilings`] compares counts with the recorded ones.
//! - [`checks`] are the functions of the fuzz targets, which also run as property tests.
//! - [`storm`] simulates conversations in which everything may go wrong, from seeds.
//! - `hostile` serves bytes over real sockets that no honest service would send.
//! - `harness` is the built component in the host, in front of a simulated account.
//!
//! The last two need the feature `host`, which brings wasmtime.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may end anywhere")]

pub mod ceilings;
pub mod checks;
pub mod driver;
#[cfg(feature = "host")]
pub mod harness;
#[cfg(feature = "host")]
pub mod hostile;
pub mod storm;
