//! Maps the names of settings and secrets to variables, and Spin's errors to the connector's.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::bindings::Adapter;
use crate::bindings::exports::automation::connector::secrets::{self, LookupError, LookupErrorKind};
use crate::bindings::exports::automation::connector::settings;
use crate::bindings::fermyon::spin::variables::{self, Error};

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

/// Looks up a setting or a secret. Spin reads both alike.
fn look_up(name: &str) -> Result<Option<String>, LookupError> {
    let failed = |kind, message: String| Err(LookupError { kind, name: Some(name.into()), message });
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !name.split('-').all(is_word) {
        return failed(LookupErrorKind::Denied, String::from("no variable of Spin can have this name"));
    }
    let variable = format!("onepassword_{}", name.replace('-', "_"));
    match variables::get(&variable) {
        Ok(value) => Ok(Some(value)),
        Err(Error::Undefined(_)) => Ok(None),
        Err(Error::InvalidName(why)) => failed(LookupErrorKind::Denied, format!("the variable {variable}: {why}")),
        Err(Error::Provider(why)) => failed(LookupErrorKind::Unavailable, format!("the variable {variable}: {why}")),
        // The text may quote the template in the manifest, and with it a literal value.
        Err(Error::Other(_)) => {
            failed(LookupErrorKind::Unavailable, format!("the variable {variable}: Spin cannot resolve its value"))
        }
    }
}
