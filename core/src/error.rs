//! The errors of an action, grouped by what the caller can do about them.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::api::service_error::ServiceError;
use crate::catalogue::{ErrorCode, remedy};
use crate::http::TransportError;
use crate::text::{self, Quoted};
use crate::values::query::{FindError, QueryError};
use crate::values::settings::SettingError;
use crate::values::user::{UserRef, UserRefError};

/// The most users with one address that [`Error::AmbiguousUser`] names.
pub(crate) const MAX_NAMESAKES: usize = 100;

/// The error of an action.
///
/// `Display` describes the failure in one lower-case clause, and [`Error::remedy`] what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// An argument is not valid. Nothing was sent.
    InvalidArgument {
        /// The argument, by its name in JSON, or the cleaned name that the caller gave it.
        argument: Cow<'static, str>,
        /// The reason.
        problem: ArgumentError,
    },
    /// A setting or secret is missing or not valid, or the network or the service shows that it is wrong.
    Misconfigured {
        /// The name of the setting or secret.
        name: &'static str,
        /// The reason. Never holds a value.
        problem: SettingError,
        /// The error of the service, if that is what shows it.
        service: Option<ServiceError>,
    },
    /// The service does not accept the credentials: they are wrong or revoked, or the token has expired.
    Unauthenticated {
        /// The secret at fault: `client-secret` (with `client-id`) or `access-token`.
        name: &'static str,
        /// The error of the service.
        service: ServiceError,
    },
    /// The credentials do not allow the action: a permission is missing, the user is protected, or the account is another.
    PermissionDenied {
        /// The permission of the OAuth application that the action needs, such as `suspend users`.
        permission: &'static str,
        /// The id of the user, if the action is about one.
        user_id: Option<String>,
        /// The error of the service.
        service: ServiceError,
    },
    /// The account has no such user.
    UserNotFound {
        /// The user that was asked for: an id or an address.
        user: UserRef,
        /// The error of the service. `None` if the account was searched for an address.
        service: Option<ServiceError>,
    },
    /// The address does not name one user: several have it, or only a similar one.
    AmbiguousUser {
        /// The address that was asked for.
        email: String,
        /// The ids of those users: the first 100.
        ids: Vec<String>,
        /// True if no user has the address itself. The addresses of these users are the same but for accents and other marks,
        /// case beyond ASCII, form, or invisible characters.
        is_similar: bool,
    },
    /// The user with the id has another address than the caller says.
    AddressMismatch {
        /// The id of the user.
        user_id: String,
        /// The address that the caller said.
        email: String,
    },
    /// The last owner of an account cannot be suspended.
    LastOwner {
        /// The id of the user.
        user_id: String,
        /// The error of the service.
        service: ServiceError,
    },
    /// An externally managed administrator cannot be suspended here.
    ExternallyManaged {
        /// The id of the user.
        user_id: String,
        /// The error of the service.
        service: ServiceError,
    },
    /// The setting `protected-users` names the user, who must not be suspended. No change was sent.
    ProtectedUser {
        /// The id of the user.
        user_id: String,
    },
    /// Something between here and the service refused the request: a proxy, a gateway or a sign-in page.
    Intermediary {
        /// The origin of the service.
        origin: String,
        /// The error of the response.
        service: ServiceError,
    },
    /// The service received too many requests.
    RateLimited {
        /// The time to wait before the next attempt, if the service named one.
        retry_after: Option<Duration>,
        /// The error of the service.
        service: ServiceError,
    },
    /// The service, or the platform's store of settings and secrets, could not be reached, was too slow, or failed.
    Unavailable {
        /// The cause.
        cause: UnavailableCause,
        /// The time to wait before the next attempt, if the service named one.
        retry_after: Option<Duration>,
        /// The id of the user whose state may have changed: a change was sent, and its outcome is not known.
        may_have_changed: Option<String>,
    },
    /// The response is not one that the service is known to give.
    InvalidResponse {
        /// The deviation.
        problem: String,
        /// The HTTP status of the response.
        status: u16,
        /// The id of the user whose state may have changed: a change was sent, and its outcome is not known.
        may_have_changed: Option<String>,
    },
    /// The page token is not good any more. It is good for one account and a limited time.
    PageTokenRefused {
        /// The error of the service, which refused the token as a bad one. `None` if the account has changed, so that the token
        /// does not tell where to continue.
        service: Option<ServiceError>,
    },
    /// The account has more users than one list may have.
    TooManyUsers(TooMany),
    /// The pages of the list have no end.
    EndlessList {
        /// The reason why the list was given up.
        problem: String,
    },
    /// The driver misused the action. A bug in the driver.
    Driver(DriverError),
    /// Any other failure.
    Other {
        /// A description of it.
        problem: String,
        /// The error of the service, if there was one.
        service: Option<ServiceError>,
    },
}

