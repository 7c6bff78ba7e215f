//! Failures as problem documents (RFC 9457), with their HTTP statuses.

use onepassword_users_core::catalogue::{ErrorEntry, FailureClass};
use onepassword_users_core::{ArgumentError, Code, Error, Failure, MAX_LISTING, TransportFault, UnavailableCause};
use serde::{Serialize, Serializer};

use crate::json::MAX_JSON_USERS;

/// A kind of problem: an error of the core's catalogue, or one of this API's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The code.
    pub code: &'static str,
    /// The class.
    pub class: FailureClass,
    /// The HTTP status.
    pub status: u16,
    /// A short title, without a full stop.
    pub title: &'static str,
    /// The cause, as a phrase.
    pub cause: &'static str,
    /// The remedy, as a phrase. That of a problem may be more specific.
    pub remedy: &'static str,
}

impl Code for Kind {
    fn name(&self) -> &'static str {
        self.code
    }

    fn class(&self) -> FailureClass {
        self.class
    }
}

impl From<&ErrorEntry> for Kind {
    fn from(entry: &ErrorEntry) -> Self {
        Self {
            code: entry.code,
            class: entry.class,
            status: entry.http_status,
            title: entry.title,
            cause: entry.cause,
            remedy: entry.remedy,
        }
    }
}

/// All kinds of this API's own.
pub const KINDS: [Kind; 16] = [
    KEYS_NOT_USABLE,
    KEYS_NOT_READABLE,
    UNAUTHORIZED,
    FORBIDDEN,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    UNKNOWN_PARAMETER,
    UNSUPPORTED_MEDIA_TYPE,
    CONTENT_TOO_LARGE,
    MALFORMED_JSON,
    INVALID_BODY,
    INCOMPLETE_BODY,
    BODY_TIMEOUT,
    BUSY,
    LIST_TIMEOUT,
    NOT_READY,
];

/// The configured keys cannot be used.
pub const KEYS_NOT_USABLE: Kind = Kind {
    code: "keys-not-usable",
    class: FailureClass::Settings,
    status: 503,
    title: "The configured keys are not usable",
    cause: "there is no key, an entry is not a key, or a key or label occurs twice; all requests are refused",
    remedy: "the log of the service says which of `reader_keys` and `responder_keys` to correct",
};

/// The configured keys cannot be read at the moment.
pub const KEYS_NOT_READABLE: Kind = Kind {
    code: "keys-not-readable",
    class: FailureClass::Retry,
    status: 503,
    title: "The configured keys cannot be read",
    cause: "the provider of `reader_keys` or `responder_keys`, such as a vault, failed or was too slow",
    remedy: "try later; the log of the service has the reason",
};

/// The request has no accepted key.
pub const UNAUTHORIZED: Kind = Kind {
    code: "unauthorized",
    class: FailureClass::Caller,
    status: 401,
    title: "A valid key is required",
    cause: "the request has no key, or one that is not accepted",
    remedy: "send the header `Authorization: Bearer` followed by a key, without its label",
};

/// The role of the key is not sufficient.
pub const FORBIDDEN: Kind = Kind {
    code: "forbidden",
    class: FailureClass::Caller,
    status: 403,
    title: "The key does not permit this request",
    cause: "the key is one of `reader_keys`, which are read-only",
    remedy: "use a key of `responder_keys`",
};

/// The path is unknown.
pub const NOT_FOUND: Kind = Kind {
    code: "not-found",
    class: FailureClass::Caller,
    status: 404,
    title: "There is no such resource",
    cause: "the path is unknown",
    remedy: "correct the path",
};

/// The path does not have the method.
pub const METHOD_NOT_ALLOWED: Kind = Kind {
    code: "method-not-allowed",
    class: FailureClass::Caller,
    status: 405,
    title: "The resource does not support this method",
    cause: "the path supports another method",
    remedy: "use the method that the header `Allow` names",
};

/// A query parameter is unknown.
pub const UNKNOWN_PARAMETER: Kind = Kind {
    code: "unknown-parameter",
    class: FailureClass::Caller,
    status: 400,
    title: "A query parameter is unknown",
    cause: "the path has no such parameter; a misspelt parameter is never ignored",
    remedy: "correct the parameter",
};

