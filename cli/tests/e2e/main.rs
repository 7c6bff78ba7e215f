//! End-to-end tests of the command line: the built program, as a script or a person at a terminal sees it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may end anywhere")]
#![allow(unreachable_pub, reason = "modules of one test program")]

mod architecture;
mod command_line;
mod readme;
mod terminal;
