//! The meaning of responses and failures: pure functions from what came back to an error.

use alloc::format;
use alloc::string::ToString;

use crate::api::call::ApiCall;
use crate::api::refusal::{self, Protection};
use crate::api::service_error::ServiceError;
use crate::error::{Error, UnavailableCause};
use crate::http::{Response, TransportError, TransportFault};
use crate::retry;
use crate::secret::Secret;
use crate::values::base_url::BaseUrl;
use crate::values::settings::{SettingError, Settings};
use crate::values::user::UserRef;

/// The code of `google.rpc.Code.NOT_FOUND`.
const NOT_FOUND: &str = "5";

/// The error of a response to a call, or `None` if it is a success whose body remains to be parsed. `secret_name` is the secret
/// to blame for a 401; `has_routes` tells that the service has proved by a token that it has the routes of this version.
pub(crate) fn response_to_call(
    call: &ApiCall<'_>,
    response: &Response,
    token: &Secret,
    settings: &Settings,
    secret_name: &'static str,
    has_routes: bool,
) -> Option<Error> {
    if response.status == 200 {
        return None;
    }
    let service = ServiceError::parse(response, &[token]);
    if let (400 | 403 | 409 | 412 | 422, Some(user_id)) = (service.status, call.changed_user()) {
        let user_id = user_id.into();
        match refusal::protection(&service) {
            Some(Protection::LastOwner) => return Some(Error::LastOwner { user_id, service }),
            Some(Protection::ExternallyManaged) => return Some(Error::ExternallyManaged { user_id, service }),
            None => {}
        }
    }
    Some(match service.status {
        401 => Error::Unauthenticated { name: secret_name, service },
        403 => {
            Error::PermissionDenied { permission: call.permission(), user_id: call.user_id().map(Into::into), service }
        }
        404 => not_found(call, service, settings, has_routes),
        400 if matches!(call, ApiCall::List { page_token: Some(_), .. }) => {
            Error::PageTokenRefused { service: Some(service) }
        }
        _ => failure(service, response, call.changed_user()),
    })
}

/// The error of a 404: the user, the account or the route may be missing. A missing user is claimed only for the service's own
/// form of error, and only if its words are about a user or the service has given a token and so has these routes: behind a
/// wrong base URL, every user would be missing.
fn not_found(call: &ApiCall<'_>, service: ServiceError, settings: &Settings, has_routes: bool) -> Error {
    let is_own_form = service.code.as_deref() == Some(NOT_FOUND);
    let is_about_user = service.message.to_ascii_lowercase().contains("user");
    match call {
        ApiCall::Get(user) | ApiCall::Suspend(user) | ApiCall::Reactivate(user)
            if is_own_form && (has_routes || is_about_user) =>
        {
            Error::UserNotFound { user: UserRef::Id(user.as_str().into()), service: Some(service) }
        }
        ApiCall::List { .. } if is_own_form && has_routes => Error::Misconfigured {
            name: "account-id",
            problem: SettingError::Refuted("the service knows no such account".into()),
            service: Some(service),
        },
        _ => unknown_route(service, settings),
    }
}

fn unknown_route(service: ServiceError, settings: &Settings) -> Error {
    let origin = settings.base_url.origin();
    let problem = format!("{origin} does not know the routes of version {}", settings.version);
    Error::Misconfigured { name: "base-url", problem: SettingError::Refuted(problem), service: Some(service) }
}

/// The error of a refused token request. `secrets` are the ones that the request carried.
pub(crate) fn token_refusal(response: &Response, secrets: &[&Secret], settings: &Settings) -> Error {
    let service = ServiceError::parse(response, secrets);
    match (service.status, service.code.as_deref()) {
        (401, _) | (400, Some("invalid_client" | "invalid_grant" | "unauthorized_client")) => {
            Error::Unauthenticated { name: "client-secret", service }
        }
        (403, _) => Error::PermissionDenied { permission: "obtain a token", user_id: None, service },
        (404, _) => unknown_route(service, settings),
        _ => failure(service, response, None),
    }
}

/// The error of a status that means the same for every request. `changed_user` is the user that the request changes.
pub(crate) fn failure(service: ServiceError, response: &Response, changed_user: Option<&str>) -> Error {
    let retry_after = retry::retry_after(response);
    match service.status {
        429 => Error::RateLimited { retry_after, service },
        // Not Implemented: the same request will not succeed later.
        501 => Error::Other { problem: "the service does not offer this".into(), service: Some(service) },
        408 | 500.. => Error::Unavailable {
            cause: UnavailableCause::Service(service),
            retry_after,
            may_have_changed: changed_user.map(Into::into),
        },
        _ => Error::Other { problem: "the service refused the request".into(), service: Some(service) },
    }
}

/// The error of a request that got no response.
pub(crate) fn no_response(base_url: &BaseUrl, error: TransportError, changed_user: Option<&str>) -> Error {
    let origin = base_url.origin();
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