/// The body is not declared as JSON.
pub const UNSUPPORTED_MEDIA_TYPE: Kind = Kind {
    code: "unsupported-media-type",
    class: FailureClass::Caller,
    status: 415,
    title: "The body is not JSON",
    cause: "the body is not declared as JSON",
    remedy: "send the header `Content-Type: application/json`",
};

/// The body is too long.
pub const CONTENT_TOO_LARGE: Kind = Kind {
    code: "content-too-large",
    class: FailureClass::Caller,
    status: 413,
    title: "The body is too long",
    cause: "the body has more than 64 KiB, or more than 2 MiB for `POST /v1/users:find`",
    remedy: "send a shorter body",
};

/// The body is not well-formed JSON.
pub const MALFORMED_JSON: Kind = Kind {
    code: "malformed-json",
    class: FailureClass::Caller,
    status: 400,
    title: "The body is not well-formed JSON",
    cause: "the body is not well-formed JSON",
    remedy: "correct the body",
};

/// The body is JSON with unknown or invalid content.
pub const INVALID_BODY: Kind = Kind {
    code: "invalid-body",
    class: FailureClass::Caller,
    status: 400,
    title: "The body has unknown or invalid content",
    cause: "the body is empty although it is declared as JSON or needed, or has an unknown member, a member twice, or a value of \
            the wrong type",
    remedy: "correct the body",
};

/// The body ended early.
pub const INCOMPLETE_BODY: Kind = Kind {
    code: "incomplete-body",
    class: FailureClass::Caller,
    status: 400,
    title: "The body is incomplete",
    cause: "the connection ended within the body",
    remedy: "send the request again",
};

/// The body took too long.
pub const BODY_TIMEOUT: Kind = Kind {
    code: "body-timeout",
    class: FailureClass::Retry,
    status: 408,
    title: "The body did not arrive in time",
    cause: "the body took longer than 10 seconds",
    remedy: "send the request again",
};

/// Other lists and searches use the memory or the time.
pub const BUSY: Kind = Kind {
    code: "busy",
    class: FailureClass::Retry,
    status: 503,
    title: "There are too many lists and searches at once",
    cause: "other lists and searches use the memory or the time that an instance has for them",
    remedy: "try later, or list in parts, with `limit` and `page_token`",
};

/// A list took too long.
pub const LIST_TIMEOUT: Kind = Kind {
    code: "list-timeout",
    class: FailureClass::Retry,
    status: 504,
    title: "The list took too long",
    cause: "the whole list took longer than an hour",
    remedy: "list in parts, with `limit` and `page_token`",
};

/// The settings or secrets do not allow any action.
pub const NOT_READY: Kind = Kind {
    code: "not-ready",
    class: FailureClass::Settings,
    status: 503,
    title: "The service is not ready",
    cause: "a setting or secret is missing, is not well-formed or cannot be read, or 1Password refused them a moment ago",
    remedy: "the log of the service says which; `POST /v1/test` tests them",
};

/// A problem document: the members of RFC 9457, and those of a failure.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    /// The failure. Its code is the kind of the problem.
    pub failure: Failure<Kind>,
    /// The methods that the resource supports, for the header `Allow`. Not a member of the document.
    pub allow: Option<&'static str>,
}

impl Problem {
    /// Creates a problem of this API's own.
    #[must_use]
    pub fn new(kind: Kind, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { failure: Failure::new(kind, message, remedy), allow: None }
    }

