//! Everything that can go wrong, by what the caller can do about it.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::http::TransportError;
use crate::lookup::MAX_NAMESAKES;
use crate::reply::Reply;
use crate::user::UserRef;

/// Why an action did not succeed.
///
/// `Display` says what happened, in one lower-case clause; [`Error::remedy`] says what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// An argument cannot be used. Nothing was sent.
    InvalidArgument {
        /// Which one, by its name in the WIT contract.
        argument: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A setting or secret is missing or cannot be used, or the service's answer shows that it is wrong.
    Misconfigured {
        /// Its name.
        name: &'static str,
        /// What is wrong with it; never a secret value.
        problem: String,
        /// What the service said, if that gave the fault away.
        reply: Option<Reply>,
    },
    /// The service does not accept the credentials: they are wrong, were revoked, or the token has expired.
    Unauthenticated {
        /// The secret at fault: `client-secret` (with `client-id`) or `access-token`.
        name: &'static str,
        /// What the service said.
        reply: Reply,
    },
    /// The credentials do not allow this: a permission is missing, the user is protected, or the account is another.
    PermissionDenied {
        /// What was to be done, such as `suspend users`: the permission of the OAuth application that it takes.
        permission: &'static str,
        /// What the service said.
        reply: Reply,
    },
    /// The account has no such user.
    UserNotFound {
        /// Who was looked for.
        user: UserRef,
        /// What the service said; `None` if the account was looked through for an address.
        reply: Option<Reply>,
    },
    /// Several users bear the address.
    AmbiguousUser {
        /// The address that was looked for.
        email: String,
        /// Who bears it: the first 100.
        ids: Vec<String>,
    },
    /// The last owner of an account cannot be suspended.
    LastOwner {
        /// What the service said.
        reply: Reply,
    },
    /// An externally managed administrator cannot be suspended here.
    ExternallyManaged {
        /// What the service said.
        reply: Reply,
    },
    /// Too many requests.
    RateLimited {
        /// How long to wait, if the service said so.
        retry_after: Option<Duration>,
        /// What the service said.
        reply: Reply,
    },
    /// The service, or the platform's store of settings and secrets, could not be reached, was too slow, or failed.
    Unavailable {
        /// What failed.
        outage: Outage,
        /// How long to wait, if the service said so.
        retry_after: Option<Duration>,
        /// A change was sent, and its outcome is not known.
        may_have_changed: bool,
    },
    /// An answer that is not what the service is known to give.
    InvalidResponse {
        /// What is wrong with it.
        problem: String,
        /// Its HTTP status.
        status: u16,
        /// A change was sent, and its outcome is not known.
        may_have_changed: bool,
    },
    /// Anything else.
    Other {
        /// What happened.
        problem: String,
        /// What the service said, if it said anything.
        reply: Option<Reply>,
    },
}

/// What failed when something was [unavailable](Error::Unavailable).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outage {
    /// There was no answer from this host.
    Transport {
        /// Scheme, host and port.
        origin: String,
        /// Why.
        error: TransportError,
    },
    /// The service answered that it failed.
    Service(Reply),
    /// The time that the action may take was over before all was done.
    Deadline(Duration),
    /// The platform could not look a setting or secret up.
    Lookup {
        /// Its name.
        name: &'static str,
        /// Why, in the platform's words.
        detail: String,
    },
}

/// What is told of a bad request with a page token.
pub(crate) const PAGE_TOKEN_REFUSED: &str = "the service refused the request, perhaps for its page token, which is good for \
                                             one account and one state filter, and not for ever";

