//! Users and references to users.

use alloc::borrow::{Cow, ToOwned};
use alloc::string::String;
use core::fmt;

use crate::text::{quoted, trimmed};
use crate::values::email::{Email, EmailError};

/// The longest user id that is put into a path, in bytes. Known ones have at most 26.
const MAX_PATH_ID_BYTES: usize = 128;

/// The state of a user. The service's own word for it is [`User::service_state`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserState {
    /// The user can sign in.
    Active,
    /// The user cannot sign in until reactivated.
    Suspended,
    /// Another state. It counts neither as active nor as suspended.
    Other,
}

impl UserState {
    /// The name of the state: `active`, `suspended` or `other`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Other => "other",
        }
    }
}

/// The text of a field that the service sent in a form that cannot be read.
pub(crate) const UNREADABLE: &str = "\u{fffd}";

/// True if a part of a text could not be read.
pub(crate) fn is_unreadable(text: &str) -> bool {
    !text.is_ascii() && text.contains(UNREADABLE)
}

/// A user, as the service describes it. Fields that the service left out are empty. U+FFFD stands for each part of a text that
/// cannot be read, and for a field that is no text at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The service's identifier, never empty.
    pub id: String,
    /// The e-mail address.
    pub email: String,
    /// The display name.
    pub display_name: String,
    /// The state.
    pub state: UserState,
    /// The service's own word for the state, such as `ACTIVE`; `STATE_UNSPECIFIED` if it left the state out.
    pub service_state: Cow<'static, str>,
    /// The time of creation, as RFC 3339.
    pub create_time: String,
    /// The service's resource name.
    pub path: String,
}

impl User {
    /// True if the service sent an id that a caller can name: white space around a caller's id is dropped.
    pub(crate) fn has_id(&self) -> bool {
        let is_edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
        let bytes = self.id.as_bytes();
        let is_plain = is_edge(bytes.first()) && is_edge(bytes.last());
        (is_plain || !bytes.is_empty() && trimmed(&self.id) == self.id) && !is_unreadable(&self.id)
    }

    /// True if id and address can be read, so that the user can be told apart from another one. A user may have no address.
    pub(crate) fn is_identified(&self) -> bool {
        !self.id.is_empty() && !is_unreadable(&self.id) && !is_unreadable(&self.email)
    }

    /// The total length of all texts, in bytes.
    pub(crate) fn text_bytes(&self) -> usize {
        let Self { id, email, display_name, state: _, service_state, create_time, path } = self;
        [id, email, display_name, &**service_state, create_time, path].iter().map(|text| text.len()).sum()
    }
}

/// A filter for the users of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateFilter {
    /// Users who can sign in.
    Active,
    /// Users who were suspended.
    Suspended,
}

/// A caller's reference to a user, not checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserRef {
    /// The service's identifier.
    Id(String),
    /// An e-mail address. The whole account is searched for it.
    Email(String),
    /// An id whose user must have this e-mail address. Needs no search.
    Known {
        /// The service's identifier.
        id: String,
        /// The address.
        email: String,
    },
}

/// A checked [`UserRef`].
pub(crate) enum Target {
    Id(UserId),
    Email(Email),
    Known(UserId, Email),
}

impl Target {
    pub(crate) fn parse(user: &UserRef) -> Result<Self, UserRefError> {
        match user {
            UserRef::Id(id) => UserId::parse(id).map(Self::Id),
            UserRef::Email(email) => parse_email(email).map(Self::Email),
            UserRef::Known { id, email } => Ok(Self::Known(UserId::parse(id)?, parse_email(email)?)),
        }
    }
}

fn parse_email(text: &str) -> Result<Email, UserRefError> {
    Email::parse(text).map_err(|error| UserRefError::InvalidEmail { quoted: quoted(text), error })
}

/// The reason why a [`UserRef`] is not valid.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UserRefError {
    /// The id is empty.
    EmptyId,
    /// The id is too long or has characters that could change the path of a request. Holds the id, quoted and cut.
    InvalidId(String),
    /// The e-mail address is not one.
    InvalidEmail {
        /// The text, quoted and cut.
        quoted: String,
        /// The reason.
        error: EmailError,
    },
}

impl fmt::Display for UserRefError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyId => f.write_str("a user id must not be empty"),
            Self::InvalidId(id) => {
                write!(f, "{id} is not a user id (at most {MAX_PATH_ID_BYTES} letters, digits, - and _)")
            }
            Self::InvalidEmail { quoted, error } => write!(f, "{quoted} is not an e-mail address: {error}"),
        }
    }
}

impl core::error::Error for UserRefError {}

/// A user id that cannot change the path of a request: letters, digits, `-` and `_`.
#[derive(Debug)]
pub(crate) struct UserId(String);

impl UserId {
    /// Parses a caller's id. White space around it is dropped.
    pub(crate) fn parse(text: &str) -> Result<Self, UserRefError> {
        let text = trimmed(text);
        match Self::exact(text) {
            Some(id) => Ok(id),
            None if text.is_empty() => Err(UserRefError::EmptyId),
            None => Err(UserRefError::InvalidId(quoted(text))),
        }
    }

    /// Takes an id of the service as it is. `None` if it cannot be used in a request.
    pub(crate) fn exact(text: &str) -> Option<Self> {
        let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_id = (1..=MAX_PATH_ID_BYTES).contains(&text.len()) && text.bytes().all(is_safe);
        is_id.then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn user_id_cannot_change_the_path() {
        assert_eq!(UserId::parse(" IR7VJHJ36JHINBFAD7V2T5MP3E\n").unwrap().as_str(), "IR7VJHJ36JHINBFAD7V2T5MP3E");
        for text in [
            "",
            " ",
            ".",
            "..",
            "../",
            "a/b",
            "%2e",
            "X:suspend",
            "X?y",
            "X#y",
            "a b",
            "a\nb",
            "a\0b",
            "ä",
            "𝕏",
            "a\\b",
            "a;b",
            &"A".repeat(10_000),
        ] {
            let error = UserId::parse(text).unwrap_err().to_string();
            assert!(!error.is_empty() && error.len() < 250, "{text}: {error}");
        }
    }
}
