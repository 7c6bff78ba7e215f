//! Maps the names of settings and secrets to environment variables.

use alloc::string::String;
use alloc::vec::Vec;

use crate::bindings::Adapter;
use crate::bindings::exports::automation::connector::secrets::{self, LookupError, LookupErrorKind};
use crate::bindings::exports::automation::connector::settings;
use crate::bindings::wasi::cli::environment;

/// The prefix of all variables.
const PREFIX: &str = "CONNECTOR_";

impl settings::Guest for Adapter {
    fn get(names: Vec<String>) -> Result<Vec<Option<String>>, LookupError> {
        look_up(&names)
    }
}

impl secrets::Guest for Adapter {
    fn get(names: Vec<String>) -> Result<Vec<Option<String>>, LookupError> {
        look_up(&names)
    }
}

/// Looks up settings or secrets. An environment does not tell them apart.
fn look_up(names: &[String]) -> Result<Vec<Option<String>>, LookupError> {
    let variables: Vec<String> = names.iter().map(|name| variable(name)).collect::<Result<_, _>>()?;
    let environment = environment::get_environment();
    // The last one counts: wasmtime appends the variables of `--env` to those that it inherits.
    let value =
        |variable: &String| environment.iter().rfind(|(name, _)| name == variable).map(|(_, value)| value.clone());
    Ok(variables.iter().map(|variable| value(variable).filter(|value| !value.is_empty())).collect())
}

/// The variable of a setting or secret.
fn variable(name: &str) -> Result<String, LookupError> {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !name.split('-').all(is_word) {
        let message = String::from("no variable of the adapter can have this name");
        return Err(LookupError { kind: LookupErrorKind::Denied, name: Some(name.into()), message });
    }
    let mut variable = String::from(PREFIX);
    variable.extend(name.chars().map(|letter| if letter == '-' { '_' } else { letter.to_ascii_uppercase() }));
    Ok(variable)
}