    /// The kind of the problem.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.failure.code
    }

    /// The configured keys are not usable or not readable, or the service is not ready. The response does not say why, since
    /// the caller is not authenticated.
    #[must_use]
    pub fn of_service(kind: Kind) -> Self {
        if kind == NOT_READY {
            let remedy = "Look in the log of the service for the problem, and test it with POST /v1/test.";
            return Self::new(kind, "the settings or secrets of the service do not allow any action", remedy);
        }
        let message = if kind == KEYS_NOT_READABLE { "cannot be read" } else { "are not usable" };
        Self::new(
            kind,
            format!("all requests are refused, because the configured keys {message}"),
            "Look in the log of the service for the problem with reader_keys or responder_keys.",
        )
    }

    /// The request has no key, or one that is not accepted.
    #[must_use]
    pub fn unauthorized() -> Self {
        let remedy = "Send the header Authorization: Bearer followed by a key of this service, without its label.";
        Self::new(UNAUTHORIZED, "the request has no valid key", remedy)
    }

    /// The role of the key is not sufficient.
    #[must_use]
    pub fn forbidden() -> Self {
        let remedy = "Use a key from responder_keys. Keys from reader_keys are read-only.";
        Self::new(FORBIDDEN, "this key does not allow changes", remedy)
    }

    /// The error of a list: the remedy names the ways to get longer lists from this API.
    #[must_use]
    pub fn of_list(error: Error) -> Self {
        let is_long = matches!(error, Error::TooManyUsers(_));
        let mut problem = Self::from(error);
        if is_long {
            problem.failure.remedy = format!(
                "List the account in parts, with limit and page_token. One user per line (Accept: application/x-ndjson) \
                 allows up to {MAX_LISTING} users, one JSON object up to {MAX_JSON_USERS}."
            );
        }
        problem
    }

    /// Other lists and searches use the memory or the time that an instance has for them.
    #[must_use]
    pub fn busy() -> Self {
        let remedy = "Try again later, or list the account in parts, with limit and page_token.";
        Self::new(BUSY, "too many lists and searches are under way at once", remedy)
    }

    /// A list took too long.
    #[must_use]
    pub fn list_timeout() -> Self {
        let remedy = "List the account in parts, with limit and page_token.";
        Self::new(LIST_TIMEOUT, "the list was not done within an hour", remedy)
    }

    /// An invalid argument.
    #[must_use]
    pub fn argument(argument: &'static str, problem: impl Into<String>) -> Self {
        Error::InvalidArgument { argument: argument.into(), problem: ArgumentError::Face(problem.into()) }.into()
    }
}

/// The failure of an error in the spelling of this API.
#[must_use]
pub fn failure(error: Error) -> Failure {
    Failure::from(error).respelled(spelled)
}

/// The name of a setting, secret or argument in the spelling of this API: `client_secret` for `client-secret`.
#[must_use]
pub fn spelled(name: &str) -> String {
    name.replace('-', "_")
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let is_timeout = is_timeout(&error);
        let mut problem = Self::from(failure(error));
        if is_timeout {
            problem.failure.code.status = TIMEOUT_STATUS;
        }
        problem
    }
}

impl From<Failure> for Problem {
    /// The problem of a failure in the spelling of this API, with the status of its code.
    fn from(failure: Failure) -> Self {
        let kind = failure.code.entry().into();
        Self { failure: failure.with_code(kind), allow: None }
    }
}

/// The HTTP status of `unavailable` if 1Password did not answer in time. All other statuses are those of the catalogue.
pub const TIMEOUT_STATUS: u16 = 504;

