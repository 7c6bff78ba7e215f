//! Conversions between the core's steps and events and those of the contract, and the checks of what a host hands over.

use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;

use onepassword_users_core::{
    Event, LookupError, LookupErrorKind, Method, Request, Response, Secret, TransportError, TransportFault,
};

use crate::bindings::exports::automation::connector::steps;

/// The first bytes of a body that is compressed with gzip.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The step that the next event answers.
pub(crate) enum Asked {
    Nothing,
    Settings,
    Secrets,
    Send(Sent),
    Wait,
}

/// The parts of a request that its response is checked against.
pub(crate) struct Sent {
    url: String,
    max_body: usize,
}

/// A request in the contract's form.
pub(crate) fn request(request: Request) -> (steps::Request, Sent) {
    let url = format!("{}://{}{}", request.scheme.as_str(), request.authority, request.path_and_query);
    let (mut headers, mut authorization) = (String::new(), None);
    for (name, value) in &request.headers {
        match *name {
            "authorization" => authorization = Some(value.expose().into()),
            // The host's client writes it.
            "content-length" => {}
            _ => {
                headers.push_str(name);
                headers.push_str(": ");
                headers.push_str(value.expose());
                headers.push('\n');
            }
        }
    }
    let method = match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    let sent = Sent { url: url.clone(), max_body: request.max_body };
    let request = steps::Request {
        method: method.into(),
        url,
        authorization,
        headers,
        body: request.body.map(|body| String::from_utf8_lossy(body).into_owned()),
        idle_timeout: nanos(request.idle_timeout),
        total_timeout: nanos(request.total_timeout),
        max_body: u32::try_from(request.max_body).unwrap_or(u32::MAX),
        changes: request.changed_user,
    };
    (request, sent)
}

/// A duration in nanoseconds, saturating.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The core's event. One that answers nothing becomes [`Event::Start`], which the core reports as the host's mistake.
pub(crate) fn event(event: steps::Event, asked: Asked) -> Event {
    match (event, asked) {
        (steps::Event::Values(values), Asked::Settings) => Event::Settings(Ok(values)),
        (steps::Event::Values(values), Asked::Secrets) => {
            Event::Secrets(Ok(values.into_iter().map(|value| value.map(Secret::new)).collect()))
        }
        (steps::Event::LookupFailed(error), Asked::Settings) => Event::Settings(Err(lookup_error(error))),
        (steps::Event::LookupFailed(error), Asked::Secrets) => Event::Secrets(Err(lookup_error(error))),
        (steps::Event::Response(received), Asked::Send(sent)) => Event::Response(response(received, &sent)),
        (steps::Event::NoResponse(error), Asked::Send(_)) => Event::Response(Err(transport_error(error))),
        (steps::Event::Elapsed, Asked::Wait) => Event::Elapsed,
        _ => Event::Start,
    }
}

fn lookup_error(error: steps::LookupError) -> LookupError {
    LookupError {
        kind: match error.kind {
            steps::LookupErrorKind::Denied => LookupErrorKind::Denied,
            steps::LookupErrorKind::Unavailable => LookupErrorKind::Unavailable,
        },
        name: error.name,
        reason: error.message,
    }
}

/// A response, or the failure that a host did not notice: a body that is too long, or cut off.
fn response(received: steps::Response, sent: &Sent) -> Result<Response, TransportError> {
    let steps::Response { status, url, headers, body, decoded } = received;
    let body = match body {
        steps::Body::Text(text) => text.into_bytes(),
        steps::Body::Bytes(bytes) => bytes,
    };
    let mut response = Response::new(status, body);
    response.headers = headers
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().into(), value.trim().as_bytes().to_vec()))
        .collect();
    if response.body.len() > sent.max_body {
        return Err(TransportError { fault: TransportFault::TooLarge { status }, detail: String::new() });
    }
    let header = |name: &str| {
        let mut named = response.headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.as_slice())
    };
    let encoding = header("content-encoding");
    let is_gzip = encoding.is_some_and(|encoding| encoding.eq_ignore_ascii_case(b"gzip"));
    // Most clients decode a body without a word, and leave the header standing.
    if decoded || is_gzip && !response.body.starts_with(&GZIP) {
        response.headers.retain(|(header, _)| !header.eq_ignore_ascii_case("content-encoding"));
    } else if encoding.is_none() {
        let announced = header("content-length");
        let announced = announced.and_then(|length| core::str::from_utf8(length).ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > response.body.len()) {
            return Err(TransportError { fault: TransportFault::Broken, detail: "the body was cut off".to_string() });
        }
    }
    if url.is_some_and(|url| !is_same_url(&url, &sent.url)) {
        response.flaw = Some("the host followed a redirect, which it must not");
    }
    Ok(response)
}

/// True if two URLs are the same but for what clients write differently: the case of scheme and host, the default port, a
/// fragment, and percent-encoding.
fn is_same_url(a: &str, b: &str) -> bool {
    normal(a) == normal(b)
}

fn normal(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (scheme, authority) = (scheme.to_ascii_lowercase(), authority.to_ascii_lowercase());
    let port = if scheme == "https" { ":443" } else { ":80" };
    let host = authority.strip_suffix(port).unwrap_or(&authority);
    let path = path.split('#').next().unwrap_or_default();
    format!("{scheme}://{host}{}", path.to_ascii_lowercase())
}

fn transport_error(error: steps::TransportError) -> TransportError {
    use steps::TransportFault as Fault;

    let fault = match error.fault {
        Fault::Dns => TransportFault::Dns,
        Fault::Connect => TransportFault::Connect,
        Fault::Certificate => TransportFault::Certificate,
        Fault::Tls => TransportFault::Tls,
        Fault::Denied => TransportFault::Denied,
        Fault::Timeout => TransportFault::Timeout,
        Fault::Broken => TransportFault::Broken,
        Fault::TooLarge => TransportFault::TooLarge { status: error.status.unwrap_or_default() },
        Fault::Internal => TransportFault::Internal,
    };
    TransportError { fault, detail: error.detail }
}
