//! Conversion of the contract's results to the core's types, which have the JSON forms.

use std::borrow::Cow;

use onepassword_users_core as core_;
use onepassword_users_core::catalogue::{ERRORS, ErrorCode, FailureClass};

use crate::error::{Error, ForeignCode};
use crate::types;

impl From<types::User> for core_::User {
    fn from(user: types::User) -> Self {
        Self {
            id: user.id,
            email: user.email,
            display_name: user.display_name,
            state: match user.state {
                types::UserState::Active => core_::UserState::Active,
                types::UserState::Suspended => core_::UserState::Suspended,
                types::UserState::Other => core_::UserState::Other,
            },
            service_state: Cow::Owned(user.service_state),
            create_time: user.create_time,
            path: user.path,
        }
    }
}

impl From<types::StateChange> for core_::StateChange {
    fn from(change: types::StateChange) -> Self {
        Self {
            outcome: match change.outcome {
                types::ChangeOutcome::Changed => core_::ChangeOutcome::Changed,
                types::ChangeOutcome::Unchanged => core_::ChangeOutcome::Unchanged,
                types::ChangeOutcome::WouldChange => core_::ChangeOutcome::WouldChange,
            },
            user: change.user.into(),
        }
    }
}

impl From<types::Failure> for core_::Failure {
    fn from(failure: types::Failure) -> Self {
        Self {
            code: code(failure.code),
            message: failure.message,
            remedy: failure.remedy,
            retry_after: failure.retry_after,
            may_have_changed: failure.may_have_changed,
            subject: failure.subject.map(|subject| core_::Subject {
                kind: match subject.kind {
                    types::SubjectKind::Argument => core_::SubjectKind::Argument,
                    types::SubjectKind::Setting => core_::SubjectKind::Setting,
                    types::SubjectKind::Secret => core_::SubjectKind::Secret,
                },
                name: subject.name,
            }),
            user_id: failure.user_id,
            candidates: failure.candidates,
            more_candidates: failure.more_candidates,
            service: failure.service.map(|types::ServiceError { status, code, message }| core_::ServiceError {
                status,
                code,
                message,
            }),
        }
    }
}

fn code(code: types::ErrorCode) -> ErrorCode {
    match code {
        types::ErrorCode::InvalidArgument => ErrorCode::InvalidArgument,
        types::ErrorCode::PageTokenRefused => ErrorCode::PageTokenRefused,
        types::ErrorCode::TooManyUsers => ErrorCode::TooManyUsers,
        types::ErrorCode::Misconfigured => ErrorCode::Misconfigured,
        types::ErrorCode::Unauthenticated => ErrorCode::Unauthenticated,
        types::ErrorCode::PermissionDenied => ErrorCode::PermissionDenied,
        types::ErrorCode::UserNotFound => ErrorCode::UserNotFound,
        types::ErrorCode::AmbiguousUser => ErrorCode::AmbiguousUser,
        types::ErrorCode::AddressMismatch => ErrorCode::AddressMismatch,
        types::ErrorCode::LastOwner => ErrorCode::LastOwner,
        types::ErrorCode::ExternallyManaged => ErrorCode::ExternallyManaged,
        types::ErrorCode::ProtectedUser => ErrorCode::ProtectedUser,
        types::ErrorCode::RateLimited => ErrorCode::RateLimited,
        types::ErrorCode::Unavailable => ErrorCode::Unavailable,
        types::ErrorCode::InvalidResponse => ErrorCode::InvalidResponse,
        types::ErrorCode::EndlessList => ErrorCode::EndlessList,
        types::ErrorCode::Intermediary => ErrorCode::Intermediary,
        types::ErrorCode::HostFailed => ErrorCode::HostFailed,
        types::ErrorCode::Other => ErrorCode::Other,
    }
}

impl From<types::Failure> for Error {
    fn from(failure: types::Failure) -> Self {
        Self::Action(failure.into())
    }
}

/// Converts the failure record of either engine's bindings: the same shape in two types.
macro_rules! failure {
    ($($any:tt)+) => {
        impl From<$($any)+::Failure> for Error {
            fn from(failure: $($any)+::Failure) -> Self {
                use $($any)+ as any;
                let class = match failure.class {
                    any::FailureClass::Caller => FailureClass::Caller,
                    any::FailureClass::Settings => FailureClass::Settings,
                    any::FailureClass::Credentials => FailureClass::Credentials,
                    any::FailureClass::Refused => FailureClass::Refused,
                    any::FailureClass::Absent => FailureClass::Absent,
                    any::FailureClass::Retry => FailureClass::Retry,
                    any::FailureClass::Untrusted => FailureClass::Untrusted,
                    any::FailureClass::Host => FailureClass::Host,
                };
                let code = ForeignCode { name: failure.code, class };
                let record = core_::Failure {
                    code,
                    message: failure.message,
                    remedy: failure.remedy,
                    retry_after: failure.retry_after,
                    may_have_changed: failure.may_have_changed,
                    subject: failure.subject.map(|subject| core_::Subject {
                        kind: match subject.kind {
                            any::SubjectKind::Argument => core_::SubjectKind::Argument,
                            any::SubjectKind::Setting => core_::SubjectKind::Setting,
                            any::SubjectKind::Secret => core_::SubjectKind::Secret,
                        },
                        name: subject.name,
                    }),
                    user_id: failure.user_id,
                    candidates: failure.candidates,
                    more_candidates: failure.more_candidates,
                    service: failure.service.map(|any::ServiceError { status, code, message }| core_::ServiceError {
                        status,
                        code,
                        message,
                    }),
                };
                let known = ERRORS.iter().find(|known| known.name() == record.code.name && known.class() == record.code.class);
                match known {
                    Some(code) => Self::Action(record.with_code(*code)),
                    None => Self::Foreign(record),
                }
            }
        }
    };
}

failure!(crate::bindings::connector::exports::automation::connector::failures);
failure!(crate::bindings::steps::exports::automation::connector::failures);
