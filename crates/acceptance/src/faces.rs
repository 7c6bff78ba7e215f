//! The faces: the ways to call an action. Each takes arguments in JSON and returns results in JSON.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

mod command_line;
mod host;
#[cfg(feature = "portable")]
mod portable;
#[cfg(feature = "spin")]
mod spin;

/// A face, ready for any number of rows.
#[derive(Debug)]
pub struct Face(Kind);

#[derive(Debug)]
enum Kind {
    Host(host::Face),
    #[cfg(feature = "portable")]
    Portable(Box<portable::Face>),
    CommandLine(command_line::Face),
    #[cfg(feature = "spin")]
    Spin(spin::Face),
}

/// The names of all faces.
pub const NAMES: [&str; 7] = ["typed", "by-name", "steps", "steps-typed", "portable", "command-line", "spin"];

/// A call, with its placeholders replaced.
pub(crate) struct Call {
    pub(crate) action: String,
    pub(crate) arguments: Value,
    /// The arguments as they are sent, if they are no JSON.
    pub(crate) text: Option<String>,
}

impl Call {
    /// The arguments as a text.
    fn arguments(&self) -> String {
        self.text.clone().unwrap_or_else(|| self.arguments.to_string())
    }
}

/// The result of a call.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) result: Result<Value, Failed>,
    /// True if the action changed something. `None` if the face does not say.
    pub(crate) changed: Option<bool>,
}

/// A failure, as far as a face shows it.
#[derive(Debug, Default)]
pub(crate) struct Failed {
    /// The failure record.
    pub(crate) record: Option<Value>,
    /// The words for people.
    pub(crate) words: Option<String>,
    pub(crate) exit_code: Option<i32>,
    pub(crate) http_status: Option<u16>,
}

impl Failed {
    fn record(record: Value) -> Self {
        Self { record: Some(record), ..Self::default() }
    }
}

/// The reason why there is no result.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The face cannot express the call.
    NotApplicable(String),
    /// The face or the harness failed.
    Broken(String),
}

impl From<String> for Stop {
    fn from(problem: String) -> Self {
        Self::Broken(problem)
    }
}

fn not_applicable<T>(reason: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::NotApplicable(reason.into()))
}

/// The settings and secrets of a session.
pub(crate) type Settings = BTreeMap<String, String>;

/// A face with the settings of one row. Calls of a session share a token if the face keeps one.
pub(crate) enum Session<'a> {
    Host(Box<host::Session>),
    #[cfg(feature = "portable")]
    Portable(Box<portable::Session>),
    CommandLine(command_line::Session<'a>),
    #[cfg(feature = "spin")]
    Spin(spin::Session<'a>),
}

impl Face {
    /// The typed calls of the host library, over the component for WASI.
    ///
    /// # Errors
    ///
    /// The component cannot be loaded.
    pub fn typed() -> Result<Self, String> {
        host::Face::new(host::Engine::Wasi, true).map(|face| Self(Kind::Host(face)))
    }

    /// The calls by name of the host library, over the component for WASI.
    ///
    /// # Errors
    ///
    /// The component cannot be loaded.
    pub fn by_name() -> Result<Self, String> {
        host::Face::new(host::Engine::Wasi, false).map(|face| Self(Kind::Host(face)))
    }

    /// The calls by name of the host library, over the component without imports.
    ///
    /// # Errors
    ///
    /// The component cannot be loaded.
    pub fn steps() -> Result<Self, String> {
        host::Face::new(host::Engine::Steps, false).map(|face| Self(Kind::Host(face)))
    }

    /// The typed calls of the host library, over the component without imports.
    ///
    /// # Errors
    ///
    /// The component cannot be loaded.
    pub fn steps_typed() -> Result<Self, String> {
        host::Face::new(host::Engine::Steps, true).map(|face| Self(Kind::Host(face)))
    }

    /// The component composed with the environment adapter, run with WASI and nothing else.
    ///
    /// # Errors
    ///
    /// The composition cannot be built or loaded.
    #[cfg(feature = "portable")]
    pub fn portable() -> Result<Self, String> {
        portable::Face::new().map(|face| Self(Kind::Portable(Box::new(face))))
    }

    /// The command line: the path of its binary, which runs as a process of its own for each call.
    #[must_use]
    pub fn command_line(binary: impl Into<PathBuf>) -> Self {
        Self(Kind::CommandLine(command_line::Face { binary: binary.into() }))
    }

    /// The Spin application, over HTTP.
    ///
    /// # Errors
    ///
    /// The application cannot be built.
    #[cfg(feature = "spin")]
    pub fn spin() -> Result<Self, String> {
        spin::Face::new().map(|face| Self(Kind::Spin(face)))
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match &self.0 {
            Kind::Host(face) => face.name(),
            #[cfg(feature = "portable")]
            Kind::Portable(_) => "portable",
            Kind::CommandLine(_) => "command-line",
            #[cfg(feature = "spin")]
            Kind::Spin(_) => "spin",
        }
    }

    /// The face's name of a setting, secret or argument.
    pub(crate) fn spell(&self) -> fn(&str) -> String {
        match &self.0 {
            Kind::CommandLine(_) => command_line::spell,
            #[cfg(feature = "spin")]
            Kind::Spin(_) => spin::spell,
            _ => str::to_owned,
        }
    }

    /// True if failures are problem documents.
    pub(crate) fn has_problems(&self) -> bool {
        match &self.0 {
            #[cfg(feature = "spin")]
            Kind::Spin(_) => true,
            _ => false,
        }
    }

    pub(crate) async fn session(
        &self,
        settings: &Settings,
        host_deadline: Option<Duration>,
    ) -> Result<Session<'_>, Stop> {
        if host_deadline.is_some() && !matches!(self.0, Kind::Host(_)) {
            return not_applicable("only the host library gives a call a deadline of the host");
        }
        Ok(match &self.0 {
            Kind::Host(face) => Session::Host(Box::new(face.session(settings, host_deadline)?)),
            #[cfg(feature = "portable")]
            Kind::Portable(face) => Session::Portable(Box::new(face.session(settings).await?)),
            Kind::CommandLine(face) => Session::CommandLine(face.session(settings)),
            #[cfg(feature = "spin")]
            Kind::Spin(face) => Session::Spin(face.session(settings).await?),
        })
    }
}

