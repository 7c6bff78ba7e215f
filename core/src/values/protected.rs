//! Users that must not be suspended, by id or address.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::values::email::Email;
use crate::values::user::{User, UserId};

/// The longest list, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// The users that a setting protects. Exceptions err on the wide side: addresses that are nearly the same count as well, and so
/// do ids in another case.
#[derive(Debug, Default)]
pub(crate) struct ProtectedUsers {
    ids: Vec<String>,
    emails: Vec<Email>,
}

impl ProtectedUsers {
    /// Parses ids and addresses, separated by commas, semicolons or white space.
    pub(crate) fn parse(text: &str) -> Result<Self, ProtectedUsersError> {
        if text.len() > MAX_BYTES {
            return Err(ProtectedUsersError::Long);
        }
        let mut users = Self::default();
        let is_separator = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '\u{feff}');
        for (place, entry) in text.split(is_separator).filter(|entry| !entry.is_empty()).enumerate() {
            match (UserId::parse(entry), Email::parse(entry)) {
                (Ok(id), _) => users.ids.push(id.as_str().into()),
                (_, Ok(email)) if !entry.contains('*') => users.emails.push(email),
                _ => return Err(ProtectedUsersError::Entry(place + 1)),
            }
        }
        Ok(users)
    }

    /// True if the list has this user. `None` if that cannot be told, since the user has no address.
    pub(crate) fn contains(&self, user: &User) -> Option<bool> {
        let is_listed = self.ids.iter().any(|id| id.eq_ignore_ascii_case(&user.id))
            || self.emails.iter().any(|email| email.resembles(&user.email));
        if !is_listed && user.email.is_empty() && !self.emails.is_empty() { None } else { Some(is_listed) }
    }
}

/// The reason why a list of protected users cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtectedUsersError {
    /// It is longer than 64 KiB.
    Long,
    /// An entry is neither an id nor an address. Holds its number, from 1.
    Entry(usize),
}

impl fmt::Display for ProtectedUsersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Long => write!(f, "it is longer than {MAX_BYTES} bytes"),
            Self::Entry(entry) => {
                write!(f, "its entry {entry} is neither a user id nor an e-mail address (patterns are not supported)")
            }
        }
    }
}

impl core::error::Error for ProtectedUsersError {}
