//! Users, and the ways to name one.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use crate::text::quoted;

/// The longest user id that is accepted, in characters. Known ones have 26 at most.
const MAX_ID: usize = 128;
/// The longest e-mail address that is accepted, in bytes. RFC 5321 allows 254.
const MAX_EMAIL: usize = 1024;

/// Whether a user can sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserState {
    /// The user can sign in.
    Active,
    /// The user cannot sign in until reactivated.
    Suspended,
    /// Any other state, in the service's words. Counts neither as active nor as suspended.
    Other(String),
}

/// One user, as the service describes it. A text that the service left out is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The service's identifier, never empty.
    pub id: String,
    /// The e-mail address.
    pub email: String,
    /// The name as people see it.
    pub display_name: String,
    /// Whether the user can sign in.
    pub state: UserState,
    /// When the user was created, in RFC 3339.
    pub create_time: String,
    /// The service's resource name.
    pub path: String,
}

impl User {
    /// The length of all its texts, in bytes.
    pub(crate) fn text_length(&self) -> usize {
        let state = match &self.state {
            UserState::Other(state) => state.len(),
            UserState::Active | UserState::Suspended => 0,
        };
        let Self { id, email, display_name, create_time, path, .. } = self;
        [id, email, display_name, create_time, path].iter().map(|text| text.len()).sum::<usize>() + state
    }
}

/// Names one user, as a caller does: not checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserRef {
    /// The service's identifier.
    Id(String),
    /// An e-mail address; it has to be looked for.
    Email(String),
}

/// A [`UserRef`] that was checked.
pub(crate) enum Target {
    Id(UserId),
    Email(Email),
}

impl Target {
    pub(crate) fn parse(user: &UserRef) -> Result<Self, String> {
        match user {
            UserRef::Id(id) => UserId::parse(id).map(Self::Id),
            UserRef::Email(email) => Email::parse(email).map(Self::Email),
        }
    }
}

/// A user id that cannot change the path of a request: letters, digits, `-` and `_`.
pub(crate) struct UserId(String);

impl UserId {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("a user id must not be empty".into());
        }
        let clean = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if text.len() <= MAX_ID && text.bytes().all(clean) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("{} is not a user id (at most {MAX_ID} letters, digits, - and _)", quoted(text)))
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// An e-mail address to look for. It is compared, never sent.
pub(crate) struct Email(String);

impl Email {
    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let odd = |c: char| c.is_control() || c.is_whitespace();
        match text.rsplit_once('@') {
            Some((local, domain))
                if !local.is_empty() && !domain.is_empty() && text.len() <= MAX_EMAIL && !text.contains(odd) =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(format!("{} is not an e-mail address", quoted(text))),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The letters A to Z compare without regard to case, everything else exactly.
    pub(crate) fn matches(&self, email: &str) -> bool {
        self.0.eq_ignore_ascii_case(email)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end here")]
mod tests {
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
            let error = UserId::parse(text).err().unwrap_or_default();
            assert!(!error.is_empty() && error.len() < 250, "{text}: {error}");
        }
    }

    #[test]
    fn email_compares_ascii_letters_without_case_and_the_rest_exactly() {
        let email = Email::parse("Jürgen@Example.com").unwrap();
        assert!(email.matches("jürgen@eXAMPLE.COM"));
        assert!(!email.matches("JÜRGEN@example.com"));
        assert!(!email.matches("jurgen@example.com"));
        for text in ["", "@", "a@", "@b", "a b@c", "a@b\nc", "plain", &"a@".repeat(10_000)] {
            assert!(Email::parse(text).is_err(), "{text}");
        }
    }
}
