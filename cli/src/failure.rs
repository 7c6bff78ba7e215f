//! The failure of a command, and its exit code.

use onepassword_users_host::{Error, types};

/// A failed command: the message and the exit code.
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) code: u8,
}

impl Failure {
    pub(crate) fn other(message: String) -> Self {
        Self { message, code: 1 }
    }

    pub(crate) fn settings(message: String) -> Self {
        Self { message, code: 3 }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { message: error.to_string(), code: exit_code(&error) }
    }
}

/// The exit code of an error. The help text lists them.
pub(crate) fn exit_code(error: &Error) -> u8 {
    use types::Error as Action;
    match error {
        Error::Action(error) => match error {
            Action::InvalidArgument(_) => 2,
            Action::Misconfigured(_) => 3,
            Action::Unauthenticated(_) => 4,
            Action::PermissionDenied(_) => 5,
            Action::UserNotFound(_) => 6,
            Action::AmbiguousUser(_) => 7,
            Action::LastOwner(_) | Action::ExternallyManaged(_) => 8,
            Action::RateLimited(_) => 9,
            Action::Unavailable(_) => 10,
            Action::InvalidResponse(_) => 11,
            Action::Other(_) => 1,
        },
        Error::EndlessList => 11,
        Error::Options(_) => 3,
        Error::Load(_) | Error::Trap(_) | Error::Deadline(_) => 13,
        _ => 1,
    }
}
