//! The meaning of responses and failures: pure functions from what came back to an error.

use alloc::format;
use alloc::string::ToString;

use crate::api::call::ApiCall;
use crate::api::refusal::{self, Protection};
use crate::api::service_error::{ErrorResponse, RpcCode, ServiceError};
use crate::error::{Error, UnavailableCause};
use crate::http::{Response, TransportError, TransportFault};
use crate::redact::Redactor;
use crate::retry;
use crate::text::{self, contains_any, is_any};
use crate::values::base_url::BaseUrl;
use crate::values::settings::{SettingError, Settings};
use crate::values::user::UserRef;

/// The error of a response to a call that is no success. `secret_name` is the secret to blame for a 401.
pub(crate) fn response_to_call(
    call: &ApiCall<'_>,
    response: &Response,
    redactor: &Redactor,
    settings: &Settings,
    secret_name: &'static str,
) -> Error {
    let read = ErrorResponse::read(response, redactor);
    if let (400 | 403 | 409 | 412 | 422, Some(user_id)) = (response.status, call.changed_user()) {
        let user_id = user_id.into();
        match refusal::protection(&read.error) {
            Some(Protection::LastOwner) if matches!(call, ApiCall::Suspend(..)) => {
                return Error::LastOwner { user_id, service: read.error };
            }
            Some(Protection::ExternallyManaged) => return Error::ExternallyManaged { user_id, service: read.error },
            _ => {}
        }
    }
    if let Some(error) = refused_on_the_way(response, &read, settings) {
        return error;
    }
    let (status, service) = (response.status, read.error.clone());
    let has_page_token = matches!(call, ApiCall::List { page_token: Some(_), .. });
    match status {
        // A 5xx may come after a change was made, whatever its code.
        _ if status == 401 || status < 500 && is_about_token(&read, response) => {
            Error::Unauthenticated { name: secret_name, service }
        }
        403 => {
            Error::PermissionDenied { permission: call.permission(), user_id: call.user_id().map(Into::into), service }
        }
        // A token that was good once may be gone, or not be known any more.
        400 | 412 | 416 | 422 if has_page_token => Error::PageTokenRefused { service: Some(service) },
        404 | 410 if has_page_token && contains_any(&service.message.to_ascii_lowercase(), "page|cursor") => {
            Error::PageTokenRefused { service: Some(service) }
        }
        404 => not_found(call, read, settings),
        405 | 410 | 501 => unknown_route(service, settings),
        _ => failure(read, response, call.changed_user()),
    }
}

/// True if an error says that the token is not accepted, whatever its status: by its code, by the challenge for a new one
/// (RFC 6750), or by words about a token and what became of it.
pub(crate) fn is_about_token(read: &ErrorResponse, response: &Response) -> bool {
    let code = read.error.code.as_deref().unwrap_or_default();
    let words = format!("{code} {}", read.error.message).to_ascii_lowercase();
    let has = |parts| contains_any(&words, parts);
    let is_challenged =
        response.header("www-authenticate").is_some_and(|challenge| challenge.contains("invalid_token"));
    let is_token = has("token|jwt") && !has("page");
    read.rpc_code == Some(RpcCode::Unauthenticated)
        || is_challenged
        || response.status < 300 && has("unauthenticated|unauthorized")
        || is_token && (response.status < 300 || has("expired|invalid|revoked"))
}

/// The error of a refusal by something between here and the service. A 404 and its like blame the base URL instead, and a
/// failure that may pass is tried again, also if a gateway reports it.
fn refused_on_the_way(response: &Response, read: &ErrorResponse, settings: &Settings) -> Option<Error> {
    let is_refusal = matches!(response.status, 400..=499 | 511)
        && !matches!(response.status, 404 | 405 | 410)
        && !retry::is_transient(response.status);
    (is_refusal && refusal::is_by_intermediary(response, read))
        .then(|| Error::Intermediary { origin: settings.base_url.origin(), service: read.error.clone() })
}

/// The error of a 404: the user, the account or the route may be missing. A missing user is only a candidate here, also if the
/// form is not the service's own: see [`is_about_missing_user`].
fn not_found(call: &ApiCall<'_>, read: ErrorResponse, settings: &Settings) -> Error {
    let is_own_form = read.rpc_code == Some(RpcCode::NotFound);
    let service = read.error;
    match call.user_id() {
        Some(id) if is_own_form || speaks_of_missing_user(&service.message, id) => {
            Error::UserNotFound { user: UserRef::Id(id.into()), service: Some(service) }
        }
        // The gateway's own words for a route that it does not have.
        None if is_own_form && !service.message.eq_ignore_ascii_case("not found") => Error::Misconfigured {
            name: "account-id",
            problem: SettingError::Refuted("the service knows no such account".into()),
            service: Some(service),
        },
        _ => unknown_route(service, settings),
    }
}

