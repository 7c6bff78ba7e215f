//! Finds users: by id with one call each, by e-mail address in the whole account, since the service cannot search.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::api::call::ApiCall;
use crate::api::service_error::{RpcCode, ServiceError};
use crate::classify;
use crate::client::{Answer, Body, CallError, Client};
use crate::error::{Error, MAX_NAMESAKES, TooMany, UnavailableCause};
use crate::pages::{Pages, look};
use crate::text::{self, Quoted};
use crate::values::email::{Address, Comparison, Email};
use crate::values::page_token::MAX_PAGE_SIZE;
use crate::values::user::{Target, User, UserId, UserRef, is_unreadable};

/// Finds the user that `target` refers to.
pub(crate) async fn find(client: &Client, target: &Target) -> Result<User, CallError> {
    let listed;
    let (id, email) = match target {
        Target::Id(id) => (id, None),
        Target::Known(id, email) => (id, Some(email)),
        Target::Email(email) => {
            let mut searches = Searches::new([email.clone()]);
            searches.run(client, &mut false).await?;
            let user = searches.result(email)?;
            match UserId::exact(&user.id).filter(|_| searches.has_two_states(email)) {
                // The list cannot tell the state.
                Some(id) => listed = id,
                None => return Ok(user),
            }
            (&listed, Some(email))
        }
    };
    let user = get(client, id).await?;
    match email {
        Some(email) if user.email.is_empty() => Err(unreadable(&format!(
            "the service did not say whether the user has the e-mail address {}",
            Quoted(email.as_str())
        ))
        .into()),
        Some(email) if !email.matches(&user.email) => {
            Err(Error::AddressMismatch { user_id: user.id, email: email.as_str().into() }.into())
        }
        _ => Ok(user),
    }
}

/// The error of an answer that lacks something that can be read.
pub(crate) fn unreadable(problem: &str) -> Error {
    Error::InvalidResponse { problem: text::clean(problem), status: 200, may_have_changed: None }
}

