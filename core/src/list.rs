//! Listing: page by page, never a silently cut list.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::client::Client;
use crate::error::Error;
use crate::service::{Call, Page};
use crate::user::{User, UserState};

/// The most users that one list returns: what fits comfortably into memory.
pub const MAX_USERS: u32 = 250_000;
/// The most text that one list holds, in bytes: some ten times what 250,000 users have.
const MAX_TEXT: usize = 128 * 1024 * 1024;
/// The largest page that the service gives; asked for wherever possible.
const PAGE_SIZE: usize = 1000;
/// The most pages that one action reads, lest a service page for ever: 250,000 users in pages of 10.
const MAX_PAGES: usize = 25_000;
/// The most users that are read in parts with a [`Listing`], lest a service list for ever.
pub const MAX_LISTING: u32 = 2_000_000;
/// The most parts of a [`Listing`]: twice as many as 2,000,000 users need, for parts in which some were met before.
const MAX_PARTS: u32 = 2 * MAX_LISTING / PAGE_SIZE as u32;
/// The longest page token that is accepted, in bytes: what fits into a URL everywhere.
const MAX_PAGE_TOKEN: usize = 4096;

/// Which users to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateFilter {
    /// Only those who can sign in.
    Active,
    /// Only those who were suspended.
    Suspended,
}

/// What to list, and how much of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Only users in this state.
    pub state: Option<StateFilter>,
    /// At most this many users, 1 to [`MAX_USERS`]; `None` for all.
    pub limit: Option<u32>,
    /// Where an earlier list ended.
    pub page_token: Option<String>,
}

impl ListQuery {
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.limit.is_some_and(|limit| limit == 0 || limit > MAX_USERS) {
            return Err(Error::InvalidArgument {
                argument: "limit",
                problem: format!("it is not from 1 to {MAX_USERS}"),
            });
        }
        let problem = match self.page_token.as_deref() {
            Some("") => "it is empty; leave it out to begin at the first page".into(),
            Some(token) if token.len() > MAX_PAGE_TOKEN => format!("it is longer than {MAX_PAGE_TOKEN} bytes"),
            _ => return Ok(()),
        };
        Err(Error::InvalidArgument { argument: "page-token", problem })
    }
}

/// Users, and where to go on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserList {
    /// The users, in the service's order. No id occurs twice.
    pub users: Vec<User>,
    /// `None` exactly if there are no more.
    pub next_page_token: Option<String>,
}

/// Reads pages until there are no more, or as many users as wanted.
pub(crate) async fn list(client: &Client, query: ListQuery) -> Result<UserList, Error> {
    let (mut users, mut text) = (Vec::new(), 0);
    let mut pages = Pages::new(client, query.state, query.page_token);
    let mut more = true;
    while more {
        let room = query.limit.map_or(PAGE_SIZE, |limit| (limit as usize).saturating_sub(users.len()).min(PAGE_SIZE));
        if room == 0 {
            break;
        }
        more = pages
            .next(room, |user| {
                text += user.text_length();
                users.push(user);
            })
            .await?;
        if text > MAX_TEXT {
            let problem = format!(
                "the users have more than {MAX_TEXT} bytes of text; list them in parts, with limit and page-token"
            );
            return Err(Error::Other { problem, reply: None });
        }
        if users.len() > MAX_USERS as usize {
            let problem =
                format!("the account has more than {MAX_USERS} users; list it in parts, with limit and page-token");
            return Err(Error::Other { problem, reply: None });
        }
    }
    Ok(UserList { users: unique(users), next_page_token: pages.next_page_token })
}

/// Reads a list in parts, for a caller that holds one part at a time: each is an action of its own, with a [`ListQuery`] that
/// follows from the part before. No user is met twice, and a list that leads in a circle or goes on for ever is an error.
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
    /// What is to be read next: what is left of the limit, from where the last part ended.
    rest: ListQuery,
    /// The ids that were met: pages shift when the account changes while it is read.
    met: BTreeSet<String>,
    /// Hashes of the page tokens that were followed.
    followed: BTreeSet<u64>,
    parts: u32,
    ended: bool,
}

