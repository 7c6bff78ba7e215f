//! The errors of an action, grouped by what the caller can do about them.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::api::service_error::ServiceError;
use crate::http::TransportError;
use crate::values::change::ChangeModeError;
use crate::values::query::QueryError;
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
        /// The argument, by its name in the WIT contract.
        argument: &'static str,
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
        /// The error of the service.
        service: ServiceError,
    },
    /// The account has no such user.
    UserNotFound {
        /// The user that was asked for.
        user: UserRef,
        /// The error of the service. `None` if the account was searched for an address.
        service: Option<ServiceError>,
    },
    /// Several users have the address.
    AmbiguousUser {
        /// The address that was asked for.
        email: String,
        /// The ids of those users: the first 100.
        ids: Vec<String>,
    },
    /// The last owner of an account cannot be suspended.
    LastOwner {
        /// The error of the service.
        service: ServiceError,
    },
    /// An externally managed administrator cannot be suspended here.
    ExternallyManaged {
        /// The error of the service.
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
        /// A change was sent, and its outcome is not known.
        may_have_changed: bool,
    },
    /// The response is not one that the service is known to give.
    InvalidResponse {
        /// The deviation.
        problem: String,
        /// The HTTP status of the response.
        status: u16,
        /// A change was sent, and its outcome is not known.
        may_have_changed: bool,
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
    /// The action's deadline passed. Holds the time that the action may take.
    Deadline(Duration),
    /// The platform could not look a setting or secret up.
    Lookup {
        /// The name of the setting or secret.
        name: &'static str,
        /// The reason in the platform's words.
        detail: String,
    },
}

/// The reason of [`Error::InvalidArgument`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArgumentError {
    /// The user reference is not valid.
    User(UserRefError),
    /// The limit or the page token is not valid.
    Query(QueryError),
    /// The options of a change contradict each other.
    Options(ChangeModeError),
    /// A driver refused the argument before it came to the core, for this reason.
    Driver(String),
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(error) => error.fmt(f),
            Self::Query(error) => error.fmt(f),
            Self::Options(error) => error.fmt(f),
            Self::Driver(reason) => f.write_str(reason),
        }
    }
}

impl core::error::Error for ArgumentError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::User(error) => Some(error),
            Self::Query(error) => Some(error),
            Self::Options(error) => Some(error),
            Self::Driver(_) => None,
        }
    }
}

impl From<UserRefError> for Error {
    fn from(error: UserRefError) -> Self {
        Self::InvalidArgument { argument: "user", problem: ArgumentError::User(error) }
    }
}

impl From<QueryError> for Error {
    fn from(error: QueryError) -> Self {
        Self::InvalidArgument { argument: error.argument(), problem: ArgumentError::Query(error) }
    }
}

impl From<ChangeModeError> for Error {
    fn from(error: ChangeModeError) -> Self {
        Self::InvalidArgument { argument: "options", problem: ArgumentError::Options(error) }
    }
}

/// A misuse of an action by its driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DriverError {
    /// The event does not answer the step before. Holds the name of the expected event.
    WrongEvent(&'static str),
    /// The action was stepped after its end.
    Ended,
}

impl fmt::Display for DriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongEvent(expected) => {
                write!(f, "the driver stepped the action with another event than {expected}")
            }
            Self::Ended => f.write_str("the driver stepped the action after its end"),
        }
    }
}

impl core::error::Error for DriverError {}

/// The problem of a bad request that had a page token.
pub(crate) const PAGE_TOKEN_REFUSED: &str = "the service refused the request, perhaps for its page token, which is good for \
                                             one account and one state filter, and not forever";

impl Error {
    /// The error of a setting or secret that is not valid.
    pub(crate) fn misconfigured(name: &'static str, problem: impl Into<SettingError>) -> Self {
        Self::Misconfigured { name, problem: problem.into(), service: None }
    }

