//! The errors of the host and of calls to a connector.

use std::time::Duration;

use onepassword_users_core::catalogue::{ErrorCode, FailureClass};
use onepassword_users_core::{Code, Failure};

/// A failure of the action itself, or of the host around it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The action failed.
    Action(Failure),
    /// The action of another connector failed, with a code that only that connector has.
    Foreign(Failure<ForeignCode>),
    /// The component could not be compiled, linked or instantiated.
    Load(String),
    /// An option of a connector is invalid: the CA file, the proxy or an allowed origin.
    Options(String),
    /// All instances of the host are in use. A later attempt may succeed.
    Busy {
        /// The most instances of the host's [`HostConfig`](crate::HostConfig).
        max_instances: u32,
    },
    /// The audit hook did not record a change, so it was not sent.
    Audit {
        /// The cause.
        problem: String,
        /// The call had sent a change already, which was recorded, so the user may be in another state now.
        may_have_changed: bool,
    },
    /// The component trapped. Its instance was discarded.
    Trap {
        /// The cause.
        problem: String,
        /// The call had sent a change already, so the user may be in another state now.
        may_have_changed: bool,
    },
    /// The call exceeded the deadline of its [`Options`](crate::Options). Its instance was discarded.
    Deadline {
        /// That deadline.
        deadline: Duration,
        /// The call had sent a change already, so the user may be in another state now.
        may_have_changed: bool,
    },
}

/// The code of a failure, of any connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignCode {
    /// The code.
    pub name: String,
    /// The class.
    pub class: FailureClass,
}

impl Code for ForeignCode {
    fn name(&self) -> &str {
        &self.name
    }

    fn class(&self) -> FailureClass {
        self.class
    }
}

impl Error {
    /// The failure record with a code of any connector.
    #[must_use]
    pub fn record(&self) -> Failure<ForeignCode> {
        match self {
            Self::Foreign(failure) => failure.clone(),
            error => {
                let failure = error.failure();
                let code = ForeignCode { name: failure.code.name().into(), class: failure.class() };
                failure.with_code(code)
            }
        }
    }

    /// The outcome of the call in the log: the code of the action's failure, or the name of the case.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Foreign(failure) => &failure.code.name,
            Self::Action(failure) => failure.code.name(),
            Self::Load(_) => "load",
            Self::Options(_) => "options",
            Self::Busy { .. } => "busy",
            Self::Audit { .. } => "audit",
            Self::Trap { .. } => "trap",
            Self::Deadline { .. } => "deadline",
        }
    }

    /// The failure record: that of the action, or one for the failure of the host. The code of another connector is
    /// [`ErrorCode::Other`] here, and itself in [`record`](Self::record).
    #[must_use]
    pub fn failure(&self) -> Failure {
        let (code, remedy) = match self {
            Self::Action(failure) => return failure.clone(),
            Self::Foreign(failure) => return failure.clone().with_code(ErrorCode::Other),
            Self::Options(_) => (ErrorCode::Misconfigured, "Correct the option."),
            Self::Busy { .. } => (
                ErrorCode::Unavailable,
                "Try again in a moment, or allow more instances with HostConfig.max_instances.",
            ),
            Self::Trap { may_have_changed: true, .. }
            | Self::Deadline { may_have_changed: true, .. }
            | Self::Audit { may_have_changed: true, .. } => {
                (ErrorCode::HostFailed, "The user may have been changed nonetheless: look at it before you try again.")
            }
            Self::Audit { .. } => {
                (ErrorCode::HostFailed, "Nothing was changed. Make the audit work again, and then try again.")
            }
            Self::Deadline { .. } => (
                ErrorCode::HostFailed,
                "Allow more time, or set the setting deadline to less than the host's deadline.",
            ),
            Self::Load(_) | Self::Trap { .. } => {
                (ErrorCode::HostFailed, "Check that the component is an unmodified release that fits this host.")
            }
        };
        let may_have_changed = matches!(
            self,
            Self::Trap { may_have_changed: true, .. }
                | Self::Deadline { may_have_changed: true, .. }
                | Self::Audit { may_have_changed: true, .. }
        );
        Failure { may_have_changed, ..Failure::new(code, self.problem(), remedy) }
    }

    fn problem(&self) -> String {
        match self {
            Self::Action(failure) => failure.message.clone(),
            Self::Foreign(failure) => failure.message.clone(),
            Self::Load(problem) => format!("cannot load the component: {problem}"),
            Self::Options(problem) => format!("cannot set up the connector: {problem}"),
            Self::Busy { max_instances } => format!("all {max_instances} instances of the host are in use"),
            Self::Audit { problem, .. } => {
                format!("the change was not sent, since the audit did not record it: {problem}")
            }
            Self::Trap { problem, .. } => format!("the component trapped: {problem}"),
            Self::Deadline { deadline, .. } => {
                format!("the call took longer than {} s and was ended", deadline.as_secs_f64())
            }
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let failure = self.failure();
        write!(f, "{}. {}", failure.message, failure.remedy)
    }
}

impl std::error::Error for Error {}
