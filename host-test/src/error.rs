//! Why a call to a connector did not give a result.

use std::time::Duration;

use crate::types;

/// A failure of the action itself, or of the host around it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The component says why the action did not succeed.
    Action(types::Error),
    /// The component could not be loaded.
    Load(String),
    /// The options of a connector cannot be used.
    Options(String),
    /// The component trapped; its instance was thrown away.
    Trap(String),
    /// The call took longer than this; its instance was thrown away.
    Deadline(Duration),
    /// The service's pages lead back to one that was read already, or there are more than 2,000,000 users.
    EndlessList,
}

impl Error {
    /// The name of the case: of the action's own error as in the WIT contract.
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
            Self::Load(problem) => write!(f, "the component cannot be loaded: {problem}"),
            Self::Options(problem) => write!(f, "the connector cannot be set up: {problem}"),
            Self::Trap(problem) => write!(f, "the component failed: {problem}. Its instance was thrown away."),
            Self::Deadline(deadline) => write!(
                f,
                "the call took longer than {} s and was ended. If it was a change, look at the user before you try again.",
                deadline.as_secs_f64()
            ),
            Self::EndlessList => {
                f.write_str("the service's pages lead in a circle or go on for ever, so that the list would never end")
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
    /// What happened and what to do, for a person.
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

    /// Whether the same action may succeed if it is simply repeated later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::RateLimited(_) | Self::Unavailable(_))
    }

    /// What the service said, if it said anything.
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
