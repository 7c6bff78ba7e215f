//! The exported functions: turns the contract's types into the core's and back, and nothing else.

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
        Ok(run(session().suspend_user(user.into(), options.into()))?.into())
    }

    fn reactivate_user(user: wit::UserRef, options: wit::ChangeOptions) -> Result<wit::StateChange, wit::Error> {
        Ok(run(session().reactivate_user(user.into(), options.into()))?.into())
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

impl From<wit::ChangeOptions> for core_::ChangeOptions {
    fn from(options: wit::ChangeOptions) -> Self {
        Self {
            dry_run: options.contains(wit::ChangeOptions::DRY_RUN),
            without_lookup: options.contains(wit::ChangeOptions::WITHOUT_LOOKUP),
        }
    }
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
            change: match change.change {
                core_::Change::Changed => wit::Change::Changed,
                core_::Change::Already => wit::Change::Already,
                core_::Change::WouldChange => wit::Change::WouldChange,
                core_::Change::NotChecked => wit::Change::NotChecked,
            },
        }
    }
}

impl From<core_::Reply> for wit::Reply {
    fn from(reply: core_::Reply) -> Self {
        Self { status: reply.status, code: reply.code, message: reply.message }
    }
}

/// The one place where the core's errors become the contract's.
impl From<core_::Error> for wit::Error {
    fn from(error: core_::Error) -> Self {
        use core_::Error;
        let message = format!("{error}. {}", error.remedy());
        let refusal = |reply: core_::Reply, message| wit::Refusal { message, reply: reply.into() };
        match error {
            Error::InvalidArgument { argument, .. } => {
                Self::InvalidArgument(wit::InvalidArgument { argument: argument.to_string(), message })
            }
            Error::Misconfigured { name, reply, .. } => Self::Misconfigured(wit::Misconfiguration {
                name: name.to_string(),
                message,
                reply: reply.map(wit::Reply::from),
            }),
            Error::Unauthenticated { reply, .. } => Self::Unauthenticated(refusal(reply, message)),
            Error::PermissionDenied { reply, .. } => Self::PermissionDenied(refusal(reply, message)),
            Error::UserNotFound { user, reply } => {
                Self::UserNotFound(wit::MissingUser { user: user.into(), message, reply: reply.map(wit::Reply::from) })
            }
            Error::AmbiguousUser { email, ids } => {
                Self::AmbiguousUser(wit::Ambiguity { email, user_ids: ids, message })
            }
            Error::LastOwner { reply } => Self::LastOwner(refusal(reply, message)),
            Error::ExternallyManaged { reply } => Self::ExternallyManaged(refusal(reply, message)),
            Error::RateLimited { retry_after, reply } => {
                Self::RateLimited(wit::RateLimit { retry_after: seconds(retry_after), message, reply: reply.into() })
            }
            Error::Unavailable { outage, retry_after, may_have_changed } => Self::Unavailable(wit::Outage {
                message,
                reply: match outage {
                    core_::Outage::Service(reply) => Some(reply.into()),
                    _ => None,
                },
                retry_after: seconds(retry_after),
                may_have_changed,
            }),
            Error::InvalidResponse { status, may_have_changed, .. } => {
                Self::InvalidResponse(wit::InvalidResponse { message, status, may_have_changed })
            }
            Error::Other { reply, .. } => Self::Other(wit::Failure { message, reply: reply.map(wit::Reply::from) }),
            // The core may grow cases that the contract does not have.
            other => Self::Other(wit::Failure { message, reply: other.reply().cloned().map(wit::Reply::from) }),
        }
    }
}

fn seconds(pause: Option<Duration>) -> Option<u32> {
    pause.map(|pause| u32::try_from(pause.as_secs()).unwrap_or(u32::MAX))
}