/// Finds several users: all addresses with one search, ids one by one. The results are in the order of the references.
///
/// # Errors
///
/// The outer error means that nothing could be asked, because there is no token.
pub(crate) async fn find_all(client: &Client, users: &[UserRef]) -> Result<Vec<Result<User, Error>>, Error> {
    let mut searches = Searches::new(users.iter().filter_map(|user| match Target::parse(user) {
        Ok(Target::Email(email)) => Some(email),
        _ => None,
    }));
    // True after the first answer; the failure of the search; a failure that every further request would have as well.
    let (mut has_answer, mut not_searched, mut failed) = (false, None, None);
    if !searches.list.is_empty()
        && let Err(failure) = searches.run(client, &mut has_answer).await
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
            (Ok(Target::Email(email)), None, None) if searches.has_two_states(&email) => Err(unreadable(&format!(
                "the user with the address {} is listed in two states",
                Quoted(email.as_str())
            ))),
            (Ok(Target::Email(email)), None, None) => searches.result(&email),
            (Ok(target), _, None) => match find(client, &target).await {
                Err(failure) if failure.is_token_failure && !has_answer => return Err(failure.error),
                Err(failure) => {
                    has_answer |= !failure.is_token_failure && failure.error.status().is_some();
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
            | Error::Intermediary { .. }
            | Error::RateLimited { .. }
            | Error::Unavailable { cause: UnavailableCause::Deadline(_), .. }
    )
}

/// Gets the user with this id. A missing user is claimed only if that is shown.
pub(crate) async fn get(client: &Client, id: &UserId) -> Result<User, CallError> {
    match client.call(&ApiCall::Get(id)).await {
        Ok(answer) => Ok(user_of(client, &answer, id)?),
        Err(CallError { error: Error::UserNotFound { user, service: Some(service) }, .. }) => {
            show_absence(client, id, &service).await?;
            Err(Error::UserNotFound { user, service: Some(service) }.into())
        }
        Err(failure) => Err(failure),
    }
}

/// The user in an answer, which must be the one with this id.
pub(crate) fn user_of(client: &Client, answer: &Answer, id: &UserId) -> Result<User, Error> {
    match &answer.body {
        Ok(Body::User(user)) if user.id == id.as_str() => Ok(user.clone()),
        Ok(_) => Err(client.invalid(answer, &format!("it is about another user than {}", Quoted(id.as_str())))),
        Err(problem) => Err(client.invalid(answer, problem)),
    }
}

/// Shows that a 404 means a missing user, and not a missing route, for which the service's gateway has the same form: its words say
/// so, or the service has answered a resource route, or it lists users, or it refuses that for lack of a permission.
async fn show_absence(client: &Client, id: &UserId, service: &ServiceError) -> Result<(), CallError> {
    if classify::is_about_missing_user(service, id.as_str()) || client.has_routes() {
        return Ok(());
    }
    let failure = match look(client).await {
        Ok(users) if users.iter().any(|user| user.id == id.as_str()) => {
            return Err(unreadable(&format!(
                "the list has the user {}, who is not found by this id",
                Quoted(id.as_str())
            ))
            .into());
        }
        Ok(_) => return Ok(()),
        Err(failure) => failure,
    };
    match failure.error {
        Error::PermissionDenied { service: ServiceError { code: Some(code), .. }, .. }
            if RpcCode::parse(&code) == Some(RpcCode::PermissionDenied) =>
        {
            Ok(())
        }
        error @ Error::Misconfigured { .. } => Err(error.into()),
        error if error.is_retryable() || failure.is_token_failure => Err(CallError { error, ..failure }),
        _ => Err(Error::Unavailable {
            cause: UnavailableCause::Unproven(service.clone()),
            retry_after: None,
            may_have_changed: None,
        }
        .into()),
    }
}

/// The search for one address, and the users found so far.
struct Search {
    email: Email,
    found: Option<User>,
    ids: Vec<String>,
    /// The user was listed twice, in different states.
    has_two_states: bool,
    /// The users whose addresses are nearly the same.
    similar: Vec<String>,
}

/// The searches for several addresses, each of them once.
struct Searches {
    list: Vec<Search>,
    /// The first user whose id or address cannot be read. It might be anyone.
    unidentified: Option<String>,
    /// A user has an address.
    has_addresses: bool,
}

impl Searches {
    fn new(emails: impl IntoIterator<Item = Email>) -> Self {
        let mut list: Vec<Search> = Vec::new();
        for email in emails {
            if !list.iter().any(|search| search.email.matches(email.as_str())) {
                list.push(Search { email, found: None, ids: Vec::new(), has_two_states: false, similar: Vec::new() });
            }
        }
        Self { list, unidentified: None, has_addresses: false }
    }

    /// Searches the whole account, since two users may have the same address. `has_answer` becomes true with the first page.
    async fn run(&mut self, client: &Client, has_answer: &mut bool) -> Result<(), CallError> {
        let mut pages = Pages::new(client, None, MAX_PAGE_SIZE, None);
        let mut has_more = true;
        while has_more && self.list.iter().any(|search| search.ids.len() < MAX_NAMESAKES) {
            has_more = pages.next(|user| self.take(&user)).await?;
            *has_answer = true;
        }
        Ok(())
    }

    fn take(&mut self, user: &User) {
        if !user.is_identified() && self.unidentified.is_none() {
            self.unidentified = Some(if user.id.is_empty() {
                format!("a user with the e-mail address {} has no id that can be read", Quoted(&user.email))
            } else {
                format!("the user {} has no e-mail address that can be read", Quoted(&user.id))
            });
        }
        self.has_addresses |= !user.email.is_empty();
        let address = Address::new(&user.email);
        for search in &mut self.list {
            let ids = match search.email.compare(&address) {
                Comparison::Different => continue,
                Comparison::Same => {
                    let found = search.found.get_or_insert_with(|| user.clone());
                    search.has_two_states |= found.id == user.id && found.service_state != user.service_state;
                    &mut search.ids
                }
                Comparison::Near => &mut search.similar,
            };
            // Pages shift when the account changes while it is read: one id that comes twice is one user.
            if ids.len() < MAX_NAMESAKES && !ids.contains(&user.id) {
                ids.push(user.id.clone());
            }
        }
    }

    /// True if the one user with this address was listed twice, in different states.
    fn has_two_states(&self, email: &Email) -> bool {
        let mut searches = self.list.iter().filter(|search| search.has_two_states && search.ids.len() == 1);
        searches.any(|search| search.email.matches(email.as_str()))
    }

    /// The result for one of the addresses.
    fn result(&self, email: &Email) -> Result<User, Error> {
        let search = self.list.iter().find(|search| search.email.matches(email.as_str()));
        let email = || String::from(email.as_str());
        let Some(Search { found, ids, similar, .. }) = search else {
            return Err(Error::UserNotFound { user: UserRef::Email(email()), service: None });
        };
        // With white space removed from an id, as from any caller's, it might be that of another user.
        let named = if ids.is_empty() { similar } else { ids };
        if let Some(id) = named.iter().find(|id| UserId::exact(id).is_none()) {
            return Err(unreadable(&format!(
                "a user with this address, or a similar one, has an id that no request can have: {}",
                Quoted(id)
            )));
        }
        match (found, &self.unidentified) {
            (Some(user), _) if ids.len() == 1 => {
                if is_unreadable(&user.service_state) {
                    return Err(unreadable(&format!("the state of the user {} cannot be read", Quoted(&user.id))));
                }
                Ok(user.clone())
            }
            (Some(_), _) => Err(Error::AmbiguousUser { email: email(), ids: ids.clone(), is_similar: false }),
            (None, _) if !similar.is_empty() => {
                Err(Error::AmbiguousUser { email: email(), ids: similar.clone(), is_similar: true })
            }
            (None, Some(unidentified)) => Err(unreadable(&format!("the user may exist, but {unidentified}"))),
            (None, None) if !self.has_addresses => Err(unreadable("no user of the account has an e-mail address")),
            (None, None) => Err(Error::UserNotFound { user: UserRef::Email(email()), service: None }),
        }
    }
}
