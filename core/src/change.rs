//! Suspending and reactivating: look first, change only what needs changing, and believe only what the service says.

use alloc::format;

use crate::client::Client;
use crate::error::Error;
use crate::lookup;
use crate::retry;
use crate::service::Call;
use crate::user::{Target, User, UserId, UserRef, UserState};

/// How to make a change. The default: look at the user first, so that [`Change`] is exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChangeOptions {
    /// Look, and tell what would be done, but change nothing.
    pub dry_run: bool,
    /// Do not look at the user first.
    pub without_lookup: bool,
}

impl ChangeOptions {
    pub(crate) fn check(self) -> Result<(), Error> {
        if self.dry_run && self.without_lookup {
            let problem = "dry-run looks at the user and without-lookup does not".into();
            return Err(Error::InvalidArgument { argument: "options", problem });
        }
        Ok(())
    }
}

/// What became of a wanted change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The user was in another state, and is in the wanted one now.
    Changed,
    /// The user was in the wanted state already; nothing was done.
    Already,
    /// A dry run: the change would be attempted.
    WouldChange,
    /// The user is in the wanted state now; whether it was before was not looked at.
    NotChecked,
}

/// A user after a change, or, in a dry run, before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    /// The user, as the service described it last.
    pub user: User,
    /// What became of the change.
    pub change: Change,
}

/// Brings a user into the `wanted` state.
pub(crate) async fn change(
    client: &Client,
    target: &Target,
    named: &UserRef,
    options: ChangeOptions,
    wanted: UserState,
) -> Result<StateChange, Error> {
    let found;
    let id = match target {
        Target::Id(id) if options.without_lookup => id,
        target => {
            let user = lookup::find(client, target, named).await?;
            if !options.without_lookup && user.state == wanted {
                return Ok(StateChange { user, change: Change::Already });
            }
            if options.dry_run {
                return Ok(StateChange { user, change: Change::WouldChange });
            }
            found = UserId::parse(&user.id).map_err(|problem| Error::Other {
                problem: format!("the service calls the user by an id that cannot be used in a request: {problem}"),
                reply: None,
            })?;
            &found
        }
    };
    let call = if wanted == UserState::Suspended { Call::Suspend(id) } else { Call::Reactivate(id) };
    let change = if options.without_lookup { Change::NotChecked } else { Change::Changed };
    let user = make(client, &call, id, &wanted).await?;
    Ok(StateChange { user, change })
}

/// Makes a change, trying again what may pass. After an unclear outcome the truth is read back before anything is claimed
/// or sent again, and from then on no failure denies that something may have changed: what was sent may still take effect.
async fn make(client: &Client, call: &Call<'_>, id: &UserId, wanted: &UserState) -> Result<User, Error> {
    let mut unclear: Option<Error> = None;
    let mut attempt = 1;
    loop {
        let error = match lookup::call(client, call, id, Some(wanted)).await {
            Err(error) if error.is_retryable() && !client.token_failed() => error,
            // These hold for what was sent before as well.
            Err(error @ (Error::LastOwner { .. } | Error::ExternallyManaged { .. } | Error::UserNotFound { .. })) => {
                return Err(error);
            }
            Err(error) if !error.may_have_changed() => return Err(unclear.unwrap_or(error)),
            result => return result,
        };
        let may_pass = error.status().is_none_or(retry::may_pass);
        let may_go_on = may_pass && client.pause(attempt, &error).await?;
        let is_unclear = error.may_have_changed();
        let error = if is_unclear { error } else { unclear.unwrap_or(error) };
        if is_unclear {
            match lookup::call(client, &Call::Get(id), id, None).await {
                Ok(user) if user.state == *wanted => return Ok(user),
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
