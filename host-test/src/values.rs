//! Sources of settings and secrets.

use std::collections::BTreeMap;
use std::env;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use zeroize::Zeroizing;

/// A setting or secret. It is wiped when it is dropped.
pub type Value = Zeroizing<String>;

/// The longest file that a value is read from, in bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// The result of a look-up, when it is there.
pub type Lookup<'a> = Pin<Box<dyn Future<Output = Result<Vec<Option<Value>>, SourceError>> + Send + 'a>>;

/// A source of named values, such as a vault, a configuration file or the environment. Platforms implement it for their own
/// store.
///
/// Every action looks its values up anew, so that a rotated secret takes effect immediately. A look-up that takes longer than
/// [`Options::lookup_timeout`](crate::Options::lookup_timeout) fails.
///
/// ```
/// use onepassword_users_host::{Lookup, Source, SourceError, Value};
///
/// struct Vault;
///
/// impl Source for Vault {
///     fn get<'a>(&'a self, names: &'a [&'a str]) -> Lookup<'a> {
///         Box::pin(async move {
///             let mut values = Vec::new();
///             for name in names {
///                 // Ask the vault here.
///                 values.push(if *name == "client-id" { Some(Value::from("id".to_owned())) } else { None });
///             }
///             Ok(values)
///         })
///     }
/// }
/// ```
pub trait Source: Send + Sync {
    /// Looks up the values with these names (such as `client-secret`), in the same order. `None` for one that is not set.
    ///
    /// # Errors
    ///
    /// The reason why a value cannot be read. The text must not contain the value.
    fn get<'a>(&'a self, names: &'a [&'a str]) -> Lookup<'a>;
}

/// A failed look-up, with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceError {
    /// The connector may not read this name.
    Denied {
        /// The name.
        name: String,
        /// The reason.
        reason: String,
    },
    /// The source could not be reached or failed. A later attempt may succeed.
    Unavailable {
        /// The name, if a single value failed.
        name: Option<String>,
        /// The reason.
        reason: String,
    },
}

impl std::fmt::Display for SourceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Denied { reason, .. } | Self::Unavailable { reason, .. } => f.write_str(reason),
        }
    }
}

impl std::error::Error for SourceError {}

/// Fixed values, by name.
impl Source for BTreeMap<String, Value> {
    fn get<'a>(&'a self, names: &'a [&'a str]) -> Lookup<'a> {
        Box::pin(async move { Ok(names.iter().map(|name| BTreeMap::get(self, *name).cloned()).collect()) })
    }
}

/// Values from environment variables. `client-secret` is read from `ONEPASSWORD_CLIENT_SECRET`, or from the file that
/// `ONEPASSWORD_CLIENT_SECRET_FILE` names (at most 64 KiB, without trailing line breaks). An empty variable counts as not set.
#[derive(Debug, Clone, Copy, Default)]
pub struct Environment;

impl Environment {
    /// The name of the environment variable for a value.
    #[must_use]
    pub fn variable(name: &str) -> String {
        Self::variable_of("onepassword", name)
    }

    /// The name of the environment variable for a value of another connector: `DOOR_ACCESS_API_KEY` for the value `api-key` of
    /// `door-access`.
    #[must_use]
    pub fn variable_of(connector: &str, name: &str) -> String {
        format!("{connector}_{name}").to_ascii_uppercase().replace('-', "_")
    }

    /// Reads one value. Blocks while a file is read.
    ///
    /// # Errors
    ///
    /// The variable is not valid UTF-8, both variables are set, or the file cannot be read.
    pub fn read(name: &str) -> Result<Option<Value>, SourceError> {
        Self::read_of("onepassword", name)
    }

    /// Reads one value of another connector, from its [`variable_of`](Self::variable_of). Blocks while a file is read.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn read_of(connector: &str, name: &str) -> Result<Option<Value>, SourceError> {
        let variable = Self::variable_of(connector, name);
        let file = format!("{variable}_FILE");
        let denied = |reason| Err(SourceError::Denied { name: name.into(), reason });
        let value = match env::var(&variable) {
            Ok(value) => Some(Zeroizing::new(value)).filter(|value| !value.is_empty()),
            Err(env::VarError::NotPresent) => None,
            Err(env::VarError::NotUnicode(_)) => return denied(format!("{variable} is not valid UTF-8")),
        };
        match (value, path(&file)) {
            (Some(_), Some(_)) => denied(format!("both {variable} and {file} are set; set one of them")),
            (value, None) => Ok(value),
            (None, Some(path)) => read(&path).map(Some).map_err(|problem| SourceError::Unavailable {
                name: Some(name.into()),
                reason: format!("{file} ({}): {problem}", path.display()),
            }),
        }
    }
}

impl Source for Environment {
    fn get<'a>(&'a self, names: &'a [&'a str]) -> Lookup<'a> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || names.iter().map(|name| Self::read(name)).collect());
            read.await.unwrap_or_else(|error| {
                Err(SourceError::Unavailable { name: None, reason: format!("the environment cannot be read: {error}") })
            })
        })
    }
}

fn path(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Reads a small text file, without trailing line breaks. Anything without a length, such as a pipe, has the same bound.
fn read(path: &Path) -> Result<Value, String> {
    let mut text = Zeroizing::new(String::new());
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("it is longer than {MAX_FILE_BYTES} bytes"));
    }
    let end = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(end);
    if text.is_empty() { Err("it is empty".into()) } else { Ok(text) }
}
