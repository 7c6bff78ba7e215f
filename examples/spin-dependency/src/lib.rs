//! An example Spin application: suspends a user through the component, without code of its own for the 1Password API.
//!
//! On targets other than WebAssembly this package is empty, so that native builds, lints and documentation skip it.

#![cfg(target_family = "wasm")]

mod bindings;

use percent_encoding::percent_decode_str;
use spin_sdk::http::{HeaderMap, HeaderName, HeaderValue, IntoResponse, Method, Request, StatusCode};
use spin_sdk::{http_service, variables};
use subtle::ConstantTimeEq;

use bindings::onepassword::users::actions::suspend_user;
use bindings::onepassword::users::types::{self, Change, ChangeOptions, Error, UserRef};

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    let (status, text) = offboard(&request).await;
    let plain = (HeaderName::from_static("content-type"), HeaderValue::from_static("text/plain; charset=utf-8"));
    (status, HeaderMap::from_iter([plain]), text + "\n")
}

/// Handles `POST /offboard/{e-mail address}`, and returns the status and the body.
async fn offboard(request: &Request) -> (StatusCode, String) {
    // A shorter key could be guessed.
    let Some(key) = variables::get("key").await.ok().filter(|key| key.len() >= 32) else {
        return (StatusCode::SERVICE_UNAVAILABLE, "offboard_key must have 32 characters or more".into());
    };
    let given = request.headers().get("authorization").and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    // Constant time, so that the duration does not reveal the position of the first difference.
    if !given.is_some_and(|given| given.ct_eq(key.as_bytes()).into()) {
        return (StatusCode::UNAUTHORIZED, "the key is missing or wrong".into());
    }
    if request.method() != Method::POST {
        return (StatusCode::METHOD_NOT_ALLOWED, "use POST".into());
    }
    let address = percent_decode_str(request.uri().path().strip_prefix("/offboard/").unwrap_or_default());
    match suspend_user(&UserRef::Email(address.decode_utf8_lossy().into()), ChangeOptions::empty()) {
        Ok(done) => {
            // Without options there are only these two.
            let change = if done.change == Change::Changed { "changed" } else { "already" };
            (StatusCode::OK, format!("{}: {change}", done.user.email))
        }
        Err(error) => (StatusCode::BAD_GATEWAY, message(error)),
    }
}

/// The message of an error: what went wrong, and how to fix it.
fn message(error: Error) -> String {
    match error {
        Error::InvalidArgument(types::InvalidArgument { message, .. })
        | Error::Misconfigured(types::Misconfiguration { message, .. })
        | Error::Unauthenticated(types::Refusal { message, .. })
        | Error::PermissionDenied(types::Refusal { message, .. })
        | Error::UserNotFound(types::MissingUser { message, .. })
        | Error::AmbiguousUser(types::Ambiguity { message, .. })
        | Error::LastOwner(types::Refusal { message, .. })
        | Error::ExternallyManaged(types::Refusal { message, .. })
        | Error::RateLimited(types::RateLimit { message, .. })
        | Error::Unavailable(types::Outage { message, .. })
        | Error::InvalidResponse(types::InvalidResponse { message, .. })
        | Error::Other(types::Failure { message, .. }) => message,
    }
}