    /// The name of the case in the WIT contract.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidArgument { .. } => "invalid-argument",
            Self::Misconfigured { .. } => "misconfigured",
            Self::Unauthenticated { .. } => "unauthenticated",
            Self::PermissionDenied { .. } => "permission-denied",
            Self::UserNotFound { .. } => "user-not-found",
            Self::AmbiguousUser { .. } => "ambiguous-user",
            Self::LastOwner { .. } => "last-owner",
            Self::ExternallyManaged { .. } => "externally-managed",
            Self::RateLimited { .. } => "rate-limited",
            Self::Unavailable { .. } => "unavailable",
            Self::InvalidResponse { .. } => "invalid-response",
            Self::Driver(_) | Self::Other { .. } => "other",
        }
    }

    /// The error of the service, if there was one.
    #[must_use]
    pub fn service(&self) -> Option<&ServiceError> {
        match self {
            Self::Unauthenticated { service, .. }
            | Self::PermissionDenied { service, .. }
            | Self::LastOwner { service }
            | Self::ExternallyManaged { service }
            | Self::RateLimited { service, .. }
            | Self::Unavailable { cause: UnavailableCause::Service(service), .. } => Some(service),
            Self::Misconfigured { service, .. } | Self::UserNotFound { service, .. } | Self::Other { service, .. } => {
                service.as_ref()
            }
            Self::InvalidArgument { .. }
            | Self::AmbiguousUser { .. }
            | Self::Unavailable { .. }
            | Self::InvalidResponse { .. }
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
        matches!(self, Self::RateLimited { .. } | Self::Unavailable { .. })
    }

    /// True if the service refused a request with a page token as a bad one, most likely because of that token.
    #[must_use]
    pub fn may_be_the_page_token(&self) -> bool {
        matches!(self, Self::Other { problem, .. } if problem == PAGE_TOKEN_REFUSED)
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
            Self::Unavailable { may_have_changed: true, .. } | Self::InvalidResponse { may_have_changed: true, .. }
        )
    }

    /// The way to solve the problem, as a sentence.
    #[must_use]
    pub fn remedy(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::InvalidArgument { .. } => "Correct the argument; nothing was sent.",
            Self::Misconfigured { name: "base-url", .. } => {
                "Set base-url to https://api.1password.com, .ca or .eu, the region of the account."
            }
            Self::Misconfigured { name: "account-id", .. } => {
                "Set account-id to the id of the account, which its administrator sees beside the OAuth application."
            }
            Self::Misconfigured { name: "api-version", .. } => "Set api-version to v1 or v1beta1, or leave it out.",
            Self::Misconfigured { name: "timeout", .. } => {
                "Set timeout to a number of seconds such as 30, or leave it out."
            }
            Self::Misconfigured { name: "deadline", .. } => {
                "Set deadline to a number of seconds such as 300, or leave it out."
            }
            Self::Misconfigured { name: "max-attempts", .. } => {
                "Set max-attempts to a number from 1 to 10, such as 4, or leave it out."
            }
            Self::Misconfigured { name: "user-agent", .. } => {
                "Set user-agent to your product and version, such as ExamplePlatform/2.1, or leave it out."
            }
            Self::Misconfigured { name: "access-token", .. } => {
                "Set access-token to a token of the service, or leave it out and set client-id and client-secret."
            }
            Self::Misconfigured { .. } => {
                "Set client-id and client-secret to those of an OAuth application (in 1Password under Integrations)."
            }
            Self::Unauthenticated { name: "access-token", .. } => {
                "Have the platform obtain a new access-token; this component does not renew it."
            }
            Self::Unauthenticated { .. } => {
                "Check client-id and client-secret, and that the OAuth application still exists in the account of this region."
            }
            Self::PermissionDenied { permission, .. } => {
                return Cow::Owned(format!(
                    "Give the OAuth application the permission to {permission}, and check account-id; the service also \
                     refuses to change some users (owners, externally managed administrators, provisioned accounts)."
                ));
            }
            Self::UserNotFound { .. } => "Check the id or address, and account-id.",
            Self::AmbiguousUser { .. } => "Name the user by one of these ids.",
            Self::LastOwner { .. } => "Give the account another owner first.",
            Self::ExternallyManaged { .. } => "Suspend the user where it is managed.",
            Self::RateLimited { .. } => "Try again later, with growing pauses.",
            Self::Unavailable { may_have_changed: true, .. } => {
                "The user may have been changed nonetheless: look at it before you try again."
            }
            Self::Unavailable { .. } => "Try again later, with growing pauses.",
            Self::InvalidResponse { may_have_changed: true, .. } => {
                "The user may have been changed nonetheless: look at it. Then check that base-url names the service itself."
            }
            Self::InvalidResponse { .. } => {
                "Check that base-url names the service itself, and that nothing on the way alters answers."
            }
            Self::Driver(_) | Self::Other { .. } => "See what the service said, and the documentation of this error.",
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
            Self::PermissionDenied { permission, service } => {
                write!(f, "the service refuses to {permission} ({service})")
            }
            Self::UserNotFound { user: UserRef::Id(id), service } => {
                write!(f, "the account has no user with the id {id:?}")?;
                service.as_ref().map_or(Ok(()), |service| write!(f, " ({service})"))
            }
            Self::UserNotFound { user: UserRef::Email(email), .. } => {
                write!(f, "the account has no user with the e-mail address {email:?}")
            }
            Self::AmbiguousUser { email, ids } => {
                let least = if ids.len() < MAX_NAMESAKES { "" } else { "at least " };
                write!(f, "{least}{} users have the e-mail address {email:?}: {}", ids.len(), ids.join(", "))
            }
            Self::LastOwner { service } => write!(f, "the user is the last owner of the account ({service})"),
            Self::ExternallyManaged { service } => {
                write!(f, "the user is an externally managed administrator ({service})")
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
            Self::Unavailable { cause: UnavailableCause::Deadline(deadline), .. } => {
                write!(f, "the action was not done within its deadline of {} s", deadline.as_secs())
            }
            Self::Unavailable { cause: UnavailableCause::Lookup { name, detail }, .. } => {
                write!(f, "the platform could not look up {name}: {detail}")
            }
            Self::InvalidResponse { problem, status, .. } => {
                write!(f, "the answer cannot be trusted (HTTP {status}): {problem}")
            }
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
    retry_after.map_or(Ok(()), |pause| write!(f, "; it asks to wait {} s", pause.as_secs()))
}
