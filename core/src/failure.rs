//! The failure record: an error with everything that a caller may want to act on, in one shape for all errors.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::api::service_error::ServiceError;
use crate::catalogue::{ErrorCode, FailureClass, SECRET_NAMES, SECRETS, SETTINGS};
use crate::error::{Error, MAX_NAMESAKES, UnavailableCause, whole_seconds};

/// A failed action. The component's contract, the JSON forms and the HTTP API have the same fields. `C` is the type of the
/// code: a face that has errors of its own has a type of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure<C = ErrorCode> {
    /// The code.
    pub code: C,
    /// A description for people: one clause in lower case. It does not repeat the remedy.
    pub message: String,
    /// The way to solve the problem, as a sentence.
    pub remedy: String,
    /// The time to wait before the next attempt, in seconds, if the service named one.
    pub retry_after: Option<u32>,
    /// True if a change was sent whose outcome is not known.
    pub may_have_changed: bool,
    /// The argument, setting or secret at fault.
    pub subject: Option<Subject>,
    /// The id of the user that the failure is about, if it is known.
    pub user_id: Option<String>,
    /// The ids of the users that have the address, if several have it.
    pub candidates: Vec<String>,
    /// True if there are more candidates than that.
    pub more_candidates: bool,
    /// The error of the service, if there was one.
    pub service: Option<ServiceError>,
}

/// The code of a [`Failure`]: an [`ErrorCode`], or a face's own.
pub trait Code {
    /// The code itself: lower case, words joined by hyphens.
    fn name(&self) -> &str;
    /// The class of the code.
    fn class(&self) -> FailureClass;
}

impl Code for ErrorCode {
    fn name(&self) -> &str {
        (*self).name()
    }

    fn class(&self) -> FailureClass {
        (*self).class()
    }
}

/// The argument, setting or secret at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its kind.
    pub kind: SubjectKind,
    /// Its name.
    pub name: String,
}

/// The kind of a [`Subject`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectKind {
    /// An argument of the action.
    Argument,
    /// A setting.
    Setting,
    /// A secret.
    Secret,
}

impl SubjectKind {
    /// The name of the kind.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Argument => "argument",
            Self::Setting => "setting",
            Self::Secret => "secret",
        }
    }
}

impl Subject {
    fn value(name: &str) -> Self {
        let is_secret = SECRET_NAMES.contains(&name);
        Self { kind: if is_secret { SubjectKind::Secret } else { SubjectKind::Setting }, name: name.to_owned() }
    }
}

impl<C: Code> Failure<C> {
    /// Creates a failure with nothing but a code and words.
    pub fn new(code: C, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            remedy: remedy.into(),
            retry_after: None,
            may_have_changed: false,
            subject: None,
            user_id: None,
            candidates: Vec::new(),
            more_candidates: false,
            service: None,
        }
    }

    /// The same failure with a code of another type.
    #[must_use]
    pub fn with_code<D: Code>(self, code: D) -> Failure<D> {
        Failure {
            code,
            message: self.message,
            remedy: self.remedy,
            retry_after: self.retry_after,
            may_have_changed: self.may_have_changed,
            subject: self.subject,
            user_id: self.user_id,
            candidates: self.candidates,
            more_candidates: self.more_candidates,
            service: self.service,
        }
    }

    /// The class of the code.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        self.code.class()
    }

    /// True if the same action may succeed if it is repeated later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.class() == FailureClass::Retry
    }

    /// The failure in the words of a face: `spell` returns the face's name of a setting, secret or argument, such as
    /// `client_secret` or `ONEPASSWORD_CLIENT_SECRET`. Only the core's own words are changed: the name at the beginning of the
    /// message, and names in the remedy.
    #[must_use]
    pub fn respelled(mut self, spell: impl Fn(&str) -> String) -> Self {
        if let Some(subject) = &mut self.subject {
            let name = spell(&subject.name);
            // The name where the core's own words have it. Anything after that may be foreign text.
            for lead in ["", "the argument ", "the platform could not look up "] {
                if let Some(rest) = self.message.strip_prefix(lead).and_then(|rest| rest.strip_prefix(&subject.name)) {
                    self.message = format!("{lead}{name}{rest}");
                    break;
                }
            }
            self.remedy = self.remedy.replacen(&format!("Set {} ", subject.name), &format!("Set {name} "), 1);
            subject.name = name;
        }
        let names = SETTINGS.iter().chain(&SECRETS).map(|value| value.name).chain(["page_token"]);
        for name in names.filter(|name| name.contains(['-', '_'])) {
            if self.remedy.contains(name) {
                self.remedy = self.remedy.replace(name, &spell(name));
            }
        }
        self
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let subject = match &error {
            Error::InvalidArgument { argument, .. } => {
                Some(Subject { kind: SubjectKind::Argument, name: argument.clone().into_owned() })
            }
            Error::PageTokenRefused { .. } => Some(Subject { kind: SubjectKind::Argument, name: "page_token".into() }),
            Error::ProtectedUser { .. } => Some(Subject::value("protected-users")),
            Error::Misconfigured { name, .. }
            | Error::Unauthenticated { name, .. }
            | Error::Unavailable { cause: UnavailableCause::Lookup { name: Some(name), .. }, .. } => {
                Some(Subject::value(name))
            }
            _ => None,
        };
        let retry_after = error.retry_after().map(|pause| u32::try_from(whole_seconds(pause)).unwrap_or(u32::MAX));
        Self {
            code: error.code(),
            message: error.to_string(),
            remedy: error.remedy().into_owned(),
            retry_after,
            may_have_changed: error.may_have_changed(),
            subject,
            user_id: error.user_id().map(ToOwned::to_owned),
            service: error.service().cloned(),
            more_candidates: matches!(&error, Error::AmbiguousUser { ids, .. } if ids.len() >= MAX_NAMESAKES),
            candidates: match error {
                Error::AmbiguousUser { ids, .. } => ids,
                _ => Vec::new(),
            },
        }
    }
}
