//! Suspends and reactivates: looks the user up first, sends a change only if needed, and claims only what the service says.

use alloc::format;
use alloc::string::String;

use crate::actions::lookup::{self, unreadable, user_of};
use crate::api::call::ApiCall;
use crate::classify;
use crate::client::{Answer, Client};
use crate::error::{DriverError, Error};
use crate::retry;
use crate::sender::Pause;
use crate::text::Quoted;
use crate::values::change::{ChangeMode, ChangeOutcome, StateChange, TargetState};
use crate::values::email::Email;
use crate::values::protected::ProtectedUsers;
use crate::values::user::{Target, User, UserId};

/// Brings a user into the target state.
pub(crate) async fn change(
    client: &Client,
    user: Target,
    mode: ChangeMode,
    target: TargetState,
) -> Result<StateChange, Error> {
    let protected = match target {
        TargetState::Suspended => client.protected_users().await?,
        TargetState::Active => ProtectedUsers::default(),
    };
    let found = lookup::find(client, &user).await?;
    if target.is_state_of(&found) {
        return Ok(StateChange { user: found, outcome: ChangeOutcome::Unchanged });
    }
    match protected.contains(&found) {
        Some(false) => {}
        Some(true) => return Err(Error::ProtectedUser { user_id: found.id }),
        None => {
            let problem =
                "the user has no plain e-mail address, so that it cannot be told whether protected-users names it";
            return Err(unreadable(problem));
        }
    }
    if mode == ChangeMode::DryRun {
        return Ok(StateChange { user: found, outcome: ChangeOutcome::WouldChange });
    }
    // An id of the service is used as it is, or not at all: with white space removed, it might be that of another user.
    let id = UserId::exact(&found.id)
        .ok_or_else(|| unreadable(&format!("the user has an id that no request can have: {}", Quoted(&found.id))))?;
    let email = match &user {
        Target::Id(_) => None,
        Target::Email(email) | Target::Known(_, email) => Some(email),
    };
    let user = Change { client, id: &id, email, found_email: &found.email, target }.send().await?;
    Ok(StateChange { user, outcome: ChangeOutcome::Changed })
}

/// A change of a user who was in another state.
struct Change<'a> {
    client: &'a Client,
    id: &'a UserId,
    /// The address that the caller named the user by.
    email: Option<&'a Email>,
    /// The address that the service has for the user.
    found_email: &'a str,
    target: TargetState,
}

impl Change<'_> {
    /// Sends the change, again if that may help. After an unclear outcome the user is looked up before anything is claimed or sent
    /// again. From then on no failure denies that something may have changed: the request may still take effect.
    async fn send(&self) -> Result<User, Error> {
        let call = match self.target {
            TargetState::Suspended => ApiCall::Suspend(self.id, self.found_email),
            TargetState::Active => ApiCall::Reactivate(self.id, self.found_email),
        };
        let mut unclear: Option<Error> = None;
        let mut attempt = 1;
        loop {
            let failure = match self.client.call(&call).await {
                Ok(answer) => return self.settle(&answer).await,
                Err(failure) => failure,
            };
            let error = match failure.error {
                // A driver that did not answer the request may have sent it.
                Error::Driver(_) if !failure.is_token_failure => {
                    Error::Driver(DriverError::UnansweredChange { user_id: self.id.as_str().into() })
                }
                error => error,
            };
            if !error.is_retryable() || failure.is_token_failure {
                return Err(self.refusal(error, unclear).await);
            }
            let is_conflict = error.status() == Some(409);
            let is_transient = is_conflict || error.status().is_none_or(retry::is_transient);
            let pause = if is_transient { self.client.pause(attempt, &error).await } else { Ok(Pause::NoAttemptLeft) };
            let is_unclear = error.may_have_changed();
            let error = if is_unclear { error } else { unclear.unwrap_or(error) };
            // A driver that fails to wait does not make the outcome any clearer.
            let may_go_on = match pause {
                Err(failure) if !error.may_have_changed() => return Err(failure),
                pause => matches!(pause, Ok(Pause::Elapsed)),
            };
            if is_unclear || is_conflict {
                match self.look().await {
                    // The id may belong to somebody else by now.
                    Ok(user) if self.has_other_address(&user) => return Err(error),
                    Ok(user) if self.target.is_state_of(&user) => return Ok(user),
                    Ok(_) if may_go_on => {}
                    _ => return Err(error),
                }
            } else if !may_go_on {
                return Err(error);
            }
            unclear = Some(error).filter(Error::may_have_changed);
            attempt += 1;
        }
    }

    /// The error of a change that was refused for good, after requests with an unclear outcome if there were any.
    async fn refusal(&self, error: Error, unclear: Option<Error>) -> Error {
        let error = match error {
            // The user was there a moment ago, so the route may be missing instead.
            Error::UserNotFound { user, service: Some(service) }
                if !classify::is_about_missing_user(&service, self.id.as_str()) =>
            {
                match self.look().await {
                    Ok(_) => self.client.unknown_route(service),
                    Err(Error::UserNotFound { .. }) => Error::UserNotFound { user, service: Some(service) },
                    Err(error) => error,
                }
            }
            error => error,
        };
        let holds_for_earlier_requests =
            matches!(error, Error::LastOwner { .. } | Error::ExternallyManaged { .. } | Error::UserNotFound { .. });
        let is_clear = !error.may_have_changed() && !holds_for_earlier_requests;
        unclear.filter(|_| is_clear).unwrap_or(error)
    }

    /// The user after a change that the service accepted. If its answer does not show the change, the user is looked up, several
    /// times if needed: the service may need a while. An answer about somebody else is an error, whatever a look shows.
    async fn settle(&self, answer: &Answer) -> Result<User, Error> {
        let mut error = match user_of(self.client, answer, self.id) {
            Ok(user) => match self.problem(&user) {
                None => return Ok(user),
                Some(problem) if self.has_other_address(&user) => return Err(self.client.invalid(answer, &problem)),
                Some(problem) => self.client.invalid(answer, &problem),
            },
            Err(error) if answer.body.is_ok() => return Err(error),
            Err(error) => error,
        };
        let mut attempt = 1;
        loop {
            match self.look().await {
                Ok(user) => match self.problem(&user) {
                    None => return Ok(user),
                    Some(problem) => error = self.client.invalid(answer, &problem),
                },
                // A copy of the account that does not know of the change yet may not answer at all.
                Err(failure) if failure.is_retryable() => return Err(error),
                Err(_) => {}
            }
            if !matches!(self.client.pause_for_change(attempt, answer).await, Ok(Pause::Elapsed)) {
                return Err(error);
            }
            attempt += 1;
        }
    }

    async fn look(&self) -> Result<User, Error> {
        Ok(lookup::get(self.client, self.id).await?)
    }

    /// True if a user has another address than the caller named. A missing address is not another one.
    fn has_other_address(&self, user: &User) -> bool {
        self.email.is_some_and(|email| !user.email.is_empty() && !email.matches(&user.email))
    }

    /// The reason why a user, as the service describes it after the change, does not show the change.
    fn problem(&self, user: &User) -> Option<String> {
        if let Some(email) = self.email.filter(|_| self.has_other_address(user)) {
            return Some(format!("the user has another e-mail address than {} now", Quoted(email.as_str())));
        }
        (!self.target.is_state_of(user)).then(|| {
            format!("the state of the user is {} after the change, and not {}", user.service_state, self.target)
        })
    }
}
