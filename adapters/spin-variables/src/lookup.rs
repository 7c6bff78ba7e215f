//! Maps the names of settings and secrets to variables, and Spin's errors to the connector's.

use alloc::format;
use alloc::string::String;

use crate::bindings::Adapter;
use crate::bindings::exports::automation::connector::secrets::{self, LookupError};
use crate::bindings::exports::automation::connector::settings;
use crate::bindings::fermyon::spin::variables::{self, Error};

impl settings::Guest for Adapter {
    fn get(name: String) -> Result<Option<String>, LookupError> {
        look_up(&name)
    }
}

impl secrets::Guest for Adapter {
    fn get(name: String) -> Result<Option<String>, LookupError> {
        look_up(&name)
    }
}

/// Looks up a setting or a secret. Spin reads both alike.
fn look_up(name: &str) -> Result<Option<String>, LookupError> {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !name.split('-').all(is_word) {
        return Err(LookupError::Denied(String::from("no variable of Spin can have this name")));
    }
    let variable = format!("onepassword_{}", name.replace('-', "_"));
    match variables::get(&variable) {
        Ok(value) => Ok(Some(value)),
        Err(Error::Undefined(_)) => Ok(None),
        Err(Error::InvalidName(why)) => Err(LookupError::Denied(format!("the variable {variable}: {why}"))),
        Err(Error::Provider(why)) => Err(LookupError::Unavailable(format!("the variable {variable}: {why}"))),
        // The text may quote the template in the manifest, and with it a literal value.
        Err(Error::Other(_)) => {
            Err(LookupError::Unavailable(format!("the variable {variable}: Spin cannot resolve its value")))
        }
    }
}
