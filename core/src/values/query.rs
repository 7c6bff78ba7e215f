//! The query of a list and its result.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::hash::Hash;
use crate::values::page_token::{MAX_PAGE_SIZE, PageToken, PageTokenError};
use crate::values::user::{StateFilter, User};

/// The most users that one list returns: an amount that fits comfortably into memory.
pub const MAX_USERS: u32 = 250_000;
/// The most references that one call of [`Session::find_users`](crate::Session::find_users) takes.
pub const MAX_FIND_USERS: usize = 1000;
/// The smallest page size that is chosen for a limit above [`MAX_PAGE_SIZE`].
const MIN_PAGE_SIZE: u16 = 100;

/// The page size for a limit. A list and its continuations keep it. If possible the limit ends at the end of a page: then the
/// service's own page token continues the list, also if the account has changed by then.
fn page_size(limit: Option<u32>) -> u16 {
    match limit.map(u16::try_from) {
        None => MAX_PAGE_SIZE,
        Some(Ok(limit)) if limit <= MAX_PAGE_SIZE => limit,
        Some(_) => {
            let divides = |size: &u16| limit.is_some_and(|limit| limit % u32::from(*size) == 0);
            (MIN_PAGE_SIZE..=MAX_PAGE_SIZE).rev().find(divides).unwrap_or(MAX_PAGE_SIZE)
        }
    }
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
    /// Checks limit and page token, and returns the place to start at.
    pub(crate) fn start(&self) -> Result<PageToken, QueryError> {
        if self.limit.is_some_and(|limit| limit == 0 || limit > MAX_USERS) {
            return Err(QueryError::Limit);
        }
        let Some(token) = &self.page_token else {
            let digest = Hash::EMPTY.folded();
            return Ok(PageToken {
                service_token: None,
                page_size: page_size(self.limit),
                offset: 0,
                state: self.state,
                digest,
            });
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
            Self::PageToken(_) => "page_token",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_ends_at_the_end_of_a_page_if_possible() {
        for (limit, size) in
            [(1, 1), (7, 7), (1000, 1000), (1500, 750), (2000, 1000), (250_000, 1000), (1001, 143), (1999, 1000)]
        {
            assert_eq!(page_size(Some(limit)), size, "{limit}");
        }
        assert_eq!(page_size(None), 1000);
    }
}
