//! Where settings and secrets come from.

use std::collections::BTreeMap;
use std::env;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// A value that is wiped when it is dropped; settings are handled as carefully as secrets.
pub type Value = Zeroizing<String>;

/// The longest file that is read for a value, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// A source of named values: a vault, a configuration, the environment. A platform implements this for its own store.
///
/// A source is asked at every action, so that a rotated secret takes effect at once.
pub trait Source: Send + Sync {
    /// The value of this name (such as `client-secret`); `None` if it is not set.
    ///
    /// # Errors
    ///
    /// Why the value cannot be read. The text must not hold it.
    fn get(&self, name: &str) -> Result<Option<Value>, SourceError>;
}

/// Why a source could not give a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceError {
    /// The connector may not read this name.
    Denied(String),
    /// The source could not be asked; may pass.
    Unavailable(String),
}

impl std::fmt::Display for SourceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Denied(why) | Self::Unavailable(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for SourceError {}

/// Values that are simply there, by name.
impl Source for BTreeMap<String, Value> {
    fn get(&self, name: &str) -> Result<Option<Value>, SourceError> {
        Ok(BTreeMap::get(self, name).cloned())
    }
}

/// Values from the environment: `client-secret` is `ONEPASSWORD_CLIENT_SECRET`, or the content of the file that
/// `ONEPASSWORD_CLIENT_SECRET_FILE` names, without the line break at its end. An empty variable counts as not set.
#[derive(Debug, Clone, Copy, Default)]
pub struct Environment;

impl Environment {
    /// The name of the variable for a value.
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

/// A small text file without the line break at its end. What has no length of its own, such as a pipe, is read up to the
/// same bound.
fn read(path: &Path) -> Result<Value, String> {
    let mut text = Zeroizing::new(String::new());
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > MAX_FILE {
        return Err(format!("it is longer than {MAX_FILE} bytes"));
    }
    let end = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(end);
    if text.is_empty() { Err("it is empty".into()) } else { Ok(text) }
}
