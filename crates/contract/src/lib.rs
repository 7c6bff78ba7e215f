//! Conversions from the core's types to those of `automation:connector`, for each component that exports its interfaces.
//!
//! Each component has bindings of its own: the same shapes, but different types in Rust. The macro [`convert!`] defines the
//! conversions for them.

#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

/// For the expansion of [`convert!`].
#[doc(hidden)]
pub use onepassword_users_core as __core;

/// Defines the function `failure(Error) -> Failure`: the record of an error. The argument is the path of the module of the interface `failures`.
///
/// ```ignore
/// onepassword_users_contract::convert!(crate::bindings::exports::automation::connector::failures);
/// ```
#[macro_export]
macro_rules! convert {
    ($($failures:tt)+) => {
        use $($failures)+ as __failures;

        /// The failure record of an error.
        #[inline(never)]
        pub(crate) fn failure(error: $crate::__core::Error) -> __failures::Failure {
            use __failures::{FailureClass, SubjectKind};
            use $crate::__core::catalogue::FailureClass as Class;
            use $crate::__core::{Failure, ServiceError, SubjectKind as Kind};

            let failure = Failure::from(error);
            __failures::Failure {
                code: failure.code.name().into(),
                class: match failure.class() {
                    Class::Caller => FailureClass::Caller,
                    Class::Settings => FailureClass::Settings,
                    Class::Credentials => FailureClass::Credentials,
                    Class::Refused => FailureClass::Refused,
                    Class::Absent => FailureClass::Absent,
                    Class::Retry => FailureClass::Retry,
                    Class::Untrusted => FailureClass::Untrusted,
                    Class::Host => FailureClass::Host,
                },
                retryable: failure.is_retryable(),
                message: failure.message,
                remedy: failure.remedy,
                retry_after: failure.retry_after,
                may_have_changed: failure.may_have_changed,
                subject: failure.subject.map(|subject| __failures::Subject {
                    kind: match subject.kind {
                        Kind::Argument => SubjectKind::Argument,
                        Kind::Setting => SubjectKind::Setting,
                        Kind::Secret => SubjectKind::Secret,
                    },
                    name: subject.name,
                }),
                user_id: failure.user_id,
                candidates: failure.candidates,
                more_candidates: failure.more_candidates,
                service: failure.service.map(|ServiceError { status, code, message }| __failures::ServiceError {
                    status,
                    code,
                    message,
                }),
            }
        }
    };
}
