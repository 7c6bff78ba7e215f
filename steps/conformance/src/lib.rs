//! A conformance kit for drivers of the component without imports.
//!
//! A driver carries out the steps of `automation:connector/steps` with its own HTTP client. This kit has scripted exchanges as
//! data ([`cases`]), plays the service's part on a port of loopback ([`Play`]), and judges what the driver did and reported
//! ([`Verdict`]). [`control`] offers the same over HTTP, for drivers in any language.
//!
//! ```
//! use onepassword_users_conformance::{Play, Report, cases};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let cases = cases()?;
//! let case = cases.iter().find(|case| case.name == "get-user").ok_or("no such case")?;
//! let play = Play::start(case).await?;
//! println!("run {} against {}", play.task().actions[0].action, play.task().settings["base-url"]);
//! // A driver runs here. This one does nothing, and is refused for that.
//! let verdict = play.judge(&Report::default()).await;
//! assert!(!verdict.passed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod answer;
mod case;
pub mod control;
mod judge;
mod play;
mod wire;

pub use case::LookupFailure;
pub use case::{Case, CaseError, Group, cases, groups};
pub use judge::{Outcome, Report, Verdict};
pub use play::{Play, Task, TaskAction};
