//! Spin's variables: those of the application, the component's templates over them, and the two interfaces that provide them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmtime::component::{Accessor, HasData};

use crate::Error;
use crate::manifest::Manifest;

mod bindings {
    #![allow(missing_docs, reason = "generated code")]
    #![allow(clippy::allow_attributes_without_reason, reason = "generated code allows without reasons")]

    wasmtime::component::bindgen!({
        inline: "
            package local:spin-host;

            world imports {
                import spin:variables/variables@3.0.0;
                import fermyon:spin/variables@2.0.0;
            }

            package spin:variables@3.0.0 {
                interface variables {
                    variant error {
                        invalid-name(string),
                        undefined(string),
                        provider(string),
                        other(string),
                    }
                    get: async func(name: string) -> result<string, error>;
                }
            }
        ",
        path: "../../adapters/spin-variables/wit/deps/fermyon-spin",
    });
}

use bindings::fermyon::spin::variables as blocking;
use bindings::spin::variables::variables as concurrent;

/// The values of one application. Clones share them.
#[derive(Clone)]
pub(crate) struct Variables {
    /// The values of the application's variables, defaults included.
    application: Arc<BTreeMap<String, String>>,
    /// The resolved values of the component's variables.
    component: Arc<BTreeMap<String, String>>,
    /// The component's variables whose look-up fails.
    failures: Arc<BTreeMap<String, Failure>>,
    /// The number of look-ups.
    pub(crate) lookups: Arc<AtomicUsize>,
}

/// A failure of a provider of variables, such as a vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The provider fails with this message.
    Refuses(String),
    /// The provider does not respond.
    Hangs,
}

impl Variables {
    pub(crate) fn new(
        manifest: &Manifest,
        set: &BTreeMap<String, String>,
        failures: BTreeMap<String, Failure>,
    ) -> Result<Self, Error> {
        if let Some(name) = set.keys().find(|name| !manifest.has_variable(name)) {
            let names: Vec<&str> = manifest.variables().map(|(name, _)| name).collect();
            return Err(Error::new(format!("the application has no variable {name}; it has {}", names.join(", "))));
        }
        let is_missing = |(name, is_required): &(&str, bool)| *is_required && !set.contains_key(*name);
        let missing: Vec<&str> = manifest.variables().filter(is_missing).map(|(name, _)| name).collect();
        if !missing.is_empty() {
            return Err(Error::new(format!("these variables are required and not set: {}", missing.join(", "))));
        }
        let mut application = BTreeMap::new();
        for (name, variable) in &manifest.variables {
            check(name)?;
            let value = set.get(name).or(variable.default.as_ref()).cloned();
            application.insert(name.clone(), value.unwrap_or_default());
        }
        let (application, failures) = (Arc::new(application), Arc::new(failures));
        let mut variables = Self { application, component: Arc::default(), failures, lookups: Arc::default() };
        let mut component = BTreeMap::new();
        for (name, template) in &manifest.component().variables {
            check(name)?;
            component.insert(name.clone(), variables.resolve(template)?);
        }
        variables.component = Arc::new(component);
        Ok(variables)
    }

    /// Resolves a template, such as `https://{{ host }}`.
    pub(crate) fn resolve(&self, template: &str) -> Result<String, Error> {
        let mut resolved = String::new();
        let mut rest = template;
        while let Some((text, after)) = rest.split_once("{{") {
            let Some((name, after)) = after.split_once("}}") else {
                return Err(Error::new(format!("{template:?} has {{{{ without }}}}")));
            };
            let name = name.trim();
            let value = self.application.get(name);
            let value =
                value.ok_or_else(|| Error::new(format!("{template:?} names {name:?}, which is not a variable")))?;
            resolved.push_str(text);
            resolved.push_str(value);
            rest = after;
        }
        resolved.push_str(rest);
        Ok(resolved)
    }

    /// Looks up a variable of the component.
    fn get(&self, name: &str) -> Result<String, LookupError> {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = check(name) {
            return Err(LookupError::InvalidName(error.to_string()));
        }
        if let Some(Failure::Refuses(message)) = self.failures.get(name) {
            return Err(LookupError::Provider(message.clone()));
        }
        self.component.get(name).cloned().ok_or_else(|| LookupError::Undefined(format!("there is no variable {name}")))
    }
}

enum LookupError {
    InvalidName(String),
    Undefined(String),
    Provider(String),
}

/// Checks a name by Spin's rule: lower-case letters, digits and single underscores; a letter first, no underscore last.
fn check(name: &str) -> Result<(), Error> {
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if name.starts_with(|c: char| c.is_ascii_lowercase()) && name.split('_').all(is_part) {
        Ok(())
    } else {
        Err(Error::new(format!("{name:?} is not a valid variable name")))
    }
}

/// Adds both interfaces to a linker. `view` returns the variables in the data of a store.
pub(crate) fn add_to_linker<T: Send + 'static>(
    linker: &mut wasmtime::component::Linker<T>,
    view: fn(&mut T) -> &mut Variables,
) -> wasmtime::Result<()> {
    blocking::add_to_linker::<T, View>(linker, view)?;
    concurrent::add_to_linker::<T, View>(linker, view)
}

struct View;

impl HasData for View {
    type Data<'a> = &'a mut Variables;
}

impl blocking::Host for Variables {
    fn get(&mut self, name: String) -> Result<String, blocking::Error> {
        Self::get(self, &name).map_err(|error| match error {
            LookupError::InvalidName(message) => blocking::Error::InvalidName(message),
            LookupError::Undefined(message) => blocking::Error::Undefined(message),
            LookupError::Provider(message) => blocking::Error::Provider(message),
        })
    }
}

impl concurrent::Host for Variables {}

impl<T: 'static> concurrent::HostWithStore<T> for View {
    async fn get(accessor: &Accessor<T, Self>, name: String) -> Result<String, concurrent::Error> {
        // Yields, as with a remote provider, so that other requests proceed.
        tokio::task::yield_now().await;
        if accessor.with(|mut access| access.get().failures.get(&name) == Some(&Failure::Hangs)) {
            std::future::pending::<()>().await;
        }
        accessor.with(|mut access| access.get().get(&name)).map_err(|error| match error {
            LookupError::InvalidName(message) => concurrent::Error::InvalidName(message),
            LookupError::Undefined(message) => concurrent::Error::Undefined(message),
            LookupError::Provider(message) => concurrent::Error::Provider(message),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_as_in_spin() {
        for name in ["a", "abc", "a1b2c3", "a_1", "a_1_b_3"] {
            assert!(check(name).is_ok(), "{name}");
        }
        for name in ["", "aX", "1bc", "_x", "x.y", "x_", "a__b", "x-y"] {
            assert!(check(name).is_err(), "{name}");
        }
    }

    #[test]
    fn templates_are_resolved() {
        let application = [("host".to_owned(), "example".to_owned())].into();
        let variables = Variables {
            application: Arc::new(application),
            component: Arc::default(),
            failures: Arc::default(),
            lookups: Arc::default(),
        };
        let resolve = |template| variables.resolve(template).map_err(|error| error.to_string());
        assert_eq!(resolve("https://{{ host }}.com{{host}}"), Ok("https://example.comexample".into()));
        assert_eq!(resolve("plain"), Ok("plain".into()));
        assert!(resolve("{{ other }}").is_err_and(|problem| problem.contains("other")));
        assert!(resolve("{{ host").is_err());
    }
}