impl Listing {
    /// A list that is to be read from its beginning, or from the query's page token. The action of the first part checks it.
    #[must_use]
    pub fn new(query: ListQuery) -> Self {
        let followed = query.page_token.iter().map(|token| hash(token)).collect();
        Self { rest: query, met: BTreeSet::new(), followed, parts: 0, ended: false }
    }

    /// What to ask for next; `None` when the list is complete, or as long as wanted.
    #[must_use]
    pub fn query(&self) -> Option<ListQuery> {
        let most = PAGE_SIZE as u32;
        let limit = Some(self.rest.limit.map_or(most, |left| left.min(most)));
        (!self.ended).then(|| ListQuery { limit, ..self.rest.clone() })
    }

    /// Where to go on after the last part: `Some` only if a limit ended the list before its end.
    #[must_use]
    pub fn next_page_token(&self) -> Option<&str> {
        self.rest.page_token.as_deref().filter(|_| self.ended)
    }

    /// Takes a part in, whatever the caller's form of a user is, and gives back those users who were not met before.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidResponse`] if a page token comes for the second time, or nobody new in a part that is not the last, and [`Error::Other`] if there are more than
    /// [`MAX_LISTING`] users.
    pub fn take<U>(
        &mut self,
        mut users: Vec<U>,
        next_page_token: Option<String>,
        id: impl Fn(&U) -> &str,
    ) -> Result<Vec<U>, Error> {
        let read = u32::try_from(users.len()).unwrap_or(u32::MAX);
        users.retain(|user| self.met.insert(id(user).into()));
        self.parts += 1;
        if self.met.len() > MAX_LISTING as usize || self.parts > MAX_PARTS {
            let problem = format!(
                "the account has more than {MAX_LISTING} users, or their list has no end; list it in parts, with limit and \
                 page-token"
            );
            return Err(Error::Other { problem, reply: None });
        }
        if next_page_token.as_deref().is_some_and(|token| !self.followed.insert(hash(token))) {
            return Err(Error::InvalidResponse { problem: CIRCLE.into(), status: 200, may_have_changed: false });
        }
        self.rest.limit = self.rest.limit.map(|left| left.saturating_sub(read));
        self.ended = next_page_token.is_none() || self.rest.limit == Some(0);
        if users.is_empty() && !self.ended {
            let problem = "a part of the list brought nobody new, so that it would never end".into();
            return Err(Error::InvalidResponse { problem, status: 200, may_have_changed: false });
        }
        self.rest.page_token = next_page_token;
        Ok(users)
    }
}

/// What is wrong with a page token that was followed before.
const CIRCLE: &str = "a page token came for the second time, so that the list would never end";

/// Leaves out users who were met before: pages shift when the account changes while it is read.
fn unique(mut users: Vec<User>) -> Vec<User> {
    let mut order: Vec<usize> = (0..users.len()).collect();
    let id = |place: &usize| users.get(*place).map(|user| user.id.as_str());
    order.sort_by(|a, b| id(a).cmp(&id(b)));
    let mut met_before: Vec<usize> = order
        .windows(2)
        .filter_map(|pair| pair.first().zip(pair.last()))
        .filter(|(a, b)| id(a) == id(b))
        .map(|(_, b)| *b)
        .collect();
    if !met_before.is_empty() {
        met_before.sort_unstable();
        let mut place = 0;
        users.retain(|_| {
            place += 1;
            met_before.binary_search(&(place - 1)).is_err()
        });
    }
    users
}

/// The pages of a list, one after another.
pub(crate) struct Pages<'a> {
    client: &'a Client,
    state: Option<StateFilter>,
    next_page_token: Option<String>,
    /// Hashes of the page tokens that were followed: coming back to one would go on for ever.
    followed: BTreeSet<u64>,
    read: usize,
    ended: bool,
}

