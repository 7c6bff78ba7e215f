//! Turns the name of a value into that of a variable, and Spin's errors into the connector's.

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

/// Spin knows no difference between settings and secrets, but for what its own tools show.
fn look_up(name: &str) -> Result<Option<String>, LookupError> {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !name.split('-').all(is_word) {
        return Err(LookupError::Denied(String::from("no variable of Spin can bear this name")));
    }
    let variable = format!("onepassword_{}", name.replace('-', "_"));
    match variables::get(&variable) {
        Ok(value) => Ok(Some(value)),
        Err(Error::Undefined(_)) => Ok(None),
        Err(Error::InvalidName(why)) => Err(LookupError::Denied(format!("the variable {variable}: {why}"))),
        Err(Error::Provider(why)) => Err(LookupError::Unavailable(format!("the variable {variable}: {why}"))),
        // Its text may quote the manifest's template, and with it a value that is written there.
        Err(Error::Other(_)) => {
            Err(LookupError::Unavailable(format!("the variable {variable}: Spin cannot work out its value")))
        }
    }
}
