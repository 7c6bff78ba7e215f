//! Following pages: the one place where page tokens are followed, circles are found and the end of a list is checked. Whole
//! lists, searches for an address and lists in parts are built on it.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::api::call::ApiCall;
use crate::api::page::Extent;
use crate::client::{Body, CallError, Client};
use crate::error::Error;
use crate::hash::Hash;
use crate::text::Quoted;
use crate::values::page_token::MAX_SERVICE_TOKEN_BYTES;
use crate::values::query::MAX_USERS;
use crate::values::user::{StateFilter, User, UserState};

/// The most pages that one action reads: 250,000 users in pages of 10, or in smaller ones if they were asked for. It ends a list
/// without an end.
const MAX_PAGES: usize = 25_000;

/// The error of a page token that was followed before.
pub(crate) fn circle() -> Error {
    Error::EndlessList { problem: "a page token came for the second time".into() }
}

/// The page tokens that were followed, as hashes. Coming back to one of them would go on forever.
#[derive(Debug, Default)]
pub(crate) struct Trail(BTreeSet<IdKey>);

impl Trail {
    /// Notes that a page token is followed. False if it was followed before.
    pub(crate) fn follow(&mut self, token: &str) -> bool {
        self.0.insert(IdKey::Short([Hash::EMPTY.with(token.as_bytes()).get(), 0, 0, 0]))
    }
}

/// The ids of the users met so far. Pages shift when the account changes while it is read, so a user may come twice.
#[derive(Debug, Default)]
pub(crate) struct SeenIds(BTreeSet<IdKey>);

/// An id. Ids of the known length need no allocation of their own.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum IdKey {
    /// The id in words, which compare faster than bytes. The last byte is its length.
    Short([u64; SHORT_ID_BYTES.div_ceil(8)]),
    Long(Box<str>),
}

/// The longest id that is kept without an allocation, in bytes. Known ones have 26.
const SHORT_ID_BYTES: usize = 31;

impl SeenIds {
    /// Notes an id. False if it was met before.
    pub(crate) fn insert(&mut self, id: &str) -> bool {
        if id.len() > SHORT_ID_BYTES {
            return self.0.insert(IdKey::Long(id.into()));
        }
        let mut bytes = [0; SHORT_ID_BYTES + 1];
        bytes.iter_mut().zip(id.bytes()).for_each(|(to, from)| *to = from);
        if let ([.., last], Ok(len)) = (&mut bytes, u8::try_from(id.len())) {
            *last = len;
        }
        let mut words = [0; SHORT_ID_BYTES.div_ceil(8)];
        words.iter_mut().zip(bytes.as_chunks().0).for_each(|(to, from)| *to = u64::from_le_bytes(*from));
        self.0.insert(IdKey::Short(words))
    }

    /// The number of different ids.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// The pages of a list, one after another, within one action. All have the same page size.
pub(crate) struct Pages<'a> {
    client: &'a Client,
    state: Option<StateFilter>,
    page_size: u16,
    /// The token of the latest page.
    page_token: Option<String>,
    /// The token of the next page.
    next_page_token: Option<String>,
    trail: Trail,
    pages: usize,
    /// The number of users on these pages.
    users: usize,
    starts_at_first: bool,
}

impl<'a> Pages<'a> {
    /// Starts at the page of this token, or at the first page.
    pub(crate) fn new(
        client: &'a Client,
        state: Option<StateFilter>,
        page_size: u16,
        page_token: Option<String>,
    ) -> Self {
        let mut trail = Trail::default();
        if let Some(token) = &page_token {
            trail.follow(token);
        }
        let starts_at_first = page_token.is_none();
        let (next_page_token, page_token) = (page_token, None);
        Self { client, state, page_size, page_token, next_page_token, trail, pages: 0, users: 0, starts_at_first }
    }

    /// The page tokens of the latest page and of the one after it.
    pub(crate) fn into_tokens(self) -> (Option<String>, Option<String>) {
        (self.page_token, self.next_page_token)
    }

