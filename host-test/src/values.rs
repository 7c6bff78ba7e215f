//! Sources of settings and secrets.

use std::collections::BTreeMap;
use std::env;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use zeroize::Zeroizing;

/// A setting or secret. It is wiped when it is dropped.
pub type Value = Zeroizing<String>;

/// The longest file that a value is read from, in bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024;
/// The longest time that a file may take to be read. A pipe may have no writer.
const MAX_FILE_TIME: Duration = Duration::from_secs(10);

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
/// `ONEPASSWORD_CLIENT_SECRET_FILE` names: UTF-8, at most 64 KiB, read within ten seconds, without a byte-order mark and trailing
/// line breaks. An empty variable counts as not set.
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

    /// Reads one value. Blocks while a file is read, for at most ten seconds.
    ///
    /// # Errors
    ///
    /// The variable is not valid UTF-8, both variables are set, or the file cannot be read.
    pub fn read(name: &str) -> Result<Option<Value>, SourceError> {
        Self::read_of("onepassword", name)
    }

    /// Reads one value of another connector, from its [`variable_of`](Self::variable_of). Blocks while a file is read,
    /// for at most ten seconds.
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
            (None, Some(path)) => {
                read_within(&path, MAX_FILE_TIME).map(Some).map_err(|problem| SourceError::Unavailable {
                    name: Some(name.into()),
                    reason: format!("{file} ({}): {problem}", path.display()),
                })
            }
        }
    }
}

impl Source for Environment {
    fn get<'a>(&'a self, names: &'a [&'a str]) -> Lookup<'a> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Box::pin(async move {
            // Not on a thread of the runtime, whose shutdown would wait for it.
            let (sender, receiver) = tokio::sync::oneshot::channel();
            let read = move || drop(sender.send(names.iter().map(|name| Self::read(name)).collect()));
            let failed = |error: &dyn std::error::Error| {
                let reason = format!("the environment cannot be read: {error}");
                SourceError::Unavailable { name: None, reason }
            };
            thread::Builder::new().name("environment".into()).spawn(read).map_err(|error| failed(&error))?;
            receiver.await.map_err(|error| failed(&error))?
        })
    }
}

fn path(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Reads a file on a thread of its own, which is left behind if it takes too long: opening a pipe waits for a writer.
fn read_within(path: &Path, limit: Duration) -> Result<Value, String> {
    let (sender, receiver) = mpsc::channel();
    let path = path.to_owned();
    let read = move || drop(sender.send(read(&path)));
    thread::Builder::new().name("file".into()).spawn(read).map_err(|error| error.to_string())?;
    receiver.recv_timeout(limit).unwrap_or_else(|_| {
        Err(format!("it could not be read within {} s; a pipe needs a writer", limit.as_secs_f64()))
    })
}

/// Reads a small text file, without a byte-order mark and trailing line breaks. Anything without a length, such as a pipe, has the
/// same bound.
fn read(path: &Path) -> Result<Value, String> {
    let mut bytes = Zeroizing::new(Vec::new());
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("it is longer than {MAX_FILE_BYTES} bytes"));
    }
    // With or without a byte-order mark: no text of ours holds a zero.
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) || bytes.contains(&0) {
        return Err("it is UTF-16, or not text; save it as UTF-8".into());
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| "it is not valid UTF-8".to_owned())?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_end_matches(['\r', '\n']);
    if text.is_empty() { Err("it is empty".into()) } else { Ok(Zeroizing::new(text.to_owned())) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end here")]
mod tests {
    use std::time::Instant;

    use super::*;

    fn read_bytes(bytes: &[u8]) -> Result<String, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        read_within(file.path(), MAX_FILE_TIME).map(|value| value.to_string())
    }

    #[test]
    fn row_32_a_byte_order_mark_is_stripped_and_utf_16_is_named() {
        for bytes in ["secret", "secret\n", "secret\r\n", "\u{feff}secret", "\u{feff}secret\r\n"] {
            assert_eq!(read_bytes(bytes.as_bytes()).unwrap(), "secret", "{bytes:?}");
        }
        let utf_16 =
            |text: &str, to_bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(to_bytes).collect::<Vec<u8>>();
        for text in ["\u{feff}secret\r\n", "secret"] {
            for to_bytes in [u16::to_le_bytes, u16::to_be_bytes] {
                let problem = read_bytes(&utf_16(text, to_bytes)).unwrap_err();
                assert!(problem.contains("UTF-16") && !problem.contains("secret"), "{problem}");
            }
        }
        assert!(read_bytes(b"s\xe9cret").unwrap_err().contains("UTF-8"));
        for empty in ["", "\n", "\u{feff}", "\u{feff}\n"] {
            assert_eq!(read_bytes(empty.as_bytes()).unwrap_err(), "it is empty");
        }
    }

    #[cfg(unix)]
    #[test]
    fn row_32_a_pipe_without_a_writer_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let start = Instant::now();
        let problem = read_within(&pipe, Duration::from_millis(200)).unwrap_err();
        assert!(problem.contains("within 0.2 s"), "{problem}");
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}
