//! Following pages: the one place where page tokens are followed, circles are found and repeated users are dropped. Whole
//! lists, searches for an address and lists in parts are built on it.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;

use crate::api::body::Page;
use crate::api::call::ApiCall;
use crate::client::{CallError, Client};
use crate::values::query::{MAX_PAGE_TOKEN_BYTES, StateFilter};
use crate::values::user::{User, UserState};

/// The largest page that the service returns.
pub(crate) const MAX_PAGE_SIZE: usize = 1000;
/// The most pages that one action reads: 250,000 users in pages of 10. It ends a list without an end.
const MAX_PAGES: usize = 25_000;

/// The message about a page token that was followed before.
pub(crate) const CIRCLE: &str = "a page token came for the second time, so that the list would never end";

/// The page tokens that were followed. Coming back to one of them would go on forever.
#[derive(Debug, Default)]
pub(crate) struct Trail(BTreeSet<u64>);

impl Trail {
    /// Notes that a page token is followed. False if it was followed before.
    pub(crate) fn follow(&mut self, token: &str) -> bool {
        self.0.insert(hash(token))
    }
}

/// FNV-1a, 64 bits: enough to recognise a page token without keeping it.
fn hash(token: &str) -> u64 {
    token.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
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

/// The pages of a list, one after another, within one action.
pub(crate) struct Pages<'a> {
    client: &'a Client,
    state: Option<StateFilter>,
    next_page_token: Option<String>,
    trail: Trail,
    pages: usize,
    has_ended: bool,
}

impl<'a> Pages<'a> {
    pub(crate) fn new(client: &'a Client, state: Option<StateFilter>, page_token: Option<String>) -> Self {
        Self { client, state, next_page_token: page_token, trail: Trail::default(), pages: 0, has_ended: false }
    }

    /// The page token of the rest; `None` if there is no more.
    pub(crate) fn into_next_page_token(self) -> Option<String> {
        self.next_page_token
    }

    /// Reads the next page, of at most `page_size` users, and hands them over. False if it was the last page.
    pub(crate) async fn next(&mut self, page_size: usize, mut take: impl FnMut(User)) -> Result<bool, CallError> {
        if self.has_ended {
            return Ok(false);
        }
        let page_size = page_size.min(MAX_PAGE_SIZE);
        let page_token = self.next_page_token.take();
        // The caller's own token is the first one followed. Later ones were noted when they came.
        if let (0, Some(token)) = (self.pages, &page_token) {
            self.trail.follow(token);
        }
        let call = ApiCall::List { state: self.state, page_size, page_token: page_token.as_deref() };
        let answer = self.client.call(&call).await?;
        let page = Page::parse(answer.body()).map_err(|problem| answer.invalid(&problem))?;
        self.pages += 1;
        if page.users.len() > page_size {
            let problem = format!("a page of {page_size} users was asked for, and {} came", page.users.len());
            return Err(answer.invalid(&problem).into());
        }
        if let Some(user) = page.users.iter().find(|user| contradicts(self.state, &user.state)) {
            let problem = format!("the state filter was not obeyed: a user is {:?}", user.state);
            return Err(answer.invalid(&problem).into());
        }
        if let Some(token) = &page.next_page_token {
            if token.len() > MAX_PAGE_TOKEN_BYTES {
                let problem = format!("a page token is longer than {MAX_PAGE_TOKEN_BYTES} bytes");
                return Err(answer.invalid(&problem).into());
            }
            if !self.trail.follow(token) {
                return Err(answer.invalid(&CIRCLE).into());
            }
            if self.pages >= MAX_PAGES {
                return Err(answer.invalid(&format!("there are more than {MAX_PAGES} pages")).into());
            }
        }
        self.has_ended = page.next_page_token.is_none();
        self.next_page_token = page.next_page_token;
        page.users.into_iter().for_each(&mut take);
        Ok(!self.has_ended)
    }
}

/// True if a user in this state cannot be part of the list that was asked for.
fn contradicts(filter: Option<StateFilter>, state: &UserState) -> bool {
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
