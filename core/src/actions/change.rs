//! Suspends and reactivates: looks the user up first, sends a change only if needed, and claims only what the service says.

use alloc::format;

use crate::actions::lookup;
use crate::api::call::ApiCall;
use crate::client::Client;
use crate::error::Error;
use crate::retry;
use crate::sender::Pause;
use crate::values::change::{ChangeMode, ChangeOutcome, StateChange, TargetState};
use crate::values::user::{Target, User, UserId};

/// Brings a user into the target state.
pub(crate) async fn change(
    client: &Client,
    user: Target,
    mode: ChangeMode,
    target: TargetState,
) -> Result<StateChange, Error> {
    let found = lookup::find(client, user).await?;
    if target.is_state_of(&found) {
        return Ok(StateChange { user: found, outcome: ChangeOutcome::Unchanged });
    }
    if mode == ChangeMode::DryRun {
        return Ok(StateChange { user: found, outcome: ChangeOutcome::WouldChange });
    }
    let id = UserId::parse(&found.id).map_err(|problem| Error::Other {
        problem: format!("the service calls the user by an id that cannot be used in a request: {problem}"),
        service: None,
    })?;
    Ok(StateChange { user: send(client, &id, target).await?, outcome: ChangeOutcome::Changed })
}

/// Sends a change, again if that may help. After an unclear outcome the user is looked up before anything is claimed or sent
/// again. From then on no failure denies that something may have changed: the request may still take effect.
async fn send(client: &Client, id: &UserId, target: TargetState) -> Result<User, Error> {
    let call = match target {
        TargetState::Suspended => ApiCall::Suspend(id),
        TargetState::Active => ApiCall::Reactivate(id),
    };
    let mut unclear: Option<Error> = None;
    let mut attempt = 1;
    loop {
        let failure = match lookup::call(client, &call, id, Some(target)).await {
            Ok(user) => return Ok(user),
            Err(failure) => failure,
        };
        let error = failure.error;
        if !error.is_retryable() || failure.is_token_failure {
            let holds_for_earlier_requests =
                matches!(error, Error::LastOwner { .. } | Error::ExternallyManaged { .. } | Error::UserNotFound { .. });
            let is_clear = !error.may_have_changed() && !holds_for_earlier_requests;
            return Err(unclear.filter(|_| is_clear).unwrap_or(error));
        }
        let is_transient = error.status().is_none_or(retry::is_transient);
        let may_go_on = is_transient && client.pause(attempt, &error).await? == Pause::Elapsed;
        let is_unclear = error.may_have_changed();
        let error = if is_unclear { error } else { unclear.unwrap_or(error) };
        if is_unclear {
            match lookup::get(client, id).await {
                Ok(user) if target.is_state_of(&user) => return Ok(user),
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
