//! Looks settings and secrets up by name, and maps the errors of `wasi:config` to the connector's.

use alloc::string::String;
use alloc::vec::Vec;

use crate::bindings::Adapter;
use crate::bindings::exports::automation::connector::secrets::{self, LookupError, LookupErrorKind};
use crate::bindings::exports::automation::connector::settings;
use crate::bindings::wasi::config::store::{self, Error};

impl settings::Guest for Adapter {
    fn get(names: Vec<String>) -> Result<Vec<Option<String>>, LookupError> {
        names.iter().map(|name| look_up(name)).collect()
    }
}

impl secrets::Guest for Adapter {
    fn get(names: Vec<String>) -> Result<Vec<Option<String>>, LookupError> {
        names.iter().map(|name| look_up(name)).collect()
    }
}

/// Looks up a setting or a secret. The store does not tell them apart.
fn look_up(name: &str) -> Result<Option<String>, LookupError> {
    let failed = |kind, message| Err(LookupError { kind, name: Some(name.into()), message });
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !name.split('-').all(is_word) {
        return failed(LookupErrorKind::Denied, String::from("no key of the adapter can have this name"));
    }
    match store::get(name) {
        Ok(value) => Ok(value.filter(|value| !value.is_empty())),
        Err(Error::Upstream(why) | Error::Io(why)) => failed(LookupErrorKind::Unavailable, why),
    }
}
