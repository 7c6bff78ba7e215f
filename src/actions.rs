//! The exported functions. They only convert between the types of the WIT contract and those of the core.

use alloc::format;
use alloc::string::ToString;
use core::time::Duration;

use onepassword_users_core as core_;

use crate::bindings::Component;
use crate::bindings::exports::onepassword::users::actions::Guest;
use crate::bindings::exports::onepassword::users::types as wit;
use crate::driver::run;
use crate::session::session;

impl Guest for Component {
    fn list_users(query: wit::ListQuery) -> Result<wit::UserList, wit::Error> {
        let query = core_::ListQuery {
            state: query.state.map(|state| match state {
                wit::StateFilter::Active => core_::StateFilter::Active,
                wit::StateFilter::Suspended => core_::StateFilter::Suspended,
            }),
            limit: query.limit,
            page_token: query.page_token,
        };
        let list = run(session().list_users(query))?;
        Ok(wit::UserList {
            users: list.users.into_iter().map(wit::User::from).collect(),
            next_page_token: list.next_page_token,
        })
    }

    fn get_user(user: wit::UserRef) -> Result<wit::User, wit::Error> {
        Ok(run(session().get_user(user.into()))?.into())
    }

    fn suspend_user(user: wit::UserRef, options: wit::ChangeOptions) -> Result<wit::StateChange, wit::Error> {
        Ok(run(session().suspend_user(user.into(), mode(options)?))?.into())
    }

    fn reactivate_user(user: wit::UserRef, options: wit::ChangeOptions) -> Result<wit::StateChange, wit::Error> {
        Ok(run(session().reactivate_user(user.into(), mode(options)?))?.into())
    }
}

impl From<wit::UserRef> for core_::UserRef {
    fn from(user: wit::UserRef) -> Self {
        match user {
            wit::UserRef::Id(id) => Self::Id(id),
            wit::UserRef::Email(email) => Self::Email(email),
        }
    }
}

impl From<core_::UserRef> for wit::UserRef {
    fn from(user: core_::UserRef) -> Self {
        match user {
            core_::UserRef::Id(id) => Self::Id(id),
            core_::UserRef::Email(email) => Self::Email(email),
        }
    }
}

/// The change mode for the contract's two flags.
fn mode(options: wit::ChangeOptions) -> Result<core_::ChangeMode, core_::Error> {
    let dry_run = options.contains(wit::ChangeOptions::DRY_RUN);
    let without_lookup = options.contains(wit::ChangeOptions::WITHOUT_LOOKUP);
    Ok(core_::ChangeMode::from_flags(dry_run, without_lookup)?)
}

impl From<core_::User> for wit::User {
    fn from(user: core_::User) -> Self {
        Self {
            id: user.id,
            email: user.email,
            display_name: user.display_name,
            state: match user.state {
                core_::UserState::Active => wit::UserState::Active,
                core_::UserState::Suspended => wit::UserState::Suspended,
                core_::UserState::Other(state) => wit::UserState::Other(state),
            },
            create_time: user.create_time,
            path: user.path,
        }
    }
}

impl From<core_::StateChange> for wit::StateChange {
    fn from(change: core_::StateChange) -> Self {
        Self {
            user: change.user.into(),
            change: match change.outcome {
                core_::ChangeOutcome::Changed => wit::Change::Changed,
                core_::ChangeOutcome::Unchanged => wit::Change::Already,
                core_::ChangeOutcome::WouldChange => wit::Change::WouldChange,
                core_::ChangeOutcome::NotChecked => wit::Change::NotChecked,
            },
        }
    }
}

impl From<core_::ServiceError> for wit::Reply {
    fn from(error: core_::ServiceError) -> Self {
        Self { status: error.status, code: error.code, message: error.message }
    }
}

/// The only conversion from the core's errors to the contract's.
impl From<core_::Error> for wit::Error {
    fn from(error: core_::Error) -> Self {
        use core_::Error;
        let message = format!("{error}. {}", error.remedy());
        let refusal = |service: core_::ServiceError, message| wit::Refusal { message, reply: service.into() };
        match error {
            Error::InvalidArgument { argument, .. } => {
                Self::InvalidArgument(wit::InvalidArgument { argument: argument.to_string(), message })
            }
            Error::Misconfigured { name, service, .. } => Self::Misconfigured(wit::Misconfiguration {
                name: name.to_string(),
                message,
                reply: service.map(wit::Reply::from),
            }),
            Error::Unauthenticated { service, .. } => Self::Unauthenticated(refusal(service, message)),
            Error::PermissionDenied { service, .. } => Self::PermissionDenied(refusal(service, message)),
            Error::UserNotFound { user, service } => Self::UserNotFound(wit::MissingUser {
                user: user.into(),
                message,
                reply: service.map(wit::Reply::from),
            }),
            Error::AmbiguousUser { email, ids } => {
                Self::AmbiguousUser(wit::Ambiguity { email, user_ids: ids, message })
            }
            Error::LastOwner { service } => Self::LastOwner(refusal(service, message)),
            Error::ExternallyManaged { service } => Self::ExternallyManaged(refusal(service, message)),
            Error::RateLimited { retry_after, service } => {
                Self::RateLimited(wit::RateLimit { retry_after: seconds(retry_after), message, reply: service.into() })
            }
            Error::Unavailable { cause, retry_after, may_have_changed } => Self::Unavailable(wit::Outage {
                message,
                reply: match cause {
                    core_::UnavailableCause::Service(service) => Some(service.into()),
                    _ => None,
                },
                retry_after: seconds(retry_after),
                may_have_changed,
            }),
            Error::InvalidResponse { status, may_have_changed, .. } => {
                Self::InvalidResponse(wit::InvalidResponse { message, status, may_have_changed })
            }
            Error::Other { service, .. } => Self::Other(wit::Failure { message, reply: service.map(wit::Reply::from) }),
            // The core's error is non-exhaustive. New cases are `other` until the contract has them.
            other => Self::Other(wit::Failure { message, reply: other.service().cloned().map(wit::Reply::from) }),
        }
    }
}

fn seconds(pause: Option<Duration>) -> Option<u32> {
    pause.map(|pause| u32::try_from(pause.as_secs()).unwrap_or(u32::MAX))
}
