//! End-to-end tests: the built component, in wasmtime, over real sockets, against the simulated service.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod actions;
mod audit;
mod conformance;
mod contract;
mod dialects;
mod errors;
mod find;
mod gate;
mod generic;
mod hostile;
mod limits;
mod meter;
mod network;
mod raw_steps;
mod sandbox;
mod second;
mod secrets;
mod sources;
mod tokens;
mod wire;
mod without_imports;