    /// Reads the next page and hands its users over. False if it is the last page; must not be called again then.
    pub(crate) async fn next(&mut self, mut take: impl FnMut(User)) -> Result<bool, CallError> {
        self.page_token = self.next_page_token.take();
        let page_size = usize::from(self.page_size);
        let call = ApiCall::List { state: self.state, page_size, page_token: self.page_token.as_deref() };
        let answer = match self.client.call(&call).await {
            Err(failure) if self.pages > 0 => {
                return Err(CallError { error: failure.error.of_own_page_token(), ..failure });
            }
            answer => answer?,
        };
        let client = self.client;
        let invalid = |problem: &str| Err(client.invalid(&answer, problem).into());
        let Ok(Body::Page(page)) = &answer.body else { return invalid("it is no list") };
        self.pages += 1;
        self.users += page.users.len();
        if page.users.len() > page_size {
            return invalid(&format!("a page of {page_size} users was asked for, and {} came", page.users.len()));
        }
        if let Some(user) = page.users.iter().find(|user| contradicts(self.state, user.state)) {
            return invalid(&format!("the state filter was not obeyed: a user is {}", user.state.name()));
        }
        match &page.next_page_token {
            Some(token) => {
                if token.len() > MAX_SERVICE_TOKEN_BYTES {
                    return invalid(&format!("a page token is longer than {MAX_SERVICE_TOKEN_BYTES} bytes"));
                }
                if !self.trail.follow(token) {
                    return Err(circle().into());
                }
                let max_pages = MAX_PAGES.max(MAX_USERS as usize / page_size.max(1));
                if self.pages >= max_pages {
                    return Err(Error::EndlessList { problem: format!("there are more than {max_pages} pages") }.into());
                }
            }
            None => {
                let extent = Extent {
                    page_token: self.page_token.as_deref(),
                    read: self.starts_at_first.then_some((self.users as u64, self.pages as u64)),
                };
                if let Some(key) = page.claim_of_more(&extent) {
                    return invalid(&format!(
                        "the list ends without next_page_token, but {} says that there is more",
                        Quoted(key)
                    ));
                }
                // Every account has an owner.
                match (self.starts_at_first && self.users == 0, self.state) {
                    (false, _) => {}
                    (true, None) => return invalid(NOBODY),
                    (true, Some(_)) => drop(look(client).await?),
                }
            }
        }
        let Ok(Body::Page(page)) = answer.body else { return Ok(false) };
        self.next_page_token = page.next_page_token;
        page.users.into_iter().for_each(&mut take);
        Ok(self.next_page_token.is_some())
    }
}

/// The problem of an account without anybody.
const NOBODY: &str = "the account has no users, not even an owner";

/// Looks whether the service lists a user of this account at all.
///
/// # Errors
///
/// There is none on the first page and no next page, or the page could not be read.
pub(crate) async fn look(client: &Client) -> Result<Vec<User>, CallError> {
    let answer = client.call(&ApiCall::List { state: None, page_size: 1, page_token: None }).await?;
    match &answer.body {
        Ok(Body::Page(page)) if page.users.iter().any(User::has_id) || page.next_page_token.is_some() => {
            Ok(page.users.clone())
        }
        _ => Err(client.invalid(&answer, NOBODY).into()),
    }
}

/// True if a user in this state cannot be part of the list that was asked for.
fn contradicts(filter: Option<StateFilter>, state: UserState) -> bool {
    matches!(
        (filter, state),
        (Some(StateFilter::Active), UserState::Suspended) | (Some(StateFilter::Suspended), UserState::Active)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once() {
        let long = "x".repeat(SHORT_ID_BYTES + 1);
        let mut seen = SeenIds::default();
        for id in ["A", "B", "A\0", "", &long, &long[1..], &long[..5]] {
            assert!(seen.insert(id), "{id:?}");
            assert!(!seen.insert(id), "{id:?}");
        }
        assert_eq!(seen.len(), 7);
    }
}
