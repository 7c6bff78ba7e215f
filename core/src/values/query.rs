//! The query of a list and its result.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::values::user::User;

/// The most users that one list returns: an amount that fits comfortably into memory.
pub const MAX_USERS: u32 = 250_000;
/// The longest page token that is accepted, in bytes. This fits into a URL everywhere.
pub(crate) const MAX_PAGE_TOKEN_BYTES: usize = 4096;

/// A filter for the users of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateFilter {
    /// Users who can sign in.
    Active,
    /// Users who were suspended.
    Suspended,
}

/// The users to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Only users in this state; `None` for all.
    pub state: Option<StateFilter>,
    /// At most this many users, from 1 to [`MAX_USERS`]; `None` for all.
    pub limit: Option<u32>,
    /// The [`next_page_token`](UserList::next_page_token) of an earlier list, to continue it.
    pub page_token: Option<String>,
}

impl ListQuery {
    /// Checks the bounds of limit and page token.
    pub(crate) fn check(&self) -> Result<(), QueryError> {
        if self.limit.is_some_and(|limit| limit == 0 || limit > MAX_USERS) {
            return Err(QueryError::Limit);
        }
        match self.page_token.as_deref() {
            Some("") => Err(QueryError::EmptyPageToken),
            Some(token) if token.len() > MAX_PAGE_TOKEN_BYTES => Err(QueryError::LongPageToken),
            _ => Ok(()),
        }
    }
}

/// The reason why a [`ListQuery`] is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueryError {
    /// The limit is not from 1 to [`MAX_USERS`].
    Limit,
    /// The page token is empty.
    EmptyPageToken,
    /// The page token is longer than 4096 bytes.
    LongPageToken,
}

impl QueryError {
    /// The argument at fault, by its name in the WIT contract.
    pub(crate) fn argument(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::EmptyPageToken | Self::LongPageToken => "page-token",
        }
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit => write!(f, "it is not from 1 to {MAX_USERS}"),
            Self::EmptyPageToken => f.write_str("it is empty; leave it out to begin at the first page"),
            Self::LongPageToken => write!(f, "it is longer than {MAX_PAGE_TOKEN_BYTES} bytes"),
        }
    }
}

impl core::error::Error for QueryError {}

/// A list of users, and the page token to continue it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserList {
    /// The users, in the service's order. No id occurs twice.
    pub users: Vec<User>,
    /// The page token of the rest; `None` if and only if there are no more users.
    pub next_page_token: Option<String>,
}
