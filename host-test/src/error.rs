//! The errors of the host and of calls to a connector.

use std::time::Duration;

use crate::types;

/// A failure of the action itself, or of the host around it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The action failed. The component returned this error.
    Action(types::Error),
    /// The component could not be compiled, linked or instantiated.
    Load(String),
    /// An option of a connector is invalid: the CA file or the proxy.
    Options(String),
    /// The component trapped. Its instance was discarded.
    Trap(String),
    /// The call exceeded this deadline. Its instance was discarded, and a change may have been made.
    Deadline(Duration),
    /// The list does not end: a page token came for the second time, there are more than 2,000,000 users, or their text is
    /// longer than 1 GiB.
    EndlessList,
}

impl Error {
    /// The name of the case. That of an action's error is its name in the WIT contract.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Action(error) => error.code(),
            Self::Load(_) => "load",
            Self::Options(_) => "options",
            Self::Trap(_) => "trap",
            Self::Deadline(_) => "deadline",
            Self::EndlessList => "invalid-response",
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Action(error) => f.write_str(error.message()),
            Self::Load(problem) => write!(f, "cannot load the component: {problem}"),
            Self::Options(problem) => write!(f, "cannot set up the connector: {problem}"),
            Self::Trap(problem) => write!(f, "the component trapped: {problem}. Its instance was discarded."),
            Self::Deadline(deadline) => write!(
                f,
                "the call took longer than {} s and was ended. If it was a change, check the user before you try again.",
                deadline.as_secs_f64()
            ),
            Self::EndlessList => {
                f.write_str("the service's list does not end: its pages form a cycle, or there are too many")
            }
        }
    }
}

impl std::error::Error for Error {}

impl From<types::Error> for Error {
    fn from(error: types::Error) -> Self {
        Self::Action(error)
    }
}

impl types::Error {
    /// The message for people: the cause and the remedy.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::InvalidArgument(error) => &error.message,
            Self::Misconfigured(error) => &error.message,
            Self::Unauthenticated(error) | Self::PermissionDenied(error) => &error.message,
            Self::UserNotFound(error) => &error.message,
            Self::AmbiguousUser(error) => &error.message,
            Self::LastOwner(error) | Self::ExternallyManaged(error) => &error.message,
            Self::RateLimited(error) => &error.message,
            Self::Unavailable(error) => &error.message,
            Self::InvalidResponse(error) => &error.message,
            Self::Other(error) => &error.message,
        }
    }

    /// The name of the case, as in the WIT contract.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidArgument(_) => "invalid-argument",
            Self::Misconfigured(_) => "misconfigured",
            Self::Unauthenticated(_) => "unauthenticated",
            Self::PermissionDenied(_) => "permission-denied",
            Self::UserNotFound(_) => "user-not-found",
            Self::AmbiguousUser(_) => "ambiguous-user",
            Self::LastOwner(_) => "last-owner",
            Self::ExternallyManaged(_) => "externally-managed",
            Self::RateLimited(_) => "rate-limited",
            Self::Unavailable(_) => "unavailable",
            Self::InvalidResponse(_) => "invalid-response",
            Self::Other(_) => "other",
        }
    }

    /// True if the same action may succeed when it is repeated later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::RateLimited(_) | Self::Unavailable(_))
    }

    /// The service's error response, if there was one.
    #[must_use]
    pub fn reply(&self) -> Option<&types::Reply> {
        match self {
            Self::Unauthenticated(error)
            | Self::PermissionDenied(error)
            | Self::LastOwner(error)
            | Self::ExternallyManaged(error) => Some(&error.reply),
            Self::RateLimited(error) => Some(&error.reply),
            Self::Misconfigured(error) => error.reply.as_ref(),
            Self::UserNotFound(error) => error.reply.as_ref(),
            Self::Unavailable(error) => error.reply.as_ref(),
            Self::Other(error) => error.reply.as_ref(),
            Self::InvalidArgument(_) | Self::AmbiguousUser(_) | Self::InvalidResponse(_) => None,
        }
    }
}
