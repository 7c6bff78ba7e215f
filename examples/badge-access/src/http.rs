//! The service over HTTP: one exchange at a time, bounded in time and size.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::bindings::automation::connector::secrets::{self, LookupError, LookupErrorKind};
use crate::bindings::automation::connector::settings;
use crate::bindings::exports::automation::connector::failures::{Failure, SubjectKind};
use crate::bindings::wasi::clocks::monotonic_clock::subscribe_duration;
use crate::bindings::wasi::http::outgoing_handler;
use crate::bindings::wasi::http::types::{ErrorCode, Fields, Method, OutgoingRequest, Scheme};
use crate::bindings::wasi::io::poll::{Pollable, poll};
use crate::bindings::wasi::io::streams::StreamError;
use crate::failure::{INVALID_RESPONSE, MISCONFIGURED, OTHER, UNAVAILABLE, failure};

const DEFAULT_BASE_URL: &str = "https://api.doors.example";
/// The longest duration of an exchange, in nanoseconds.
const TIMEOUT: u64 = 30_000_000_000;
/// The longest response body, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// The origin of the service.
pub(crate) struct Service {
    scheme: Scheme,
    authority: String,
}

/// A response without the secret, whatever the service repeated.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<u32>,
    pub(crate) body: String,
}

impl Service {
    /// The service that the setting names.
    pub(crate) fn from_settings() -> Result<Self, Failure> {
        let setting = value(settings::get(&["base-url".into()]), SubjectKind::Setting, "base-url")?;
        let text = setting.as_deref().unwrap_or(DEFAULT_BASE_URL).trim_end_matches('/');
        let is_authority = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte))
        };
        let is_loopback = |text: &str| matches!(text.split(':').next(), Some("localhost" | "127.0.0.1"));
        let (scheme, authority) = match text.split_once("://") {
            Some(("https", authority)) if is_authority(authority) => (Scheme::Https, authority),
            // Elsewhere, the secret could be read on the way.
            Some(("http", authority)) if is_authority(authority) && is_loopback(authority) => (Scheme::Http, authority),
            // The message does not repeat the value: people paste secrets into the wrong field.
            _ => {
                let wrong = failure(MISCONFIGURED, "base-url is not an origin", "Set base-url to https:// and a host.");
                return Err(wrong.about(SubjectKind::Setting, "base-url"));
            }
        };
        Ok(Self { scheme, authority: authority.into() })
    }

    /// Sends a request without a body and reads the whole response. If there is none, the failure of a POST says whether the
    /// request may have arrived.
    pub(crate) fn exchange(&self, method: &Method, path: &str) -> Result<Response, Failure> {
        // Looked up just before it is needed. It does not leave this function.
        let key = value(secrets::get(&["api-key".into()]), SubjectKind::Secret, "api-key")?;
        let key = key.ok_or_else(|| bad_key("api-key is not set"))?;
        let headers = Fields::new();
        let authorization = headers.append("authorization", format!("Bearer {key}").as_bytes());
        authorization.map_err(|_| bad_key("api-key has a character that no key has"))?;
        let refused = failure(OTHER, "the platform refused the request", "Report it to the platform.");
        headers.append("content-length", b"0").map_err(|_| refused.clone())?;
        let request = OutgoingRequest::new(headers);
        let is_set = request.set_method(method).is_ok()
            && request.set_scheme(Some(&self.scheme)).is_ok()
            && request.set_authority(Some(&self.authority)).is_ok()
            && request.set_path_with_query(Some(path)).is_ok();
        if !is_set {
            return Err(refused);
        }
        let is_change = matches!(method, Method::Post);
        let response = transfer(request)
            .map_err(|failure| Failure { may_have_changed: failure.may_have_changed && is_change, ..failure })?;
        Ok(Response { body: response.body.replace(&key, "[redacted]"), ..response })
    }
}

/// Sends a request and reads the response. Once it was sent, a failure has `may_have_changed`.
fn transfer(request: OutgoingRequest) -> Result<Response, Failure> {
    let timer = subscribe_duration(TIMEOUT);
    let pending = outgoing_handler::handle(request, None).map_err(no_response)?;
    let incoming = loop {
        match pending.get() {
            Some(Ok(Ok(incoming))) => break incoming,
            Some(Ok(Err(code))) => return Err(no_response(code)),
            Some(Err(())) => return Err(lost("the platform has no response")),
            None => wait(&pending.subscribe(), &timer)?,
        }
    };
    let retry_after = incoming.headers().get("retry-after");
    let retry_after = retry_after.first().and_then(|value| core::str::from_utf8(value).ok()?.trim().parse().ok());
    let body = incoming.consume().map_err(|()| lost("the platform has no response body"))?;
    let stream = body.stream().map_err(|()| lost("the platform has no response body"))?;
    let mut bytes = Vec::new();
    loop {
        match stream.read(MAX_BODY as u64) {
            Ok(chunk) if chunk.is_empty() => wait(&stream.subscribe(), &timer)?,
            Ok(chunk) if bytes.len() + chunk.len() > MAX_BODY => return Err(too_long()),
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(_)) => return Err(lost("the connection broke")),
        }
    }
    Ok(Response { status: incoming.status(), retry_after, body: String::from_utf8_lossy(&bytes).into_owned() })
}

/// Waits until `other` is ready. Fails if the time is up first.
fn wait(other: &Pollable, timer: &Pollable) -> Result<(), Failure> {
    if poll(&[other, timer]).contains(&0) { Ok(()) } else { Err(lost("the service did not answer in time")) }
}

/// A request that was sent, without a whole response.
fn lost(message: &str) -> Failure {
    Failure { may_have_changed: true, ..failure(UNAVAILABLE, message, "Try again later.") }
}

fn too_long() -> Failure {
    let failure = failure(INVALID_RESPONSE, "the response is too long", "Check base-url, and proxies in between.");
    Failure { may_have_changed: true, ..failure }
}

/// A request without a response, by the error code of the platform's client.
fn no_response(code: ErrorCode) -> Failure {
    let bad_setting = |message| {
        failure(MISCONFIGURED, message, "Check base-url, and the rules of the platform.")
            .about(SubjectKind::Setting, "base-url")
    };
    match code {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => {
            bad_setting("the platform does not allow requests to the host of base-url")
        }
        ErrorCode::TlsCertificateError => bad_setting("the certificate of the service is not accepted"),
        // There was no connection, so nothing was sent.
        ErrorCode::DnsTimeout
        | ErrorCode::DnsError(_)
        | ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionTimeout => failure(UNAVAILABLE, "the service cannot be reached", "Try again later."),
        _ => lost("the connection broke"),
    }
}

fn bad_key(message: &str) -> Failure {
    failure(MISCONFIGURED, message, "Set api-key to a key of the service.").about(SubjectKind::Secret, "api-key")
}

/// The single value of a look-up. A blank one counts as not set.
fn value(
    looked_up: Result<Vec<Option<String>>, LookupError>,
    kind: SubjectKind,
    name: &str,
) -> Result<Option<String>, Failure> {
    let values = looked_up.map_err(|error| {
        let code = match error.kind {
            LookupErrorKind::Denied => MISCONFIGURED,
            LookupErrorKind::Unavailable => UNAVAILABLE,
        };
        let message = format!("the platform could not look up {name}: {}", clean(&error.message));
        failure(code, message, "Check the platform's store of values.").about(kind, name)
    })?;
    let value = values.into_iter().next().flatten();
    Ok(value.map(|value| value.trim().into()).filter(|value: &String| !value.is_empty()))
}

/// A foreign text in one line of a sane length.
pub(crate) fn clean(text: &str) -> String {
    text.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
