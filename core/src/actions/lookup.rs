//! Finds users: by id with one call each, by e-mail address in the whole account, since the service cannot search.

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

/// Finds the user that `target` refers to.
pub(crate) async fn find(client: &Client, target: &Target) -> Result<User, CallError> {
    match target {
        Target::Id(id) => get(client, id).await,
        Target::Email(email) => {
            let mut searches = [Search::new(email)];
            search(client, &mut searches).await?;
            let [search] = searches;
            Ok(search.result()?)
        }
        Target::Known(id, email) => {
            let user = get(client, id).await?;
            if !email.matches(&user.email) {
                return Err(Error::AddressMismatch { user_id: user.id, email: email.as_str().into() }.into());
            }
            Ok(user)
        }
    }
}

/// Finds several users: all addresses with one search, ids one by one. The results are in the order of the references.
///
/// # Errors
///
/// The outer error means that nothing could be asked, because there is no token.
pub(crate) async fn find_all(client: &Client, users: &[UserRef]) -> Result<Vec<Result<User, Error>>, Error> {
    let targets: Vec<Result<Target, Error>> = users.iter().map(|user| Ok(Target::parse(user)?)).collect();
    let mut searches: Vec<Search<'_>> = Vec::new();
    for target in &targets {
        if let Ok(Target::Email(email)) = target
            && !searches.iter().any(|search| search.email.matches(email.as_str()))
        {
            searches.push(Search::new(email));
        }
    }
    let mut has_answer = false;
    let mut search_error = None;
    if !searches.is_empty() {
        match search(client, &mut searches).await {
            Ok(()) => has_answer = true,
            Err(failure) if failure.is_token_failure => return Err(failure.error),
            Err(failure) => search_error = Some(failure.error),
        }
    }
    let mut results = Vec::new();
    for target in &targets {
        results.push(match target {
            Err(error) => Err(error.clone()),
            Ok(Target::Email(email)) => match &search_error {
                Some(error) => Err(error.clone()),
                None => match searches.iter().find(|search| search.email.matches(email.as_str())) {
                    Some(search) => search.clone().result(),
                    None => Err(Error::UserNotFound { user: UserRef::Email(email.as_str().into()), service: None }),
                },
            },
            Ok(target) => match find(client, target).await {
                Err(failure) if failure.is_token_failure && !has_answer => return Err(failure.error),
                result => {
                    has_answer = true;
                    result.map_err(Error::from)
                }
            },
        });
    }
    Ok(results)
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
#[derive(Clone)]
struct Search<'a> {
    email: &'a Email,
    found: Option<User>,
    ids: Vec<String>,
}

impl<'a> Search<'a> {
    fn new(email: &'a Email) -> Self {
        Self { email, found: None, ids: Vec::new() }
    }

    fn take(&mut self, user: &User) {
        // Pages shift when the account changes while it is read: one id that comes twice is one user.
        if self.ids.len() < MAX_NAMESAKES && self.email.matches(&user.email) && !self.ids.contains(&user.id) {
            self.ids.push(user.id.clone());
            self.found.get_or_insert_with(|| user.clone());
        }
    }

    fn result(self) -> Result<User, Error> {
        let email = String::from(self.email.as_str());
        match self.found {
            Some(user) if self.ids.len() == 1 => Ok(user),
            Some(_) => Err(Error::AmbiguousUser { email, ids: self.ids }),
            None => Err(Error::UserNotFound { user: UserRef::Email(email), service: None }),
        }
    }
}

/// Searches the whole account, since two users may have the same address.
async fn search(client: &Client, searches: &mut [Search<'_>]) -> Result<(), CallError> {
    let mut pages = Pages::new(client, None, MAX_PAGE_SIZE, None);
    let mut has_more = true;
    while has_more && searches.iter().any(|search| search.ids.len() < MAX_NAMESAKES) {
        has_more = pages.next(|user| searches.iter_mut().for_each(|search| search.take(&user))).await?;
    }
    Ok(())
}