/// True if an error of the service says by itself that the user with this id is missing: it has the service's own form, and its
/// words say so.
pub(crate) fn is_about_missing_user(service: &ServiceError, id: &str) -> bool {
    let is_own_form = service.code.as_deref().and_then(RpcCode::parse) == Some(RpcCode::NotFound);
    is_own_form && speaks_of_missing_user(&service.message, id)
}

/// True if a text says that a user is missing, and nothing else: with other words it may be about an account, a route or a user
/// agent.
fn speaks_of_missing_user(message: &str, id: &str) -> bool {
    const OTHERS: &str =
        "not|found|no|such|the|a|an|this|that|with|id|is|was|could|be|does|doesn|t|exist|exists|unknown";
    let (mut is_about_user, mut is_plain) = (false, true);
    for word in message.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let is_user = is_any(word, "user|userid");
        is_about_user |= is_user;
        // An id may have hyphens.
        is_plain &= is_user || id.contains(word) || is_any(word, OTHERS);
    }
    is_about_user && is_plain
}

/// The error of a service that does not have the routes of this version.
pub(crate) fn unknown_route(service: ServiceError, settings: &Settings) -> Error {
    let origin = settings.base_url.origin();
    let problem = format!("{origin} does not know the routes of version {}", settings.version);
    Error::Misconfigured { name: "base-url", problem: SettingError::Refuted(problem), service: Some(service) }
}

/// The name of the token in an answer to a token request.
const TOKEN_MEMBER: &[u8] = b"access_token";

/// The error of a refused token request.
pub(crate) fn token_refusal(response: &Response, redactor: &Redactor, settings: &Settings) -> Error {
    let mut read = ErrorResponse::read(response, redactor);
    // A token that was issued all the same is not known yet, so it cannot be removed from the words.
    if response.body.windows(TOKEN_MEMBER.len()).any(|window| window == TOKEN_MEMBER) {
        read.error.message.clear();
    }
    if let Some(error) = refused_on_the_way(response, &read, settings) {
        return error;
    }
    let service = read.error.clone();
    match (service.status, service.code.as_deref()) {
        (401, _) | (400, Some("invalid_client" | "invalid_grant" | "unauthorized_client")) => {
            Error::Unauthenticated { name: "client-secret", service }
        }
        (403, _) => Error::PermissionDenied { permission: "obtain a token", user_id: None, service },
        (404 | 405 | 410 | 501, _) => unknown_route(service, settings),
        _ => failure(read, response, None),
    }
}

/// The error of a status that means the same for every request. `changed_user` is the user that the request changes.
pub(crate) fn failure(read: ErrorResponse, response: &Response, changed_user: Option<&str>) -> Error {
    let retry_after = retry::retry_after(response, read.retry_delay);
    let service = read.error;
    let unavailable = |service, may_have_changed: Option<&str>| Error::Unavailable {
        cause: UnavailableCause::Service(service),
        retry_after,
        may_have_changed: may_have_changed.map(Into::into),
    };
    match service.status {
        429 => Error::RateLimited { retry_after, service },
        // Another change at the same time: this one was not made.
        409 if read.rpc_code == Some(RpcCode::Aborted) => unavailable(service, None),
        408 | 425 | 499 | 500.. => unavailable(service, changed_user),
        _ => Error::Other { problem: "the service refused the request".into(), service: Some(service) },
    }
}

/// The error of a request that got no response.
pub(crate) fn no_response(
    base_url: &BaseUrl,
    error: TransportError,
    redactor: &Redactor,
    changed_user: Option<&str>,
) -> Error {
    let origin = base_url.origin();
    let error = TransportError { detail: text::clean(&redactor.redact(&error.detail)), ..error };
    let may_have_changed = changed_user.filter(|_| error.fault.may_have_arrived()).map(Into::into);
    match error.fault {
        TransportFault::Denied | TransportFault::Certificate => {
            Error::misconfigured("base-url", SettingError::Refuted(format!("{origin}: {error}")))
        }
        TransportFault::TooLarge { status } => {
            Error::InvalidResponse { problem: error.to_string(), status, may_have_changed }
        }
        TransportFault::Internal => Error::Other { problem: format!("{origin}: {error}"), service: None },
        _ => {
            let cause = UnavailableCause::Transport { origin, error };
            Error::Unavailable { cause, retry_after: None, may_have_changed }
        }
    }
}
