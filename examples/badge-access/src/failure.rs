//! Failures: codes, and the record of the contract.

use alloc::string::String;
use alloc::vec::Vec;

use crate::bindings::exports::automation::connector::failures::{Failure, FailureClass, Subject, SubjectKind};

/// A code and its class.
pub(crate) type Code = (&'static str, FailureClass);

pub(crate) const INVALID_ARGUMENT: Code = ("invalid-argument", FailureClass::Caller);
pub(crate) const MISCONFIGURED: Code = ("misconfigured", FailureClass::Settings);
pub(crate) const UNAUTHENTICATED: Code = ("unauthenticated", FailureClass::Credentials);
pub(crate) const PERMISSION_DENIED: Code = ("permission-denied", FailureClass::Refused);
pub(crate) const RATE_LIMITED: Code = ("rate-limited", FailureClass::Retry);
pub(crate) const UNAVAILABLE: Code = ("unavailable", FailureClass::Retry);
pub(crate) const INVALID_RESPONSE: Code = ("invalid-response", FailureClass::Untrusted);
pub(crate) const OTHER: Code = ("other", FailureClass::Refused);
/// The one code that is not generic. The manifest lists it.
pub(crate) const BADGE_NOT_FOUND: Code = ("badge-not-found", FailureClass::Absent);

/// A failure with nothing but a code and words.
pub(crate) fn failure((code, class): Code, message: impl Into<String>, remedy: &str) -> Failure {
    Failure {
        code: code.into(),
        class,
        message: message.into(),
        remedy: remedy.into(),
        retryable: class == FailureClass::Retry,
        retry_after: None,
        may_have_changed: false,
        subject: None,
        user_id: None,
        candidates: Vec::new(),
        more_candidates: false,
        service: None,
    }
}

impl Failure {
    /// Names the argument, setting or secret at fault.
    pub(crate) fn about(self, kind: SubjectKind, name: &str) -> Self {
        Self { subject: Some(Subject { kind, name: name.into() }), ..self }
    }
}
