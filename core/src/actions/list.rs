//! Lists of users, which are whole or an error.

use alloc::format;
use alloc::vec::Vec;

use crate::actions::lookup::unreadable;
use crate::client::Client;
use crate::error::{Error, TooMany};
use crate::hash::Hash;
use crate::pages::{Pages, SeenIds};
use crate::text::Quoted;
use crate::values::page_token::PageToken;
use crate::values::query::{MAX_USERS, UserList};

/// The most text that one list holds, in bytes: about ten times as much as 250,000 users have.
const MAX_TEXT_BYTES: usize = 128 * 1024 * 1024;

/// Reads pages from `start` to the end of the list, or until there are `limit` users.
pub(crate) async fn list(client: &Client, start: PageToken, limit: Option<u32>) -> Result<UserList, Error> {
    let PageToken { service_token, page_size, offset, state, digest: expected } = start;
    let limit = limit.map_or(usize::MAX, |limit| limit as usize);
    let (mut users, mut text_bytes, mut seen) = (Vec::new(), 0, SeenIds::default());
    let mut pages = Pages::new(client, state, page_size, service_token);
    // The number of users at the beginning of the page that the list before this one returned.
    let mut skipped = offset;
    loop {
        // The users of the page that are done with, and the hash of their ids.
        let (mut position, mut done, mut hash) = (0, 0, Hash::EMPTY);
        let mut has_skipped_the_same = skipped == 0;
        let mut without_id = None;
        let has_more = pages
            .next(|user| {
                let is_full = users.len() >= limit;
                position += 1;
                if !user.has_id() && without_id.is_none() {
                    without_id = Some(format!(
                        "the user with the e-mail address {} has no id that can be read",
                        Quoted(&user.email)
                    ));
                }
                if position <= skipped || !is_full {
                    done = position;
                    // A list without a limit ends with a page. A byte that UTF-8 does not have ends each id.
                    if position <= skipped || limit < usize::MAX {
                        hash = hash.with(user.id.as_bytes()).with(&[0xff]);
                    }
                }
                if position == skipped {
                    has_skipped_the_same = hash.folded() == expected;
                }
                if position > skipped && !is_full && seen.insert(&user.id) {
                    text_bytes += user.text_bytes();
                    users.push(user);
                }
            })
            .await?;
        if let Some(problem) = without_id {
            return Err(unreadable(&problem));
        }
        if !has_skipped_the_same {
            return Err(Error::PageTokenRefused { service: None });
        }
        if text_bytes > MAX_TEXT_BYTES {
            return Err(Error::TooManyUsers(TooMany::Bytes(MAX_TEXT_BYTES)));
        }
        if users.len() > MAX_USERS as usize {
            return Err(Error::TooManyUsers(TooMany::Users(MAX_USERS)));
        }
        if users.len() < limit && has_more {
            skipped = 0;
            continue;
        }
        // The limit may end the list inside a page.
        let (token, next_token) = pages.into_tokens();
        let is_inside = done < position;
        let (service_token, offset, hash) = if is_inside { (token, done, hash) } else { (next_token, 0, Hash::EMPTY) };
        let rest = PageToken { service_token, page_size, offset, state, digest: hash.folded() };
        let has_rest = is_inside || has_more;
        return Ok(UserList { users, next_page_token: has_rest.then(|| rest.encode()) });
    }
}
