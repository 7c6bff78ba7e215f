//! Errors as problem documents (RFC 9457), with their HTTP statuses.

use onepassword_users_core::{
    self as core_, ArgumentError, Error, MAX_LISTING, MAX_USERS, TransportFault, UnavailableCause,
};
#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;

/// A kind of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The code. That of an action's error is the name of its case in the WIT contract.
    pub code: &'static str,
    /// The title, the same for every occurrence.
    pub title: &'static str,
    /// The possible HTTP statuses.
    pub statuses: &'static [u16],
}

const fn kind(code: &'static str, title: &'static str, statuses: &'static [u16]) -> Kind {
    Kind { code, title, statuses }
}

/// All kinds of problems: first those of the actions, then those of this API.
pub const KINDS: &[Kind] = &[
    kind("invalid-argument", "An argument cannot be used", &[400]),
    kind("misconfigured", "A setting is missing or wrong", &[503]),
    kind("unauthenticated", "1Password does not accept the credentials", &[503]),
    kind("permission-denied", "1Password refuses this", &[403]),
    kind("user-not-found", "There is no such user", &[404]),
    kind("ambiguous-user", "Several users have the e-mail address", &[422]),
    kind("last-owner", "The last owner cannot be suspended", &[409]),
    kind("externally-managed", "An externally managed user cannot be suspended here", &[409]),
    kind("rate-limited", "1Password received too many requests", &[503]),
    kind("unavailable", "1Password cannot be reached, is too slow, or fails", &[503, 504]),
    kind("invalid-response", "The response from 1Password is invalid", &[502]),
    kind("other", "1Password refuses the request", &[400, 502]),
    kind("keys-not-usable", "The configured keys are not usable", &[503]),
    kind("unauthorized", "A valid key is required", &[401]),
    kind("forbidden", "The key does not permit this request", &[403]),
    kind("not-found", "There is no such resource", &[404]),
    kind("method-not-allowed", "The resource does not support this method", &[405]),
    kind("unknown-parameter", "A query parameter is unknown", &[400]),
    kind("unsupported-media-type", "The body is not JSON", &[415]),
    kind("content-too-large", "The body is too long", &[413]),
    kind("malformed-json", "The body is not well-formed JSON", &[400]),
    kind("invalid-body", "The body has unknown or invalid content", &[400]),
    kind("list-too-long", "The list is too long for one response", &[422]),
    kind("busy", "Too many long lists at once", &[503]),
    kind("incomplete-body", "The body is incomplete", &[400, 408]),
];

/// A problem document.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Problem {
    /// A reference to the description of this kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem, for a person. The same for every occurrence.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The explanation of this occurrence, for a person.
    pub detail: String,
    /// The kind of problem, for a program.
    pub code: &'static str,
    /// The suggested remedy, for a person.
    pub remedy: String,
    /// True if the same request may succeed when it is repeated later.
    pub retryable: bool,
    /// True if the user may have been changed despite the problem. Check the user before reporting a failure.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub may_have_changed: bool,
    /// The seconds to wait before the next attempt, if 1Password sent them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// The error response of 1Password, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Reply>,
    /// The variable of the application to check first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setting: Option<String>,
    /// The invalid argument.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub argument: Option<String>,
    /// The ids of the users with the e-mail address, at most 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_ids: Option<Vec<String>>,
    /// The method that the resource supports, for the header `Allow`.
    #[serde(skip)]
    pub allow: Option<&'static str>,
}

/// An error response of 1Password.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The error code: a number of `google.rpc.Code`, or an OAuth 2.0 error.
    pub code: Option<String>,
    /// The error message. May be empty.
    pub message: String,
}

impl Problem {
    /// Creates a problem. `code` must be in [`KINDS`].
    #[must_use]
    pub fn new(code: &'static str, status: u16, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        let title = KINDS.iter().find(|kind| kind.code == code).map_or("", |kind| kind.title);
        Self {
            kind: format!("/openapi.json#/x-problems/{code}"),
            title,
            status,
            detail: detail.into(),
            code,
            remedy: remedy.into(),
            retryable: false,
            may_have_changed: false,
            retry_after: None,
            service: None,
            setting: None,
            argument: None,
            user_ids: None,
            allow: None,
        }
    }