impl Error {
    /// The name of the case, as in the WIT contract.
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
            Self::Other { .. } => "other",
        }
    }

    /// What the service said, if it said anything.
    #[must_use]
    pub fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Unauthenticated { reply, .. }
            | Self::PermissionDenied { reply, .. }
            | Self::LastOwner { reply }
            | Self::ExternallyManaged { reply }
            | Self::RateLimited { reply, .. }
            | Self::Unavailable { outage: Outage::Service(reply), .. } => Some(reply),
            Self::Misconfigured { reply, .. } | Self::UserNotFound { reply, .. } | Self::Other { reply, .. } => {
                reply.as_ref()
            }
            Self::InvalidArgument { .. }
            | Self::AmbiguousUser { .. }
            | Self::Unavailable { .. }
            | Self::InvalidResponse { .. } => None,
        }
    }

    /// The HTTP status of the answer, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::InvalidResponse { status, .. } => Some(*status),
            error => error.reply().map(|reply| reply.status),
        }
    }

    /// Whether the same action may succeed if it is simply repeated later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Unavailable { .. })
    }

    /// Whether the service calls the request a bad one, and it had a page token: that is most likely why.
    #[must_use]
    pub fn may_be_the_page_token(&self) -> bool {
        matches!(self, Self::Other { problem, .. } if problem == PAGE_TOKEN_REFUSED)
    }

    /// How long the service asks to wait, if it does.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether a change was sent whose outcome is not known.
    #[must_use]
    pub fn may_have_changed(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { may_have_changed: true, .. } | Self::InvalidResponse { may_have_changed: true, .. }
        )
    }

    /// What to do about it, as a sentence.
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
            Self::Other { .. } => "See what the service said, and the documentation of this error.",
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidArgument { argument, problem } => {
                write!(f, "the argument {argument} cannot be used: {problem}")
            }
            Self::Misconfigured { name, problem, reply } => {
                write!(f, "{name} is not right: {problem}")?;
                reply.as_ref().map_or(Ok(()), |reply| write!(f, " ({reply})"))
            }
            Self::Unauthenticated { name: "access-token", reply } => {
                write!(f, "the service does not accept the access-token ({reply})")
            }
            Self::Unauthenticated { reply, .. } => write!(f, "the service does not accept the credentials ({reply})"),
            Self::PermissionDenied { permission, reply } => write!(f, "the service refuses to {permission} ({reply})"),
            Self::UserNotFound { user: UserRef::Id(id), reply } => {
                write!(f, "the account has no user with the id {id:?}")?;
                reply.as_ref().map_or(Ok(()), |reply| write!(f, " ({reply})"))
            }
            Self::UserNotFound { user: UserRef::Email(email), .. } => {
                write!(f, "the account has no user with the e-mail address {email:?}")
            }
            Self::AmbiguousUser { email, ids } => {
                let least = if ids.len() < MAX_NAMESAKES { "" } else { "at least " };
                write!(f, "{least}{} users bear the e-mail address {email:?}: {}", ids.len(), ids.join(", "))
            }
            Self::LastOwner { reply } => write!(f, "the user is the last owner of the account ({reply})"),
            Self::ExternallyManaged { reply } => write!(f, "the user is an externally managed administrator ({reply})"),
            Self::RateLimited { retry_after, reply } => {
                write!(f, "too many requests ({reply})")?;
                pause(f, *retry_after)
            }
            Self::Unavailable { outage: Outage::Transport { origin, error }, .. } => {
                write!(f, "no answer from {origin}: {error}")
            }
            Self::Unavailable { outage: Outage::Service(reply), retry_after, .. } => {
                write!(f, "the service failed ({reply})")?;
                pause(f, *retry_after)
            }
            Self::Unavailable { outage: Outage::Deadline(deadline), .. } => {
                write!(f, "the action was not done within its deadline of {} s", deadline.as_secs())
            }
            Self::Unavailable { outage: Outage::Lookup { name, detail }, .. } => {
                write!(f, "the platform could not look up {name}: {detail}")
            }
            Self::InvalidResponse { problem, status, .. } => {
                write!(f, "the answer cannot be trusted (HTTP {status}): {problem}")
            }
            Self::Other { problem, reply } => {
                f.write_str(problem)?;
                reply.as_ref().map_or(Ok(()), |reply| write!(f, " ({reply})"))
            }
        }
    }
}

impl core::error::Error for Error {}

fn pause(f: &mut fmt::Formatter<'_>, retry_after: Option<Duration>) -> fmt::Result {
    retry_after.map_or(Ok(()), |pause| write!(f, "; it asks to wait {} s", pause.as_secs()))
}
