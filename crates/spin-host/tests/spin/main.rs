//! End-to-end tests of the Spin applications: the built components with their manifests, over real sockets, against the
//! simulated service.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]
#![allow(unreachable_pub, reason = "modules of one test program")]

mod access;
mod actions;
mod component;
mod concurrency;
mod dependency;
mod field;
mod gate;
mod guide;
mod harness;
mod hostile;
mod problems;
mod stream;
