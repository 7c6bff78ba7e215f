//! Finds one user: by id with one call, by e-mail address in the whole account, since the service cannot search.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::api::body::parse_user;
use crate::api::call::ApiCall;
use crate::client::{CallError, Client};
use crate::error::{Error, MAX_NAMESAKES};
use crate::pages::Pages;
use crate::values::change::TargetState;
use crate::values::page_token::MAX_PAGE_SIZE;
use crate::values::user::{Email, Target, User, UserId, UserRef};

/// Finds the user that `target` refers to. `user` is the reference as the caller gave it, for the error.
pub(crate) async fn find(client: &Client, target: &Target, user: &UserRef) -> Result<User, Error> {
    match target {
        Target::Id(id) => Ok(get(client, id).await?),
        Target::Email(email) => search(client, email, user).await,
    }
}

/// Gets the user with this id.
pub(crate) async fn get(client: &Client, id: &UserId) -> Result<User, CallError> {
    call(client, &ApiCall::Get(id), id, None).await
}

/// Makes a call about one user and verifies that the answer is about the same user, in the target state if there is one.
pub(crate) async fn call(
    client: &Client,
    call: &ApiCall<'_>,
    id: &UserId,
    target: Option<TargetState>,
) -> Result<User, CallError> {
    let answer = client.call(call).await?;
    let user = parse_user(answer.body()).map_err(|problem| answer.invalid(&problem))?;
    if user.id != id.as_str() {
        return Err(answer.invalid(&format!("it is about another user than {:?}", id.as_str())).into());
    }
    match target {
        Some(target) if !target.is_state_of(&user) => {
            Err(answer.invalid(&format!("the user is {:?} and not {target}", user.state)).into())
        }
        _ => Ok(user),
    }
}

/// Searches the whole account, since two users may have the same address.
async fn search(client: &Client, email: &Email, user: &UserRef) -> Result<User, Error> {
    let (mut found, mut ids) = (None, Vec::<String>::new());
    let mut pages = Pages::new(client, None, MAX_PAGE_SIZE, None);
    let mut has_more = true;
    while has_more && ids.len() < MAX_NAMESAKES {
        has_more = pages
            .next(|user| {
                // Pages shift when the account changes while it is read: one id that comes twice is one user.
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
        None => Err(Error::UserNotFound { user: user.clone(), service: None }),
    }
}
