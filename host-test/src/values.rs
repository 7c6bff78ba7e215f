//! Sources of settings and secrets.

use std::collections::BTreeMap;
use std::env;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// A setting or secret. It is wiped when it is dropped.
pub type Value = Zeroizing<String>;

/// The longest file that a value is read from, in bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// A source of named values, such as a vault, a configuration file or the environment. Platforms implement it for their own
/// store.
///
/// Every action reads its values anew, so that a rotated secret takes effect immediately.
pub trait Source: Send + Sync {
    /// The value of this name (such as `client-secret`), or `None` if it is not set.
    ///
    /// # Errors
    ///
    /// The reason why the value cannot be read. The text must not contain the value.
    fn get(&self, name: &str) -> Result<Option<Value>, SourceError>;
}

/// A failed look-up, with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceError {
    /// The connector may not read this name.
    Denied(String),
    /// The source could not be reached or failed. A later attempt may succeed.
    Unavailable(String),
}

impl std::fmt::Display for SourceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Denied(reason) | Self::Unavailable(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for SourceError {}

/// Fixed values, by name.
impl Source for BTreeMap<String, Value> {
    fn get(&self, name: &str) -> Result<Option<Value>, SourceError> {
        Ok(BTreeMap::get(self, name).cloned())
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
        format!("ONEPASSWORD_{}", name.to_ascii_uppercase().replace('-', "_"))
    }
}

impl Source for Environment {
    fn get(&self, name: &str) -> Result<Option<Value>, SourceError> {
        let variable = Self::variable(name);
        let file = format!("{variable}_FILE");
        match (text(&variable)?, path(&file)) {
            (Some(_), Some(_)) => {
                Err(SourceError::Denied(format!("both {variable} and {file} are set; set one of them")))
            }
            (value, None) => Ok(value),
            (None, Some(path)) => read(&path)
                .map(Some)
                .map_err(|problem| SourceError::Unavailable(format!("{file} ({}): {problem}", path.display()))),
        }
    }
}

fn text(variable: &str) -> Result<Option<Value>, SourceError> {
    match env::var(variable) {
        Ok(value) => Ok(Some(Zeroizing::new(value)).filter(|value| !value.is_empty())),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(SourceError::Denied(format!("{variable} is not valid UTF-8"))),
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
