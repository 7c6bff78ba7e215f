//! The only type in which a secret may live: it does not print itself, and is wiped when dropped.

use alloc::string::String;
use core::fmt;

use zeroize::Zeroizing;

/// A text that must not be seen. Its `Debug` form is `[redacted]`, and its memory is wiped on drop.
///
/// ```
/// let secret = onepassword_users_core::Secret::new("hunter2".into());
/// assert_eq!(format!("{secret:?}"), "[redacted]");
/// assert_eq!(secret.expose(), "hunter2");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text over; the caller keeps no copy of it.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Without white space around it, such as the line feed at the end of a file.
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