    /// The configured keys are not usable. The response does not say why, since the caller is not authenticated.
    #[must_use]
    pub fn keys_not_usable(retryable: bool) -> Self {
        let problem = Self::new(
            "keys-not-usable",
            503,
            "all requests are refused, because the configured keys are not usable",
            "Look in the service's log for the problem with reader_keys or responder_keys.",
        );
        Self { retryable, ..problem }
    }

    /// The request has no key, or one that is not accepted.
    #[must_use]
    pub fn unauthorized() -> Self {
        let remedy = "Send the header Authorization: Bearer followed by a key of this service, without its label.";
        Self::new("unauthorized", 401, "the request has no valid key", remedy)
    }

    /// The role of the key is not sufficient.
    #[must_use]
    pub fn forbidden() -> Self {
        let remedy = "Use a key from responder_keys. Keys from reader_keys are read-only.";
        Self::new("forbidden", 403, "this key does not allow changes", remedy)
    }

    /// An error that the caller's arguments did not cause. A page token that 1Password refuses is its own.
    #[must_use]
    pub fn upstream(error: Error) -> Self {
        let is_page_token = error.may_be_the_page_token();
        let problem = Self::from(error);
        if is_page_token { Self { status: 502, argument: None, ..problem } } else { problem }
    }

    /// The list exceeds the bounds of one response.
    #[must_use]
    pub fn list_too_long() -> Self {
        let detail = "the list has more users or more text than one response may have";
        let remedy = format!(
            "Request the list in parts, with limit and page_token. One user per line (Accept: application/x-ndjson) allows \
             up to {MAX_LISTING} users, one JSON object up to {MAX_USERS}."
        );
        Self::new("list-too-long", 422, detail, remedy)
    }

    /// Other lists use the memory that an instance has for lists.
    #[must_use]
    pub fn busy() -> Self {
        let remedy = "Try again later, or request the list in parts, with limit and page_token.";
        let problem = Self::new("busy", 503, "too many long lists are being sent at once", remedy);
        Self { retryable: true, ..problem }
    }

    /// An invalid argument.
    #[must_use]
    pub fn argument(argument: &'static str, problem: impl Into<String>) -> Self {
        Error::InvalidArgument { argument, problem: ArgumentError::Driver(problem.into()) }.into()
    }
}

/// The names of settings, secrets and arguments in the core's spelling. This API spells them with underscores.
const NAMES: [&str; 9] = [
    "access-token",
    "account-id",
    "api-version",
    "base-url",
    "client-id",
    "client-secret",
    "max-attempts",
    "page-token",
    "user-agent",
];

/// Replaces these names in a text of the core with their spelling in this API.
fn with_underscores(text: &str) -> String {
    NAMES.iter().fold(text.to_owned(), |text, name| text.replace(name, &name.replace('-', "_")))
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        // Only the name at the beginning is replaced: the rest may quote text from elsewhere.
        let detail = match &error {
            Error::Misconfigured { name, .. } | Error::InvalidArgument { argument: name, .. } => {
                error.to_string().replacen(name, &with_underscores(name), 1)
            }
            _ => error.to_string(),
        };
        let remedy = with_underscores(&error.remedy());
        let mut problem = Self::new(error.code(), status(&error), detail, remedy);
        problem.retryable = error.is_retryable();
        problem.may_have_changed = error.may_have_changed();
        problem.retry_after = error.retry_after().map(|pause| pause.as_secs());
        problem.service = error.service().map(|core_::ServiceError { status, code, message }| Reply {
            status: *status,
            code: code.clone(),
            message: message.clone(),
        });
        let name = |name: &str| Some(with_underscores(name));
        match &error {
            Error::Misconfigured { name: setting, .. } | Error::Unauthenticated { name: setting, .. } => {
                problem.setting = name(setting);
            }
            Error::Unavailable { cause: UnavailableCause::Lookup { name: setting, .. }, .. } => {
                problem.setting = name(setting)
            }
            Error::InvalidArgument { argument, .. } => problem.argument = name(argument),
            error if error.may_be_the_page_token() => problem.argument = name("page-token"),
            Error::AmbiguousUser { ids, .. } => problem.user_ids = Some(ids.clone()),
            _ => {}
        }
        problem
    }
}

