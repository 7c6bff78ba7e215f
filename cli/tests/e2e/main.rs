//! End-to-end tests of the command line, run from scripts and at a terminal.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(unreachable_pub, reason = "modules of one test program")]

mod acceptance;
mod architecture;
mod by_name;
mod command_line;
mod field;
mod host;
mod readme;
mod terminal;
