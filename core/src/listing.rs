//! Lists in parts, for callers that hold one part at a time.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::error::{Error, TooMany};
use crate::pages::{SeenIds, Trail, circle};
use crate::values::page_token::MAX_PAGE_SIZE;
use crate::values::query::ListQuery;

/// The most users that a [`Listing`] reads. It ends a list without an end.
pub const MAX_LISTING: u32 = 2_000_000;
/// The most parts of a [`Listing`]: twice as many as [`MAX_LISTING`] users need, since a part may repeat users.
const MAX_PARTS: u32 = 2 * MAX_LISTING / MAX_PART;
/// The most users of one part: one page.
const MAX_PART: u32 = MAX_PAGE_SIZE as u32;

/// A list that is read in parts. Each part is an action of its own, whose [`ListQuery`] follows from the part before. No user
/// comes twice, and a list without an end is an error.
///
/// ```
/// use onepassword_users_core::{ListQuery, Listing};
///
/// let mut listing = Listing::new(ListQuery { limit: Some(1500), ..ListQuery::default() });
/// assert_eq!(listing.query().and_then(|query| query.limit), Some(1000));
/// let part = listing.take(vec!["A", "B", "A"], None, |id| id)?;
/// assert_eq!((part, listing.query()), (vec!["A", "B"], None));
/// # Ok::<(), onepassword_users_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Listing {
    /// The query of the rest: the remaining limit, from the end of the last part.
    rest: ListQuery,
    seen: SeenIds,
    trail: Trail,
    parts: u32,
    has_ended: bool,
}

impl Listing {
    /// Starts a list, at its beginning or at the query's page token. The action of the first part checks the query.
    #[must_use]
    pub fn new(query: ListQuery) -> Self {
        let mut trail = Trail::default();
        if let Some(token) = &query.page_token {
            trail.follow(token);
        }
        Self { rest: query, seen: SeenIds::default(), trail, parts: 0, has_ended: false }
    }

    /// The query of the next part. `None` if the list is complete or has reached its limit.
    #[must_use]
    pub fn query(&self) -> Option<ListQuery> {
        let limit = Some(self.rest.limit.map_or(MAX_PART, |left| left.min(MAX_PART)));
        (!self.has_ended).then(|| ListQuery { limit, ..self.rest.clone() })
    }

    /// The error of the list if the action of a part ends in this one: from the second part on, a refused page token is not
    /// the caller's.
    #[must_use]
    pub fn error_of_part(&self, error: Error) -> Error {
        if self.parts > 0 { error.of_own_page_token() } else { error }
    }

    /// The page token of the rest. `Some` only if the limit ended the list before its end.
    #[must_use]
    pub fn next_page_token(&self) -> Option<&str> {
        self.rest.page_token.as_deref().filter(|_| self.has_ended)
    }

    /// Takes a part and returns its users without those that came before. `U` is the caller's form of a user, and `id` returns
    /// its id.
    ///
    /// # Errors
    ///
    /// [`Error::EndlessList`] if a page token comes for the second time, or if a part that is not the last has no new user;
    /// [`Error::TooManyUsers`] if there are more than [`MAX_LISTING`].
    pub fn take<U>(
        &mut self,
        mut users: Vec<U>,
        next_page_token: Option<String>,
        id: impl Fn(&U) -> &str,
    ) -> Result<Vec<U>, Error> {
        let read = u32::try_from(users.len()).unwrap_or(u32::MAX);
        users.retain(|user| self.seen.insert(id(user)));
        self.parts += 1;
        if self.seen.len() > MAX_LISTING as usize {
            return Err(Error::TooManyUsers(TooMany::Users(MAX_LISTING)));
        }
        if self.parts > MAX_PARTS {
            return Err(Error::EndlessList { problem: format!("there are more than {MAX_PARTS} parts") });
        }
        if next_page_token.as_deref().is_some_and(|token| !self.trail.follow(token)) {
            return Err(circle());
        }
        self.rest.limit = self.rest.limit.map(|left| left.saturating_sub(read));
        self.has_ended = next_page_token.is_none() || self.rest.limit == Some(0);
        if users.is_empty() && !self.has_ended {
            return Err(Error::EndlessList { problem: "a part of the list has no new user".into() });
        }
        self.rest.page_token = next_page_token;
        Ok(users)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_ends_where_it_must() {
        let query = |limit| ListQuery { limit, page_token: Some("start".into()), ..ListQuery::default() };
        let token = |token: &str| Some(token.into());
        let mut listing = Listing::new(query(Some(3)));
        assert_eq!(listing.take(Vec::from(["A", "B"]), token("next"), |id| id), Ok(Vec::from(["A", "B"])));
        let next = listing.query().map(|query| (query.limit, query.page_token));
        assert_eq!(next, Some((Some(1), token("next"))));
        assert_eq!(listing.next_page_token(), None, "it is not at its end");
        assert_eq!(listing.take(Vec::from(["A"]), token("more"), |id| id), Ok(Vec::new()));
        assert_eq!((listing.query(), listing.next_page_token()), (None, Some("more")));

        for circle in ["start", "next"] {
            let mut listing = Listing::new(query(None));
            assert!(listing.take(Vec::from(["A"]), token("next"), |id| id).is_ok());
            let error = listing.take(Vec::from(["B"]), token(circle), |id| id).err();
            assert!(matches!(error, Some(Error::EndlessList { .. })), "{circle}");
        }
        let mut listing = Listing::new(query(None));
        let ends = (0..).find(|n| listing.take(Vec::from(["A"]), Some(format!("{n}")), |id| id).is_err());
        assert_eq!(ends, Some(1), "new page tokens forever, and nobody new");
        let mut listing = Listing::new(query(None));
        let ends = (0..).find(|n| listing.take(Vec::from([format!("{n}")]), Some(format!("{n}")), |id| id).is_err());
        assert_eq!(ends, Some(MAX_PARTS), "new page tokens forever, and one new user each");
        let ids: Vec<String> = (0..=MAX_LISTING).map(|n| format!("{n}")).collect();
        let error = Listing::new(query(None)).take(ids, None, |id| id.as_str()).err();
        assert_eq!(error, Some(Error::TooManyUsers(TooMany::Users(MAX_LISTING))));
    }
}
