//! Following pages: the one place where page tokens are followed, circles are found and repeated users are dropped. Whole
//! lists, searches for an address and lists in parts are built on it.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;

use crate::api::body::Page;
use crate::api::call::ApiCall;
use crate::client::{CallError, Client};
use crate::error::Error;
use crate::hash::Hash;
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
pub(crate) struct Trail(BTreeSet<u64>);

impl Trail {
    /// Notes that a page token is followed. False if it was followed before.
    pub(crate) fn follow(&mut self, token: &str) -> bool {
        self.0.insert(Hash::EMPTY.with(token.as_bytes()).get())
    }
}

/// The ids of the users met so far. Pages shift when the account changes while it is read, so a user may come twice.
#[derive(Debug, Default)]
pub(crate) struct SeenIds(BTreeSet<IdKey>);

/// An id. Ids of the known length need no allocation of their own.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum IdKey {
    Short { len: u8, bytes: [u8; SHORT_ID_BYTES] },
    Long(Box<str>),
}

/// The longest id that is kept without an allocation, in bytes. Known ones have 26.
const SHORT_ID_BYTES: usize = 30;

impl SeenIds {
    /// Notes an id. False if it was met before.
    pub(crate) fn insert(&mut self, id: &str) -> bool {
        let mut bytes = [0; SHORT_ID_BYTES];
        let key = match (bytes.get_mut(..id.len()), u8::try_from(id.len())) {
            (Some(start), Ok(len)) => {
                start.copy_from_slice(id.as_bytes());
                IdKey::Short { len, bytes }
            }
            _ => IdKey::Long(id.into()),
        };
        self.0.insert(key)
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
        Self { client, state, page_size, page_token: None, next_page_token: page_token, trail, pages: 0 }
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
        let page = Page::parse(answer.body()).map_err(|problem| answer.invalid(&problem))?;
        self.pages += 1;
        if page.users.len() > page_size {
            let problem = format!("a page of {page_size} users was asked for, and {} came", page.users.len());
            return Err(answer.invalid(&problem).into());
        }
        if let Some(user) = page.users.iter().find(|user| contradicts(self.state, user.state)) {
            let problem = format!("the state filter was not obeyed: a user is {}", user.state.name());
            return Err(answer.invalid(&problem).into());
        }
        if let Some(token) = &page.next_page_token {
            if token.len() > MAX_SERVICE_TOKEN_BYTES {
                let problem = format!("a page token is longer than {MAX_SERVICE_TOKEN_BYTES} bytes");
                return Err(answer.invalid(&problem).into());
            }
            if !self.trail.follow(token) {
                return Err(circle().into());
            }
            let max_pages = MAX_PAGES.max(MAX_USERS as usize / page_size.max(1));
            if self.pages >= max_pages {
                return Err(Error::EndlessList { problem: format!("there are more than {max_pages} pages") }.into());
            }
        }
        self.next_page_token = page.next_page_token;
        page.users.into_iter().for_each(&mut take);
        Ok(self.next_page_token.is_some())
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
