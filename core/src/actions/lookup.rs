//! Finds users: by id with one call each, by e-mail address in the whole account, since the service cannot search.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::api::body::parse_user;
use crate::api::call::ApiCall;
use crate::client::{CallError, Client};
use crate::error::{Error, MAX_NAMESAKES, TooMany, UnavailableCause};
use crate::pages::Pages;
use crate::values::change::TargetState;
use crate::values::page_token::MAX_PAGE_SIZE;
use crate::values::user::{Email, Target, User, UserId, UserRef};

/// Finds the user that `target` refers to.
pub(crate) async fn find(client: &Client, target: Target) -> Result<User, CallError> {
    let (id, email) = match target {
        Target::Id(id) => (id, None),
        Target::Known(id, email) => (id, Some(email)),
        Target::Email(email) => {
            let mut searches = [Search::new(email)];
            search(client, &mut searches, &mut false).await?;
            let [search] = &searches;
            return Ok(search.result()?);
        }
    };
    let user = get(client, &id).await?;
    match email {
        Some(email) if !email.matches(&user.email) => {
            Err(Error::AddressMismatch { user_id: user.id, email: email.as_str().into() }.into())
        }
        _ => Ok(user),
    }
}

/// Finds several users: all addresses with one search, ids one by one. The results are in the order of the references.
///
/// # Errors
///
/// The outer error means that nothing could be asked, because there is no token.
pub(crate) async fn find_all(client: &Client, users: &[UserRef]) -> Result<Vec<Result<User, Error>>, Error> {
    let mut searches: Vec<Search> = Vec::new();
    for user in users {
        if let Ok(Target::Email(email)) = Target::parse(user)
            && !searches.iter().any(|search| search.email.matches(email.as_str()))
        {
            searches.push(Search::new(email));
        }
    }
    // True after the first answer; the failure of the search; a failure that every further request would have as well.
    let (mut has_answer, mut not_searched, mut failed) = (false, None, None);
    if !searches.is_empty()
        && let Err(failure) = search(client, &mut searches, &mut has_answer).await
    {
        if failure.is_token_failure && !has_answer {
            return Err(failure.error);
        }
        failed = Some(failure.error.clone()).filter(concerns_all);
        not_searched = Some(failure.error);
    }
    let (mut results, mut text_bytes) = (Vec::with_capacity(users.len()), 0);
    for user in users {
        let result = match (Target::parse(user), &not_searched, &failed) {
            (Err(error), _, _) => Err(error.into()),
            (Ok(Target::Email(_)), Some(error), _) | (Ok(_), _, Some(error)) => Err(error.clone()),
            (Ok(Target::Email(email)), None, None) => {
                let found = searches.iter().find(|search| search.email.matches(email.as_str()));
                found.map_or_else(|| Search::new(email).result(), Search::result)
            }
            (Ok(target), _, None) => match find(client, target).await {
                Err(failure) if failure.is_token_failure && !has_answer => return Err(failure.error),
                Err(failure) => {
                    if failure.is_token_failure || concerns_all(&failure.error) {
                        failed = Some(failure.error.clone());
                    }
                    Err(failure.error)
                }
                Ok(user) => {
                    has_answer = true;
                    Ok(user)
                }
            },
        };
        text_bytes += match &result {
            Ok(user) => user.text_bytes(),
            // The ids are in the message as well.
            Err(Error::AmbiguousUser { ids, .. }) => 2 * ids.iter().map(String::len).sum::<usize>(),
            Err(_) => 0,
        };
        results.push(if text_bytes > MAX_TEXT_BYTES {
            Err(Error::TooManyUsers(TooMany::Bytes(MAX_TEXT_BYTES)))
        } else {
            result
        });
    }
    Ok(results)
}

/// The most text that the results of one search hold, in bytes.
const MAX_TEXT_BYTES: usize = 16 * 1024 * 1024;

/// True if a failure would be that of every further request as well: nothing more is sent then.
fn concerns_all(error: &Error) -> bool {
    matches!(
        error,
        Error::Unauthenticated { .. }
            | Error::RateLimited { .. }
            | Error::Unavailable { cause: UnavailableCause::Deadline(_), .. }
    )
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
            let problem = format!("the state of the user is {} and not {target}", user.service_state);
            Err(answer.invalid(&problem).into())
        }
        _ => Ok(user),
    }
}

/// The search for an address, and the users found so far.
struct Search {
    email: Email,
    found: Option<User>,
    ids: Vec<String>,
}

impl Search {
    fn new(email: Email) -> Self {
        Self { email, found: None, ids: Vec::new() }
    }

    fn take(&mut self, user: &User) {
        // Pages shift when the account changes while it is read: one id that comes twice is one user.
        if self.ids.len() < MAX_NAMESAKES && self.email.matches(&user.email) && !self.ids.contains(&user.id) {
            self.ids.push(user.id.clone());
            self.found.get_or_insert_with(|| user.clone());
        }
    }

    fn result(&self) -> Result<User, Error> {
        let email = String::from(self.email.as_str());
        match &self.found {
            Some(user) if self.ids.len() == 1 => Ok(user.clone()),
            Some(_) => Err(Error::AmbiguousUser { email, ids: self.ids.clone() }),
            None => Err(Error::UserNotFound { user: UserRef::Email(email), service: None }),
        }
    }
}

/// Searches the whole account, since two users may have the same address.
///
/// `has_answer` becomes true with the first page.
async fn search(client: &Client, searches: &mut [Search], has_answer: &mut bool) -> Result<(), CallError> {
    let mut pages = Pages::new(client, None, MAX_PAGE_SIZE, None);
    let mut has_more = true;
    while has_more && searches.iter().any(|search| search.ids.len() < MAX_NAMESAKES) {
        has_more = pages.next(|user| searches.iter_mut().for_each(|search| search.take(&user))).await?;
        *has_answer = true;
    }
    Ok(())
}