impl<'a> Pages<'a> {
    pub(crate) fn new(client: &'a Client, state: Option<StateFilter>, page_token: Option<String>) -> Self {
        Self { client, state, next_page_token: page_token, followed: BTreeSet::new(), read: 0, ended: false }
    }

    /// Hands the users of the next page over, at most `page_size` (1,000 at most); false when there are no more pages.
    pub(crate) async fn next(&mut self, page_size: usize, mut take: impl FnMut(User)) -> Result<bool, Error> {
        if self.ended {
            return Ok(false);
        }
        let page_size = page_size.min(PAGE_SIZE);
        let page_token = self.next_page_token.take();
        if let Some(token) = &page_token {
            self.followed.insert(hash(token));
        }
        let call = Call::List { state: self.state, page_size, page_token: page_token.as_deref() };
        let answer = self.client.call(&call).await?;
        let page = Page::read(answer.body()).map_err(|problem| answer.invalid(problem))?;
        self.read += 1;
        if page.users.len() > page_size {
            return Err(
                answer.invalid(format!("a page of {page_size} users was asked for, and {} came", page.users.len()))
            );
        }
        if let Some(user) = page.users.iter().find(|user| contradicts(self.state, &user.state)) {
            return Err(answer.invalid(format!("the state filter was not obeyed: a user is {:?}", user.state)));
        }
        if let Some(token) = &page.next_page_token {
            if token.len() > MAX_PAGE_TOKEN {
                return Err(answer.invalid(format!("a page token is longer than {MAX_PAGE_TOKEN} bytes")));
            }
            if self.followed.contains(&hash(token)) {
                return Err(answer.invalid(CIRCLE.into()));
            }
            if self.read >= MAX_PAGES {
                return Err(answer.invalid(format!("there are more than {MAX_PAGES} pages")));
            }
        }
        self.ended = page.next_page_token.is_none();
        self.next_page_token = page.next_page_token;
        page.users.into_iter().for_each(&mut take);
        Ok(!self.ended)
    }
}

/// Whether a user in this state cannot belong to the list that was asked for.
fn contradicts(wanted: Option<StateFilter>, state: &UserState) -> bool {
    matches!(
        (wanted, state),
        (Some(StateFilter::Active), UserState::Suspended) | (Some(StateFilter::Suspended), UserState::Active)
    )
}

/// FNV-1a, 64 bits: to know a page token again without keeping it.
fn hash(token: &str) -> u64 {
    token.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
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
            assert!(matches!(error, Some(Error::InvalidResponse { .. })), "{circle}");
        }
        let mut listing = Listing::new(query(None));
        let ends = (0..).find(|n| listing.take(Vec::from(["A"]), Some(format!("{n}")), |id| id).is_err());
        assert_eq!(ends, Some(1), "new page tokens for ever, and nobody new");
        let mut listing = Listing::new(query(None));
        let ends = (0..).find(|n| listing.take(Vec::from([format!("{n}")]), Some(format!("{n}")), |id| id).is_err());
        assert_eq!(ends, Some(MAX_PARTS), "new page tokens for ever, and one new user each");
        let ids: Vec<String> = (0..=MAX_LISTING).map(|n| format!("{n}")).collect();
        let error = Listing::new(query(None)).take(ids, None, |id| id.as_str()).err();
        assert!(matches!(error, Some(Error::Other { .. })));
    }

    #[test]
    fn unique_keeps_the_first_of_each_id_in_place() {
        let user = |id: &str, email: &str| User {
            id: id.into(),
            email: email.into(),
            display_name: String::new(),
            state: UserState::Active,
            create_time: String::new(),
            path: String::new(),
        };
        let users =
            Vec::from([user("B", "1"), user("A", "2"), user("B", "3"), user("C", "4"), user("A", "5"), user("B", "6")]);
        let emails: Vec<_> = unique(users).into_iter().map(|user| user.email).collect();
        assert_eq!(emails, ["1", "2", "4"]);
    }
}
