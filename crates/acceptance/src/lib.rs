//! The acceptance table: calls and their expected results as data, run through each face of the project.
//!
//! A row of `table.json` is a conversation with a simulated account: a start state, calls in the one JSON form, and the result of
//! each, which must be the same on every face. `README.md` of this crate describes the format.
//!
//! ```no_run
//! # async fn run() -> Result<(), String> {
//! use onepassword_users_acceptance::{Face, Suite};
//!
//! let report = Suite::new().await?.run(&Face::typed()?, "").await;
//! println!("{report}");
//! assert!(report.is_ok());
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod faces;
mod pattern;
mod run;
mod schemas;
mod scope;
mod table;

pub use faces::{Face, NAMES};
pub use run::{Report, Suite, Verdict};
pub use table::{Table, UNREACHABLE};
