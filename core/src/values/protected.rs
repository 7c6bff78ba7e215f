//! Users that must not be suspended, by id or address.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::text::is_any;
use crate::values::email::{Address, Comparison, Email};
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
    /// Parses ids and addresses, separated by commas, semicolons or white space. There must be one at least.
    pub(crate) fn parse(text: &str) -> Result<Self, ProtectedUsersError> {
        if text.len() > MAX_BYTES {
            return Err(ProtectedUsersError::Long);
        }
        let mut users = Self::default();
        let is_separator = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '\u{feff}');
        for (place, entry) in text.split(is_separator).filter(|entry| !entry.is_empty()).enumerate() {
            match (UserId::parse(entry), Email::parse(entry)) {
                (Ok(id), _) if is_meant(entry) => users.ids.push(id.as_str().into()),
                (Err(_), Ok(email)) if is_meant(email.as_str()) => users.emails.push(email),
                _ => return Err(ProtectedUsersError::Entry(place + 1)),
            }
        }
        if users.ids.is_empty() && users.emails.is_empty() {
            return Err(ProtectedUsersError::Nobody);
        }
        Ok(users)
    }

    /// True if the list has this user. `None` if that cannot be told, since the user's address is missing, masked or wrapped.
    pub(crate) fn contains(&self, user: &User) -> Option<bool> {
        let address = Address::new(&user.email);
        let is_listed = self.ids.iter().any(|id| id.eq_ignore_ascii_case(&user.id))
            || self.emails.iter().any(|email| email.compare(&address) != Comparison::Different);
        let is_told = is_listed || self.emails.is_empty() || Email::is_plain_address(&user.email);
        is_told.then_some(is_listed)
    }
}

/// True if an id or an address is one that somebody meant: no pattern, no word for an empty value, and nothing in front of it or
/// behind it, as from a template. Such an entry would protect nobody.
fn is_meant(entry: &str) -> bool {
    let is_edge = |c: Option<char>| c.is_some_and(|c| !c.is_ascii_punctuation());
    is_edge(entry.chars().next())
        && is_edge(entry.chars().next_back())
        && !entry.contains(['*', '=', '/', '%'])
        && !is_any(entry, "none|null|nil|undefined|false|true|all|any|no|yes")
}

/// The reason why a list of protected users cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtectedUsersError {
    /// It is longer than 64 KiB.
    Long,
    /// It has no entries.
    Nobody,
    /// An entry is neither an id nor an address. Holds its number, from 1.
    Entry(usize),
}

impl fmt::Display for ProtectedUsersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Long => write!(f, "it is longer than {MAX_BYTES} bytes"),
            Self::Nobody => f.write_str("it names nobody; leave it out if nobody is to be protected"),
            Self::Entry(entry) => {
                write!(f, "its entry {entry} is neither a user id nor an e-mail address (patterns are not supported)")
            }
        }
    }
}

impl core::error::Error for ProtectedUsersError {}