/// The cause of [`Error::Unavailable`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnavailableCause {
    /// There was no response from this host.
    Transport {
        /// Scheme, host and port.
        origin: String,
        /// The failure of the request.
        error: TransportError,
    },
    /// The service reported a failure of its own.
    Service(ServiceError),
    /// The service answers as if there were no such user, but it also answers so for routes that it does not have, and a look at the
    /// list of users could not show that it has these.
    Unproven(ServiceError),
    /// The action's deadline passed. Holds the time that the action may take.
    Deadline(Duration),
    /// The platform could not look a setting or secret up.
    Lookup {
        /// The name of the setting or secret, if a single one failed.
        name: Option<&'static str>,
        /// The reason in the platform's words.
        detail: String,
    },
}

/// The bound that [`Error::TooManyUsers`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TooMany {
    /// There are more than this many users.
    Users(u32),
    /// The users have more text than this, in bytes.
    Bytes(usize),
}

/// The reason of [`Error::InvalidArgument`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArgumentError {
    /// The user reference is not valid.
    User(UserRefError),
    /// The limit or the page token is not valid.
    Query(QueryError),
    /// There are too many users.
    Find(FindError),
    /// The argument is not one that the action takes, or a face refused it, for this reason.
    Face(String),
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(error) => error.fmt(f),
            Self::Query(error) => error.fmt(f),
            Self::Find(error) => error.fmt(f),
            Self::Face(reason) => f.write_str(reason),
        }
    }
}

impl core::error::Error for ArgumentError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::User(error) => Some(error),
            Self::Query(error) => Some(error),
            Self::Find(error) => Some(error),
            Self::Face(_) => None,
        }
    }
}

impl From<UserRefError> for Error {
    fn from(error: UserRefError) -> Self {
        Self::InvalidArgument { argument: "user".into(), problem: ArgumentError::User(error) }
    }
}

impl From<QueryError> for Error {
    fn from(error: QueryError) -> Self {
        Self::InvalidArgument { argument: error.argument().into(), problem: ArgumentError::Query(error) }
    }
}

impl From<FindError> for Error {
    fn from(error: FindError) -> Self {
        Self::InvalidArgument { argument: "users".into(), problem: ArgumentError::Find(error) }
    }
}

/// A misuse of an action by its driver.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DriverError {
    /// The event does not answer the step before. Holds the name of the expected event.
    WrongEvent(&'static str),
    /// The event does not answer a change, which may have been sent.
    UnansweredChange {
        /// The id of the user.
        user_id: String,
    },
    /// The number of values is not that of the names.
    WrongCount,
    /// The action was stepped after its end.
    Ended,
}

impl fmt::Display for DriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongEvent(expected) => {
                write!(f, "the driver stepped the action with another event than {expected}")
            }
            Self::UnansweredChange { .. } => Self::WrongEvent("Response").fmt(f),
            Self::WrongCount => f.write_str("the driver answered with another number of values than it was asked for"),
            Self::Ended => f.write_str("the driver stepped the action after its end"),
        }
    }
}

impl core::error::Error for DriverError {}

impl Error {
    /// The error of a setting or secret that is not valid.
    pub(crate) fn misconfigured(name: &'static str, problem: impl Into<SettingError>) -> Self {
        Self::Misconfigured { name, problem: problem.into(), service: None }
    }

