//! The only type that may hold a secret: it does not print its value and wipes it on drop.

use alloc::string::String;
use core::fmt;

use zeroize::Zeroizing;

/// A string that must not be shown. Its `Debug` form is `[redacted]`, and its memory is wiped on drop.
///
/// ```
/// let secret = onepassword_users_core::Secret::new("hunter2".into());
/// assert_eq!(format!("{secret:?}"), "[redacted]");
/// assert_eq!(secret.expose(), "hunter2");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of a string. The caller should keep no copy.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The value itself, for the place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The secret without surrounding white space, such as the line break at the end of a file.
    pub(crate) fn trimmed(self) -> Self {
        let trimmed = self.0.trim();
        if trimmed.len() == self.0.len() { self } else { Self::new(trimmed.into()) }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}
