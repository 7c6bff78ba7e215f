//! Finding one user: by id at once, by e-mail address among all users, since the service cannot search.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::client::Client;
use crate::error::Error;
use crate::list::Pages;
use crate::service::{self, Call};
use crate::user::{Email, Target, User, UserId, UserRef, UserState};

/// Checks how the caller names a user.
pub(crate) fn target(user: &UserRef) -> Result<Target, Error> {
    Target::parse(user).map_err(|problem| Error::InvalidArgument { argument: "user", problem })
}

/// The user whom a caller named; `user` is how, for the error.
pub(crate) async fn find(client: &Client, target: &Target, user: &UserRef) -> Result<User, Error> {
    match target {
        Target::Id(id) => call(client, &Call::Get(id), id, None).await,
        Target::Email(email) => scan(client, email, user).await,
    }
}

/// Makes a call about one user, and verifies that the answer is about the same, in the `wanted` state if there is one.
pub(crate) async fn call(
    client: &Client,
    call: &Call<'_>,
    id: &UserId,
    wanted: Option<&UserState>,
) -> Result<User, Error> {
    let answer = client.call(call).await?;
    let user = service::read_user(answer.body()).map_err(|problem| answer.invalid(problem))?;
    if user.id != id.as_str() {
        return Err(answer.invalid(format!("it is about another user than {:?}", id.as_str())));
    }
    match wanted {
        Some(wanted) if user.state != *wanted => {
            Err(answer.invalid(format!("the user is {:?} and not {wanted:?}", user.state)))
        }
        _ => Ok(user),
    }
}

/// The most users with one address that are looked for: to know of more would help nobody.
pub(crate) const MAX_NAMESAKES: usize = 100;

/// Looks through the whole account, for two users may bear one address.
async fn scan(client: &Client, email: &Email, user: &UserRef) -> Result<User, Error> {
    let (mut found, mut ids) = (None, Vec::<String>::new());
    let mut pages = Pages::new(client, None, None);
    let mut more = true;
    while more && ids.len() < MAX_NAMESAKES {
        more = pages
            .next(usize::MAX, |user| {
                // Pages shift when the account changes while it is read: one id met twice is one user.
                if ids.len() < MAX_NAMESAKES && email.matches(&user.email) && !ids.contains(&user.id) {
                    ids.push(user.id.clone());
                    found.get_or_insert(user);
                }
            })
            .await?;
    }
    match found {
        Some(user) if ids.len() == 1 => Ok(user),
        Some(_) => Err(Error::AmbiguousUser { email: email.as_str().into(), ids }),
        None => Err(Error::UserNotFound { user: user.clone(), reply: None }),
    }
}
