//! The exported functions: converts the contract's types to the core's and back, and nothing else.

use alloc::vec::Vec;

use onepassword_users_core as core_;
use onepassword_users_core::catalogue::{ErrorCode, FailureClass};

use crate::bindings::Component;
use crate::bindings::exports::onepassword::users::actions::Guest;
use crate::bindings::exports::onepassword::users::types as wit;
use crate::driver::run;
use crate::session::session;

impl Guest for Component {
    fn list_users(query: wit::ListQuery) -> Result<wit::UserList, wit::Failure> {
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

    fn get_user(user: wit::UserRef) -> Result<wit::User, wit::Failure> {
        Ok(run(session().get_user(user.into()))?.into())
    }

    fn find_users(users: Vec<wit::UserRef>) -> Result<Vec<Result<wit::User, wit::Failure>>, wit::Failure> {
        let users = users.into_iter().map(core_::UserRef::from).collect();
        let results = run(session().find_users(users))?;
        Ok(results.into_iter().map(|result| result.map(wit::User::from).map_err(wit::Failure::from)).collect())
    }

    fn suspend_user(user: wit::UserRef, mode: wit::ChangeMode) -> Result<wit::StateChange, wit::Failure> {
        Ok(run(session().suspend_user(user.into(), mode.into()))?.into())
    }

    fn reactivate_user(user: wit::UserRef, mode: wit::ChangeMode) -> Result<wit::StateChange, wit::Failure> {
        Ok(run(session().reactivate_user(user.into(), mode.into()))?.into())
    }
}

impl From<wit::UserRef> for core_::UserRef {
    fn from(user: wit::UserRef) -> Self {
        match user {
            wit::UserRef::Id(id) => Self::Id(id),
            wit::UserRef::Email(email) => Self::Email(email),
            wit::UserRef::Known(wit::KnownUser { id, email }) => Self::Known { id, email },
        }
    }
}

impl From<wit::ChangeMode> for core_::ChangeMode {
    fn from(mode: wit::ChangeMode) -> Self {
        match mode {
            wit::ChangeMode::Apply => Self::Apply,
            wit::ChangeMode::DryRun => Self::DryRun,
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
                core_::UserState::Other => wit::UserState::Other,
            },
            service_state: user.service_state.into_owned(),
            create_time: user.create_time,
            path: user.path,
        }
    }
}

impl From<core_::StateChange> for wit::StateChange {
    fn from(change: core_::StateChange) -> Self {
        Self {
            outcome: match change.outcome {
                core_::ChangeOutcome::Changed => wit::ChangeOutcome::Changed,
                core_::ChangeOutcome::Unchanged => wit::ChangeOutcome::Unchanged,
                core_::ChangeOutcome::WouldChange => wit::ChangeOutcome::WouldChange,
            },
            user: change.user.into(),
        }
    }
}

impl From<core_::Error> for wit::Failure {
    #[inline(never)]
    fn from(error: core_::Error) -> Self {
        let failure = core_::Failure::from(error);
        Self {
            class: class(failure.class()),
            retryable: failure.is_retryable(),
            code: code(failure.code),
            message: failure.message,
            remedy: failure.remedy,
            retry_after: failure.retry_after,
            may_have_changed: failure.may_have_changed,
            subject: failure.subject.map(|subject| wit::Subject {
                kind: match subject.kind {
                    core_::SubjectKind::Argument => wit::SubjectKind::Argument,
                    core_::SubjectKind::Setting => wit::SubjectKind::Setting,
                    core_::SubjectKind::Secret => wit::SubjectKind::Secret,
                },
                name: subject.name,
            }),
            user_id: failure.user_id,
            candidates: failure.candidates,
            more_candidates: failure.more_candidates,
            service: failure.service.map(|core_::ServiceError { status, code, message }| wit::ServiceError {
                status,
                code,
                message,
            }),
        }
    }
}

fn class(class: FailureClass) -> wit::FailureClass {
    match class {
        FailureClass::Caller => wit::FailureClass::Caller,
        FailureClass::Settings => wit::FailureClass::Settings,
        FailureClass::Credentials => wit::FailureClass::Credentials,
        FailureClass::Refused => wit::FailureClass::Refused,
        FailureClass::Absent => wit::FailureClass::Absent,
        FailureClass::Retry => wit::FailureClass::Retry,
        FailureClass::Untrusted => wit::FailureClass::Untrusted,
        FailureClass::Host => wit::FailureClass::Host,
    }
}

fn code(code: ErrorCode) -> wit::ErrorCode {
    match code {
        ErrorCode::InvalidArgument => wit::ErrorCode::InvalidArgument,
        ErrorCode::PageTokenRefused => wit::ErrorCode::PageTokenRefused,
        ErrorCode::TooManyUsers => wit::ErrorCode::TooManyUsers,
        ErrorCode::Misconfigured => wit::ErrorCode::Misconfigured,
        ErrorCode::Unauthenticated => wit::ErrorCode::Unauthenticated,
        ErrorCode::PermissionDenied => wit::ErrorCode::PermissionDenied,
        ErrorCode::UserNotFound => wit::ErrorCode::UserNotFound,
        ErrorCode::AmbiguousUser => wit::ErrorCode::AmbiguousUser,
        ErrorCode::AddressMismatch => wit::ErrorCode::AddressMismatch,
        ErrorCode::LastOwner => wit::ErrorCode::LastOwner,
        ErrorCode::ExternallyManaged => wit::ErrorCode::ExternallyManaged,
        ErrorCode::ProtectedUser => wit::ErrorCode::ProtectedUser,
        ErrorCode::RateLimited => wit::ErrorCode::RateLimited,
        ErrorCode::Unavailable => wit::ErrorCode::Unavailable,
        ErrorCode::InvalidResponse => wit::ErrorCode::InvalidResponse,
        ErrorCode::EndlessList => wit::ErrorCode::EndlessList,
        ErrorCode::Intermediary => wit::ErrorCode::Intermediary,
        ErrorCode::HostFailed => wit::ErrorCode::HostFailed,
        ErrorCode::Other => wit::ErrorCode::Other,
    }
}