impl Session<'_> {
    pub(crate) async fn call(&mut self, call: &Call) -> Result<Observed, Stop> {
        match self {
            Self::Host(session) => session.call(call).await,
            #[cfg(feature = "portable")]
            Self::Portable(session) => session.call(call).await,
            Self::CommandLine(session) => session.call(call).await,
            #[cfg(feature = "spin")]
            Self::Spin(session) => session.call(call).await,
        }
    }

    /// Changes the settings. False if the face reads them at its start only.
    pub(crate) fn set(&mut self, settings: &Settings) -> bool {
        match self {
            Self::Host(session) => session.set(settings),
            Self::CommandLine(session) => session.set(settings),
            #[cfg(any(feature = "portable", feature = "spin"))]
            _ => return false,
        }
        true
    }
}

/// A reference to a user in arguments: a text with an `@` is an address, any other an id.
pub(crate) enum Reference<'a> {
    Id(&'a str),
    Email(&'a str),
    Known(&'a str, &'a str),
}

impl<'a> Reference<'a> {
    /// Reads a reference. `None` if it is not one.
    pub(crate) fn parse(value: &'a Value) -> Option<Self> {
        match value {
            Value::String(text) if text.contains('@') => Some(Self::Email(text)),
            Value::String(text) => Some(Self::Id(text)),
            Value::Object(members) if members.keys().all(|name| name == "id" || name == "email") => {
                match (members.get("id").map(Value::as_str), members.get("email").map(Value::as_str)) {
                    (Some(id), None) => Some(Self::Id(id?)),
                    (None, Some(email)) => Some(Self::Email(email?)),
                    (Some(id), Some(email)) => Some(Self::Known(id?, email?)),
                    (None, None) => None,
                }
            }
            _ => None,
        }
    }

    /// The reference as one text, if that means the same.
    pub(crate) fn text(&self) -> Option<&'a str> {
        match self {
            Self::Id(id) if !id.contains('@') => Some(id),
            Self::Email(email) if email.contains('@') => Some(email),
            _ => None,
        }
    }
}

/// The members of arguments without those that are null. `None` if the arguments are not an object, or have other members.
pub(crate) fn members<'a, const N: usize>(call: &'a Call, names: [&str; N]) -> Option<[Option<&'a Value>; N]> {
    let members = call.arguments.as_object().filter(|_| call.text.is_none())?;
    if members.keys().any(|name| !names.contains(&name.as_str())) {
        return None;
    }
    Some(names.map(|name| members.get(name).filter(|value| !value.is_null())))
}
