//! Lists of users, which are whole or an error.

use alloc::vec::Vec;

use crate::client::Client;
use crate::error::{Error, TooMany};
use crate::pages::{Pages, SeenIds};
use crate::values::page_token::{Digest, PageToken};
use crate::values::query::{MAX_USERS, UserList};

/// The most text that one list holds, in bytes: about ten times as much as 250,000 users have.
const MAX_TEXT_BYTES: usize = 128 * 1024 * 1024;

/// Reads pages from `start` to the end of the list, or until there are `limit` users.
pub(crate) async fn list(client: &Client, start: PageToken, limit: Option<u32>) -> Result<UserList, Error> {
    let PageToken { service_token, page_size, offset, state, digest: expected } = start;
    let limit = limit.map_or(usize::MAX, |limit| limit as usize);
    let (mut users, mut text_bytes, mut seen) = (Vec::new(), 0, SeenIds::default());
    let mut pages = Pages::new(client, state, page_size, service_token);
    // The users at the beginning of the page that are not part of this list, and those that are done with.
    let mut skipped = offset;
    loop {
        let (mut position, mut done) = (0, 0);
        // Of the users that were skipped, and of all that are done with.
        let (mut of_skipped, mut of_done) = (Digest::default(), Digest::default());
        let has_more = pages
            .next(|user| {
                position += 1;
                if position <= skipped {
                    of_skipped.add(&user.id);
                }
                if position <= skipped || users.len() < limit {
                    done = position;
                    of_done.add(&user.id);
                }
                if position > skipped && users.len() < limit && seen.insert(&user.id) {
                    text_bytes += user.text_bytes();
                    users.push(user);
                }
            })
            .await?;
        if skipped > 0 && (position < skipped || of_skipped != expected) {
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
        let (service_token, offset, digest) =
            if done < position { (token, done, of_done) } else { (next_token, 0, Digest::default()) };
        let rest = PageToken { service_token, page_size, offset, state, digest };
        let has_rest = done < position || has_more;
        return Ok(UserList { users, next_page_token: has_rest.then(|| rest.encode()) });
    }
}
