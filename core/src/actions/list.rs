//! Lists of users, which are whole or an error.

use alloc::format;
use alloc::vec::Vec;

use crate::client::Client;
use crate::error::Error;
use crate::pages::{MAX_PAGE_SIZE, Pages, SeenIds};
use crate::values::query::{ListQuery, MAX_USERS, UserList};

/// The most text that one list holds, in bytes: about ten times as much as 250,000 users have.
const MAX_TEXT_BYTES: usize = 128 * 1024 * 1024;

/// Reads pages to the end of the list, or to its limit.
pub(crate) async fn list(client: &Client, query: ListQuery) -> Result<UserList, Error> {
    let (mut users, mut text_bytes) = (Vec::new(), 0);
    let (mut read, mut seen) = (0, SeenIds::default());
    let mut pages = Pages::new(client, query.state, query.page_token);
    let mut has_more = true;
    while has_more {
        let room = query.limit.map_or(MAX_PAGE_SIZE, |limit| (limit as usize).saturating_sub(read).min(MAX_PAGE_SIZE));
        if room == 0 {
            break;
        }
        has_more = pages
            .next(room, |user| {
                read += 1;
                text_bytes += user.text_bytes();
                if seen.insert(&user.id) {
                    users.push(user);
                }
            })
            .await?;
        if text_bytes > MAX_TEXT_BYTES {
            let problem = format!(
                "the users have more than {MAX_TEXT_BYTES} bytes of text; list them in parts, with limit and page-token"
            );
            return Err(Error::Other { problem, service: None });
        }
        if read > MAX_USERS as usize {
            let problem =
                format!("the account has more than {MAX_USERS} users; list it in parts, with limit and page-token");
            return Err(Error::Other { problem, service: None });
        }
    }
    Ok(UserList { users, next_page_token: pages.into_next_page_token() })
}
