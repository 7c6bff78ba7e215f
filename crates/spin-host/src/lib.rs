//! Serves the Spin applications of this project in wasmtime, for tests and trials without Spin. Not for production.
//!
//! It reads the same `spin.toml`, runs its build command, and implements as much of Spin as these applications need: variables
//! and their templates, allowed hosts, routes, dependencies, and instances that serve many requests. It refuses everything
//! else.
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
mod options;
mod outbound;
mod server;
mod state;
mod variables;

pub use application::Application;
pub use log::Log;
pub use manifest::Manifest;
pub use options::Options;
pub use server::Server;
pub use variables::Failure;

/// The reason why an application cannot be served.
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
