//! Serves the Spin applications of this project in wasmtime: for tests and trials where there is no Spin.
//!
//! It reads the same `spin.toml`, builds with the command that stands there, and does with it what Spin does, as far as these
//! applications need it: variables and their templates, allowed hosts, routes, dependencies, and instances that serve many
//! requests. What it does not know it refuses. It is no way to run them in earnest: that is Spin's.
//!
//! ```no_run
//! use onepassword_users_spin_host::{Application, Manifest, Options, Server};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let manifest = Manifest::read("spin/spin.toml".as_ref())?;
//! manifest.build()?;
//! let variables = [("account_id".to_owned(), "ABCDEFGHIJKLMNOPQRSTUVWXYZ".to_owned())].into();
//! let application = Application::load(&manifest, &variables, Options::default())?;
//! let server = Server::start(application, 3000).await?;
//! println!("{}", server.url());
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod application;
mod instance;
mod log;
mod manifest;
mod outbound;
mod server;
mod state;
mod variables;

pub use application::{Application, Options};
pub use log::Log;
pub use manifest::Manifest;
pub use server::Server;
pub use variables::Failure;

/// Why an application cannot be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(String);

impl Error {
    fn new(problem: impl Into<String>) -> Self {
        Self(problem.into())
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}
