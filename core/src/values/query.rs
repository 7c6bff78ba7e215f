//! The query of a list and its result.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::values::page_token::{MAX_PAGE_SIZE, PageToken, PageTokenError};
use crate::values::user::{StateFilter, User};

/// The most users that one list returns: an amount that fits comfortably into memory.
pub const MAX_USERS: u32 = 250_000;
/// The most references that one call of [`Session::find_users`](crate::Session::find_users) takes.
pub const MAX_FIND_USERS: usize = 1000;
/// The page sizes of lists with small limits: the smallest one that is not below the limit. Continuations keep the page size,
/// so it must not be tiny.
const SMALL_PAGE_SIZES: [u16; 2] = [25, 100];

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
    /// Checks limit and page token, and returns the place to start at.
    pub(crate) fn start(&self) -> Result<PageToken, QueryError> {
        if self.limit.is_some_and(|limit| limit == 0 || limit > MAX_USERS) {
            return Err(QueryError::Limit);
        }
        let Some(token) = &self.page_token else {
            let is_enough = |size: &u16| self.limit.is_some_and(|limit| limit <= u32::from(*size));
            let page_size = SMALL_PAGE_SIZES.into_iter().find(is_enough).unwrap_or(MAX_PAGE_SIZE);
            return Ok(PageToken { service_token: None, page_size, offset: 0, state: self.state });
        };
        let token = PageToken::decode(token).map_err(QueryError::PageToken)?;
        if token.state == self.state { Ok(token) } else { Err(QueryError::PageToken(PageTokenError::OtherState)) }
    }
}

/// The reason why a [`ListQuery`] is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueryError {
    /// The limit is not from 1 to [`MAX_USERS`].
    Limit,
    /// The page token is not valid.
    PageToken(PageTokenError),
}

impl QueryError {
    /// The argument at fault, by its name in the WIT contract.
    pub(crate) fn argument(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::PageToken(_) => "page-token",
        }
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit => write!(f, "it is not from 1 to {MAX_USERS}"),
            Self::PageToken(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for QueryError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Limit => None,
            Self::PageToken(error) => Some(error),
        }
    }
}

/// A list of users, and the page token to continue it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserList {
    /// The users, in the service's order. No id occurs twice.
    pub users: Vec<User>,
    /// The page token of the rest; `None` if and only if there are no more users.
    pub next_page_token: Option<String>,
}

/// The error of too many references.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FindError {
    /// The number of references.
    pub users: usize,
}

impl fmt::Display for FindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there are {} users, and at most {MAX_FIND_USERS} are accepted at once", self.users)
    }
}

impl core::error::Error for FindError {}