fn is_timeout(error: &Error) -> bool {
    match error {
        Error::Unavailable { cause: UnavailableCause::Deadline(_), .. } => true,
        Error::Unavailable { cause: UnavailableCause::Transport { error, .. }, .. } => {
            error.fault == TransportFault::Timeout
        }
        _ => false,
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Members<'a> {
            r#type: String,
            title: &'static str,
            status: u16,
            detail: &'a str,
            #[serde(flatten)]
            failure: &'a Failure<Kind>,
        }
        let Kind { code, title, status, .. } = self.kind();
        let r#type = format!("/openapi.json#/x-problems/{code}");
        Members { r#type, title, status, detail: &self.failure.message, failure: &self.failure }.serialize(serializer)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end here")]
mod tests {
    use std::time::Duration;

    use onepassword_users_core::catalogue::ERRORS;
    use onepassword_users_core::{ServiceError, SettingError, Subject, SubjectKind, TransportError, UserRef};
    use serde_json::{Value, json};

    use super::*;

    fn service(status: u16) -> ServiceError {
        ServiceError { status, code: Some("7".into()), message: "no".into() }
    }

    fn unavailable(cause: UnavailableCause) -> Error {
        Error::Unavailable { cause, retry_after: Some(Duration::from_secs(7)), may_have_changed: Some("A".into()) }
    }

    fn transport(fault: TransportFault) -> UnavailableCause {
        UnavailableCause::Transport {
            origin: "https://x".into(),
            error: TransportError { fault, detail: String::new() },
        }
    }

    #[test]
    fn an_error_has_the_status_of_its_code_or_that_of_a_timeout() {
        for (error, status) in [
            (
                Error::InvalidArgument { argument: "page_token".into(), problem: ArgumentError::Face(String::new()) },
                400,
            ),
            (Error::PageTokenRefused { service: Some(service(400)) }, 400),
            (Error::Misconfigured { name: "base-url", problem: SettingError::Missing, service: None }, 503),
            (Error::UserNotFound { user: UserRef::Id("A".into()), service: None }, 404),
            (Error::AmbiguousUser { email: "a@b".into(), ids: vec!["A".into()], is_similar: false }, 409),
            (unavailable(UnavailableCause::Service(service(503))), 503),
            (unavailable(UnavailableCause::Lookup { name: Some("client-secret"), detail: String::new() }), 503),
            (unavailable(transport(TransportFault::Connect)), 503),
            (unavailable(transport(TransportFault::Timeout)), 504),
            (unavailable(UnavailableCause::Deadline(Duration::from_secs(1))), 504),
            (Error::Other { problem: String::new(), service: Some(service(400)) }, 502),
        ] {
            assert_eq!(Problem::from(error.clone()).kind().status, status, "{error:?}");
        }
    }

    /// 500 is left for unexpected failures of the platform.
    #[test]
    fn codes_are_unique_and_have_an_error_status_that_is_not_500() {
        let own = KINDS.iter().map(|kind| (kind.code, kind.status));
        let codes: Vec<(&str, u16)> =
            ERRORS.iter().map(|code| (code.name(), code.entry().http_status)).chain(own).collect();
        for (place, (code, status)) in codes.iter().enumerate() {
            assert!((400..600).contains(status) && *status != 500, "{code}: {status}");
            assert!(!codes.iter().skip(place + 1).any(|(other, _)| other == code), "{code}");
        }
    }

    /// The members of a failure, under the same names and with the same values.
    #[test]
    fn a_problem_has_all_members_of_a_failure() {
        for error in [
            unavailable(UnavailableCause::Service(service(503))),
            Error::AmbiguousUser { email: "a@b".into(), ids: vec!["A".into(), "B".into()], is_similar: false },
            Error::Unauthenticated { name: "client-secret", service: service(401) },
        ] {
            let mut problem = serde_json::to_value(Problem::from(error.clone())).unwrap();
            let failure = serde_json::to_value(failure(error)).unwrap();
            let members = problem.as_object_mut().unwrap();
            assert_eq!(members.remove("detail").as_ref(), failure.get("message"));
            for member in ["type", "title", "status"] {
                assert!(members.remove(member).is_some());
            }
            assert_eq!(problem, failure);
        }
    }

    #[test]
    fn a_problem_has_the_names_of_this_api() {
        let problem = Problem::from(unavailable(UnavailableCause::Service(service(503)))).failure;
        assert_eq!((problem.retry_after, problem.is_retryable(), problem.may_have_changed), (Some(7), true, true));
        let problem = Problem::from(Error::Unauthenticated { name: "client-secret", service: service(401) }).failure;
        assert_eq!(problem.subject, Some(Subject { kind: SubjectKind::Secret, name: "client_secret".into() }));
        assert!(problem.remedy.starts_with("Check client_id and client_secret"), "{}", problem.remedy);
        let problem = Problem::argument("page_token", "x").failure;
        assert_eq!(problem.subject, Some(Subject { kind: SubjectKind::Argument, name: "page_token".into() }));
        assert_eq!(problem.message, "the argument page_token cannot be used: x");
        let problem = serde_json::to_value(Problem::unauthorized()).unwrap();
        assert_eq!(problem.get("type"), Some(&json!("/openapi.json#/x-problems/unauthorized")));
        assert_eq!((problem.get("retry_after"), problem.get("class")), (Some(&Value::Null), Some(&json!("caller"))));
    }
}