    /// The same error, if it came of a page token that the service gave out itself. The caller is not to blame then.
    pub(crate) fn of_own_page_token(self) -> Self {
        match self {
            Self::PageTokenRefused { service } => Self::Other {
                problem: "a page token of the service was not good any more while the list was read".into(),
                service,
            },
            error => error,
        }
    }

    /// The code of the error, which the catalogue describes.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidArgument { .. } => ErrorCode::InvalidArgument,
            Self::Misconfigured { .. } => ErrorCode::Misconfigured,
            Self::Unauthenticated { .. } => ErrorCode::Unauthenticated,
            Self::PermissionDenied { .. } => ErrorCode::PermissionDenied,
            Self::UserNotFound { .. } => ErrorCode::UserNotFound,
            Self::AmbiguousUser { .. } => ErrorCode::AmbiguousUser,
            Self::AddressMismatch { .. } => ErrorCode::AddressMismatch,
            Self::LastOwner { .. } => ErrorCode::LastOwner,
            Self::ExternallyManaged { .. } => ErrorCode::ExternallyManaged,
            Self::ProtectedUser { .. } => ErrorCode::ProtectedUser,
            Self::Intermediary { .. } => ErrorCode::Intermediary,
            Self::RateLimited { .. } => ErrorCode::RateLimited,
            Self::Unavailable { .. } => ErrorCode::Unavailable,
            Self::InvalidResponse { .. } => ErrorCode::InvalidResponse,
            Self::PageTokenRefused { .. } => ErrorCode::PageTokenRefused,
            Self::TooManyUsers(_) => ErrorCode::TooManyUsers,
            Self::EndlessList { .. } => ErrorCode::EndlessList,
            Self::Driver(_) => ErrorCode::HostFailed,
            Self::Other { .. } => ErrorCode::Other,
        }
    }

    /// The error of the service, if there was one.
    #[must_use]
    pub fn service(&self) -> Option<&ServiceError> {
        match self {
            Self::Unauthenticated { service, .. }
            | Self::PermissionDenied { service, .. }
            | Self::LastOwner { service, .. }
            | Self::ExternallyManaged { service, .. }
            | Self::Intermediary { service, .. }
            | Self::RateLimited { service, .. }
            | Self::Unavailable {
                cause: UnavailableCause::Service(service) | UnavailableCause::Unproven(service),
                ..
            } => Some(service),
            Self::Misconfigured { service, .. }
            | Self::UserNotFound { service, .. }
            | Self::PageTokenRefused { service }
            | Self::Other { service, .. } => service.as_ref(),
            Self::InvalidArgument { .. }
            | Self::AmbiguousUser { .. }
            | Self::AddressMismatch { .. }
            | Self::ProtectedUser { .. }
            | Self::Unavailable { .. }
            | Self::InvalidResponse { .. }
            | Self::TooManyUsers(_)
            | Self::EndlessList { .. }
            | Self::Driver(_) => None,
        }
    }

    /// The HTTP status of the response, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::InvalidResponse { status, .. } => Some(*status),
            error => error.service().map(|service| service.status),
        }
    }

    /// True if the same action may succeed if it is repeated later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.code().is_retryable()
    }

    /// The time to wait before the next attempt, if the service named one.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// True if a change was sent whose outcome is not known.
    #[must_use]
    pub fn may_have_changed(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { may_have_changed: Some(_), .. }
                | Self::InvalidResponse { may_have_changed: Some(_), .. }
                | Self::Driver(DriverError::UnansweredChange { .. })
        )
    }

    /// The id of the user that the error is about, if it is known.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        match self {
            Self::PermissionDenied { user_id, .. } => user_id.as_deref(),
            Self::LastOwner { user_id, .. }
            | Self::ExternallyManaged { user_id, .. }
            | Self::ProtectedUser { user_id }
            | Self::AddressMismatch { user_id, .. }
            | Self::Driver(DriverError::UnansweredChange { user_id }) => Some(user_id),
            Self::Unavailable { may_have_changed, .. } | Self::InvalidResponse { may_have_changed, .. } => {
                may_have_changed.as_deref()
            }
            _ => None,
        }
    }

    /// The way to solve the problem, as a sentence.
    #[must_use]
    pub fn remedy(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::InvalidArgument { .. } => "Correct the argument; nothing was sent.",
            Self::Misconfigured { name, .. } => remedy(name),
            Self::Unauthenticated { name: "access-token", .. } => {
                "Have the platform obtain a new access-token; this component does not renew it."
            }
            Self::Unauthenticated { .. } => {
                "Check client-id and client-secret: both complete, without quotation marks around them, of an OAuth application \
                 that still exists in the account of this region. A server that decodes HTTP Basic as a form does not accept a \
                 secret with +, %, : or a letter beyond ASCII: create another one then."
            }
            Self::PermissionDenied { permission: "obtain a token", .. } => {
                "Check client-id and client-secret, and that the OAuth application is allowed to be used; a proxy on the way \
                 may have refused as well."
            }
            Self::PermissionDenied { permission, service, .. } => {
                let is_wordless = service.code.is_none() && service.message.is_empty();
                return Cow::Owned(format!(
                    "{}Give the OAuth application the permission to {permission}, and check account-id; the service also \
                     refuses to change some users (owners, externally managed administrators, provisioned accounts).{}",
                    if is_wordless { "Check the credentials. " } else { "" },
                    if is_wordless { " An answer without words may also come from a proxy on the way." } else { "" },
                ));
            }
            Self::UserNotFound { .. } => "Check the id or address, and account-id.",
            Self::AmbiguousUser { .. } => "Name the user by one of these ids, if it is the right one.",
            Self::AddressMismatch { .. } => "Look the user up again.",
            Self::LastOwner { .. } => "Give the account another owner first.",
            Self::ExternallyManaged { .. } => {
                "Suspend the user in the account of the provider that manages it (a managed service provider, MSP)."
            }
            Self::ProtectedUser { .. } => {
                "Remove the user from protected-users first, if it may be suspended after all."
            }
            Self::Intermediary { .. } => {
                "Check the proxies, gateways and firewalls on the way, and that they let this platform pass."
            }
            Self::RateLimited { .. } => "Try again later, with growing pauses.",
            Self::Unavailable { may_have_changed: Some(_), .. }
            | Self::Driver(DriverError::UnansweredChange { .. }) => {
                "The user may have been changed nonetheless: look at it before you try again."
            }
            Self::Unavailable { .. } => "Try again later, with growing pauses.",
            Self::InvalidResponse { may_have_changed: Some(_), .. } => {
                "The user may have been changed nonetheless: look at it. Then check that base-url names the service itself."
            }
            Self::InvalidResponse { .. } => {
                "Check that base-url names the service itself, and that nothing on the way alters answers."
            }
            Self::PageTokenRefused { .. } => "Start the list again from its beginning.",
            Self::TooManyUsers(_) => "List the account in parts, with limit and page_token.",
            Self::EndlessList { .. } => {
                "Check that base-url names the service itself, and that nothing on the way alters answers."
            }
            Self::Driver(_) | Self::Other { .. } => "Read the message.",
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidArgument { argument, problem } => {
                write!(f, "the argument {argument} cannot be used: {problem}")
            }
            Self::Misconfigured { name, problem, service } => {
                write!(f, "{name} is not right: {problem}")?;
                service.as_ref().map_or(Ok(()), |service| write!(f, " ({service})"))
            }
            Self::Unauthenticated { name: "access-token", service } => {
                write!(f, "the service does not accept the access-token ({service})")
            }
            Self::Unauthenticated { service, .. } => {
                write!(f, "the service does not accept the credentials ({service})")
            }
            Self::PermissionDenied { permission, service, .. } => {
                write!(f, "the service refuses to {permission} ({service})")
            }
            Self::UserNotFound { user: UserRef::Id(id) | UserRef::Known { id, .. }, service } => {
                write!(f, "the account has no user with the id {}", Quoted(id))?;
                service.as_ref().map_or(Ok(()), |service| write!(f, " ({service})"))
            }
            Self::UserNotFound { user: UserRef::Email(email), .. } => {
                write!(f, "the account has no user with the e-mail address {}", Quoted(email))
            }
            Self::AmbiguousUser { email, ids, is_similar } => {
                let least = if ids.len() < MAX_NAMESAKES { "" } else { "at least " };
                if *is_similar {
                    write!(f, "no user has the e-mail address {}, but {least}{} similar: ", Quoted(email), ids.len())?;
                } else {
                    write!(f, "{least}{} users have the e-mail address {}: ", ids.len(), Quoted(email))?;
                }
                for (place, id) in ids.iter().enumerate() {
                    write!(f, "{}{}", if place == 0 { "" } else { ", " }, text::clean(id))?;
                }
                Ok(())
            }
            Self::AddressMismatch { user_id, email } => {
                write!(f, "the user {} has another e-mail address than {}", Quoted(user_id), Quoted(email))
            }
            Self::LastOwner { service, .. } => write!(f, "the user is the last owner of the account ({service})"),
            Self::ExternallyManaged { service, .. } => {
                write!(f, "the user is an externally managed administrator ({service})")
            }
            Self::ProtectedUser { user_id } => write!(f, "protected-users names the user {}", Quoted(user_id)),
            Self::Intermediary { origin, service } => {
                write!(f, "something between here and {origin} refused the request ({service})")
            }
            Self::RateLimited { retry_after, service } => {
                write!(f, "too many requests ({service})")?;
                pause(f, *retry_after)
            }
            Self::Unavailable { cause: UnavailableCause::Transport { origin, error }, .. } => {
                write!(f, "no answer from {origin}: {error}")
            }
            Self::Unavailable { cause: UnavailableCause::Service(service), retry_after, .. } => {
                write!(f, "the service failed ({service})")?;
                pause(f, *retry_after)
            }
            Self::Unavailable { cause: UnavailableCause::Unproven(service), .. } => {
                write!(
                    f,
                    "the user was not found, and it cannot be shown that the service knows this account's users ({service})"
                )
            }
            Self::Unavailable { cause: UnavailableCause::Deadline(deadline), .. } => {
                write!(f, "the action was not done within its deadline of {} s", deadline.as_secs())
            }
            Self::Unavailable { cause: UnavailableCause::Lookup { name, detail }, .. } => {
                let name = name.unwrap_or("settings or secrets");
                write!(f, "the platform could not look up {name}: {detail}")
            }
            Self::InvalidResponse { problem, status, .. } => {
                write!(f, "the answer cannot be trusted (HTTP {status}): {problem}")
            }
            Self::PageTokenRefused { service: Some(service) } => {
                write!(f, "the service refused the page token ({service})")
            }
            Self::PageTokenRefused { service: None } => {
                f.write_str("the account has changed, so that the page token does not tell where to continue")
            }
            Self::TooManyUsers(TooMany::Users(max)) => write!(f, "the account has more than {max} users"),
            Self::TooManyUsers(TooMany::Bytes(max)) => write!(f, "the users have more than {max} bytes of text"),
            Self::EndlessList { problem } => write!(f, "the list has no end: {problem}"),
            Self::Driver(error) => error.fmt(f),
            Self::Other { problem, service } => {
                f.write_str(problem)?;
                service.as_ref().map_or(Ok(()), |service| write!(f, " ({service})"))
            }
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::InvalidArgument { problem, .. } => Some(problem),
            Self::Misconfigured { problem, .. } => Some(problem),
            Self::Unavailable { cause: UnavailableCause::Transport { error, .. }, .. } => Some(error),
            Self::Driver(error) => Some(error),
            _ => None,
        }
    }
}

fn pause(f: &mut fmt::Formatter<'_>, retry_after: Option<Duration>) -> fmt::Result {
    retry_after.map_or(Ok(()), |pause| write!(f, "; it asks to wait {} s", whole_seconds(pause)))
}

/// A time to wait in whole seconds, rounded up.
pub(crate) fn whole_seconds(pause: Duration) -> u64 {
    pause.as_secs() + u64::from(pause.subsec_nanos() > 0)
}
