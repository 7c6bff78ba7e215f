//! End-to-end tests: the built component, in wasmtime, over real sockets, against the simulated service.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end anywhere"
)]
#![allow(unreachable_pub, reason = "modules of one test program")]

mod actions;
mod command_line;
mod contract;
mod errors;
mod hostile;
mod network;
mod readme;
mod rig;
mod sandbox;
mod secrets;
mod simulator;
mod terminal;
mod tokens;
mod wire;