/// The HTTP status: 4xx if the caller can correct the cause, 5xx if it lies in this service's settings or at 1Password. Never
/// 500, which is left for unexpected failures.
fn status(error: &Error) -> u16 {
    match error {
        Error::InvalidArgument { .. } => 400,
        Error::PermissionDenied { .. } => 403,
        Error::UserNotFound { .. } => 404,
        Error::LastOwner { .. } | Error::ExternallyManaged { .. } => 409,
        Error::AmbiguousUser { .. } => 422,
        Error::Unavailable { cause: UnavailableCause::Deadline(_), .. } => 504,
        Error::Unavailable { cause: UnavailableCause::Transport { error, .. }, .. }
            if error.fault == TransportFault::Timeout =>
        {
            504
        }
        Error::Misconfigured { .. }
        | Error::Unauthenticated { .. }
        | Error::RateLimited { .. }
        | Error::Unavailable { .. } => 503,
        error if error.may_be_the_page_token() => 400,
        _ => 502,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end here")]
mod tests {
    use std::time::Duration;

    use onepassword_users_core::{ServiceError, SettingError, TransportError, UserRef};

    use super::*;

    fn service(status: u16) -> ServiceError {
        ServiceError { status, code: Some("7".into()), message: "no".into() }
    }

    fn unavailable(cause: UnavailableCause) -> Error {
        Error::Unavailable { cause, retry_after: Some(Duration::from_secs(7)), may_have_changed: true }
    }

    fn transport(fault: TransportFault) -> UnavailableCause {
        UnavailableCause::Transport {
            origin: "https://x".into(),
            error: TransportError { fault, detail: String::new() },
        }
    }

    /// Every error of the core becomes a problem of a documented kind and status.
    #[test]
    fn every_error_has_its_status() {
        for (error, status) in [
            (Error::InvalidArgument { argument: "page-token", problem: ArgumentError::Driver(String::new()) }, 400),
            (Error::Misconfigured { name: "base-url", problem: SettingError::Missing, service: None }, 503),
            (Error::Unauthenticated { name: "client-secret", service: service(401) }, 503),
            (Error::PermissionDenied { permission: "list users", service: service(403) }, 403),
            (Error::UserNotFound { user: UserRef::Id("A".into()), service: None }, 404),
            (Error::AmbiguousUser { email: "a@b".into(), ids: vec!["A".into()] }, 422),
            (Error::LastOwner { service: service(403) }, 409),
            (Error::ExternallyManaged { service: service(403) }, 409),
            (Error::RateLimited { retry_after: None, service: service(429) }, 503),
            (unavailable(UnavailableCause::Service(service(503))), 503),
            (unavailable(UnavailableCause::Lookup { name: "client-secret", detail: String::new() }), 503),
            (unavailable(transport(TransportFault::Connect)), 503),
            (unavailable(transport(TransportFault::Timeout)), 504),
            (unavailable(UnavailableCause::Deadline(Duration::from_secs(1))), 504),
            (Error::InvalidResponse { problem: String::new(), status: 200, may_have_changed: false }, 502),
            (Error::Other { problem: String::new(), service: Some(service(400)) }, 502),
            (Error::Other { problem: String::new(), service: Some(service(409)) }, 502),
            (Error::Other { problem: String::new(), service: None }, 502),
        ] {
            let problem = Problem::from(error.clone());
            assert_eq!(problem.status, status, "{error:?}");
            let kind = KINDS.iter().find(|kind| kind.code == problem.code).unwrap();
            assert!(kind.statuses.contains(&status) && !problem.remedy.is_empty(), "{problem:?}");
        }
    }

    #[test]
    fn a_problem_has_the_names_of_this_api() {
        let problem = Problem::from(unavailable(UnavailableCause::Service(service(503))));
        assert_eq!((problem.retry_after, problem.retryable, problem.may_have_changed), (Some(7), true, true));
        assert_eq!(problem.service.unwrap().code.as_deref(), Some("7"));
        let problem = Problem::from(Error::Unauthenticated { name: "client-secret", service: service(401) });
        assert_eq!(problem.setting.as_deref(), Some("client_secret"));
        assert!(problem.remedy.starts_with("Check client_id and client_secret"), "{}", problem.remedy);
        let problem = Problem::argument("page-token", "x");
        assert_eq!(problem.argument.as_deref(), Some("page_token"));
        assert_eq!(problem.detail, "the argument page_token cannot be used: x");
        let text = serde_json::to_string(&Problem::unauthorized()).unwrap();
        assert!(
            !text.contains("null") && text.contains(r##""type":"/openapi.json#/x-problems/unauthorized""##),
            "{text}"
        );
    }
}
