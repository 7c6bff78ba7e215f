//! The service's own description of an error.

use alloc::string::String;
use core::fmt;
use core::time::Duration;

use crate::api::parse::{Field, Node, is_key, parse};
use crate::decimal::seconds;
use crate::http::Response;
use crate::redact::Redactor;
use crate::text;

/// The part of an error's body that is read, in bytes.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// An error as the service describes it: cleaned, cut, and without secrets that the service repeated.
///
/// The forms that are read: that of the service's gateway (`google.rpc.Status`: `code`, `message`, `details`), also within `error`
/// and with names for numbers, that of OAuth 2.0 (RFC 6749, section 5.2: `error`, `error_description`), problem details (RFC 9457),
/// and lists of `errors`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceError {
    /// The HTTP status.
    pub status: u16,
    /// The code: a number or a name of `google.rpc.Code`, an OAuth 2.0 error, or another one. `None` if the body has none.
    pub code: Option<String>,
    /// The message. May be empty.
    pub message: String,
}

/// A code of `google.rpc.Code` that this crate acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RpcCode {
    NotFound,
    PermissionDenied,
    Aborted,
    Unauthenticated,
}

impl RpcCode {
    /// Parses a number or a name in any spelling.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [
            ("5", "notfound", Self::NotFound),
            ("7", "permissiondenied", Self::PermissionDenied),
            ("10", "aborted", Self::Aborted),
            ("16", "unauthenticated", Self::Unauthenticated),
        ]
        .into_iter()
        .find_map(|(number, name, code)| (text == number || is_key(text, name)).then_some(code))
    }
}

/// An error response, read.
#[derive(Debug)]
pub(crate) struct ErrorResponse {
    pub(crate) error: ServiceError,
    /// The code, if it is one that matters.
    pub(crate) rpc_code: Option<RpcCode>,
    /// The time to wait, from `google.rpc.RetryInfo`.
    pub(crate) retry_delay: Option<Duration>,
    /// The body is an object with a code, an error or a message, as a service of this kind sends it.
    pub(crate) has_form: bool,
    /// The body is HTML or XML.
    pub(crate) is_markup: bool,
}

impl ErrorResponse {
    /// Reads an error response.
    pub(crate) fn read(response: &Response, redactor: &Redactor) -> Self {
        // A longer body would take many times its size in memory once parsed.
        let body = response.body.get(..response.body.len().min(MAX_ERROR_BODY)).unwrap_or_default();
        let mut words = Words::default();
        let text = String::from_utf8_lossy(body);
        let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        let content_type = response.header("content-type").unwrap_or_default().to_ascii_lowercase();
        let json = parse::<Node>(body).ok().filter(|node| !matches!(node, Node::Field(_)));
        let is_markup = text.starts_with('<') || content_type.contains("html") && json.is_none();
        match &json {
            Some(value) => words.read(value),
            None if is_markup => {}
            None => words.message = text.into(),
        }
        let code = words.code.map(|code| text::clean(&redactor.redact(&code))).filter(|code| !code.is_empty());
        Self {
            has_form: code.is_some() || json.is_some() && !words.message.is_empty(),
            error: ServiceError {
                status: response.status,
                code,
                message: text::clean(&redactor.redact(&words.message)),
            },
            rpc_code: words.rpc_code,
            retry_delay: words.retry_delay,
            is_markup,
        }
    }
}

/// The code and the message of a body, in any of the forms that services use.
#[derive(Default)]
struct Words {
    code: Option<String>,
    rpc_code: Option<RpcCode>,
    message: String,
    retry_delay: Option<Duration>,
}

impl Words {
    fn read(&mut self, body: &Node) {
        // The error may be an object of its own, or the first of several.
        let inner = match (body, body.get("error"), body.get("errors")) {
            (_, Some(inner @ Node::Object(_)), _) => Some(inner),
            (_, _, Some(Node::Array(errors))) | (Node::Array(errors), ..) => errors.first(),
            _ => None,
        };
        match inner {
            Some(Node::Field(Field::Text(message))) => self.message.clone_from(message),
            // Arrays in arrays have no known meaning.
            Some(inner @ Node::Object(_)) => self.read_object(inner),
            _ => {}
        }
        if let Node::Object(_) = body {
            self.read_object(body);
        }
        // A text in the place of a code: `{"error": "The token has expired"}`.
        if let Some(words) = body.text("error").filter(|words| words.contains(' '))
            && self.message.is_empty()
        {
            self.message = words;
        }
    }

    /// Reads one object. What is known already stays.
    fn read_object(&mut self, object: &Node) {
        let codes = ["code", "status", "error", "reason"].map(|key| object.text(key));
        if self.rpc_code.is_none() {
            self.rpc_code = codes.iter().flatten().find_map(|code| RpcCode::parse(code));
        }
        if self.code.is_none() {
            // A number above those of google.rpc.Code repeats the HTTP status, and a name says more.
            let [code, status, error, _] = codes;
            let name = status.clone().filter(|name| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'));
            let is_number = |code: &String| code.len() > 2 && code.bytes().all(|b| b.is_ascii_digit());
            let code = match (code.filter(|code| name.is_none() || !is_number(code)), name) {
                (Some(code), _) | (None, Some(code)) => Some(code),
                (None, None) => error.filter(|error| !error.contains(' ')),
            };
            self.code = code;
        }
        if self.message.is_empty() {
            let keys = [
                "message",
                "error_description",
                "detail",
                "msg",
                "errorMessage",
                "error_message",
                "description",
                "title",
            ];
            self.message = keys.iter().find_map(|key| object.text(key)).unwrap_or_default();
        }
        if let Some(Node::Array(details)) = object.get("details") {
            self.retry_delay = self.retry_delay.or_else(|| details.iter().find_map(retry_delay));
        }
    }
}

/// The delay of a `google.rpc.RetryInfo`: `"2.5s"`, or seconds in an object.
fn retry_delay(detail: &Node) -> Option<Duration> {
    match detail.get("retryDelay").or_else(|| detail.get("retry_delay"))? {
        Node::Field(Field::Text(text)) => seconds(text.trim().strip_suffix('s')?),
        delay => seconds(&delay.text("seconds")?),
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "HTTP {}", self.status)?;
        if let Some(code) = &self.code {
            write!(formatter, ", code {code}")?;
        }
        if self.message.is_empty() { Ok(()) } else { write!(formatter, ": {}", self.message) }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    fn read(body: &str) -> (Option<String>, String) {
        let error = ErrorResponse::read(&Response::new(400, body.into()), &Redactor::default()).error;
        (error.code, error.message)
    }

    #[test]
    fn row_28_all_forms_of_errors_are_read() {
        let some = |code: &str, message: &str| (Some(code.into()), message.into());
        for (body, expected) in [
            (r#"{"code":7,"message":"no_owner_remain","details":[]}"#, some("7", "no_owner_remain")),
            (r#"{"error":"invalid_client","error_description":"Unknown."}"#, some("invalid_client", "Unknown.")),
            (
                r#"{"error":{"code":403,"message":"words","status":"PERMISSION_DENIED","details":[]}}"#,
                some("PERMISSION_DENIED", "words"),
            ),
            (r#"{"error":{"code":5,"message":"words"}}"#, some("5", "words")),
            (r#"{"code":"NOT_FOUND","message":"words"}"#, some("NOT_FOUND", "words")),
            (r#"{"status":"UNAUTHENTICATED","message":"words"}"#, some("UNAUTHENTICATED", "words")),
            (r#"{"errors":[{"code":7,"message":"words"}]}"#, some("7", "words")),
            (r#"{"errors":["words"]}"#, (None, "words".into())),
            (r#"[{"code":7,"message":"words"}]"#, some("7", "words")),
            (r#"{"title":"Forbidden","status":403,"detail":"words","code":7}"#, some("7", "words")),
            (r#"{"error":"The words"}"#, (None, "The words".into())),
            (r#"{"code":404,"message":"words"}"#, some("404", "words")),
            (r#"{"message":"a\ud800"}"#, (None, "a\u{fffd}".into())),
            (r#"{"code":{},"message":[]}"#, (None, String::new())),
            (" <html>Sign in</html>", (None, String::new())),
            ("\u{feff}<?xml?>", (None, String::new())),
            ("upstream\nfailed", (None, "upstream failed".into())),
            ("", (None, String::new())),
        ] {
            assert_eq!(read(body), expected, "{body}");
        }
    }

    #[test]
    fn row_28_codes_and_delays_are_read_in_any_form() {
        let read = |body: &str| {
            let response = ErrorResponse::read(&Response::new(400, body.into()), &Redactor::default());
            (response.rpc_code, response.retry_delay.map(|delay| delay.as_millis()))
        };
        for (body, code) in [
            (r#"{"code":16}"#, Some(RpcCode::Unauthenticated)),
            (r#"{"code":"ABORTED"}"#, Some(RpcCode::Aborted)),
            (r#"{"error":{"code":404,"status":"NOT_FOUND"}}"#, Some(RpcCode::NotFound)),
            (r#"{"code":"PermissionDenied"}"#, Some(RpcCode::PermissionDenied)),
            (r#"{"code":3}"#, None),
            (r#"{"code":160}"#, None),
        ] {
            assert_eq!(read(body), (code, None), "{body}");
        }
        for (detail, millis) in [
            (r#"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"2.5s"}"#, Some(2500)),
            (r#"{"retry_delay":{"seconds":3}}"#, Some(3000)),
            (r#"{"retryDelay":"soon"}"#, None),
        ] {
            assert_eq!(read(&format!(r#"{{"details":[7,{detail}]}}"#)).1, millis, "{detail}");
            assert_eq!(read(&format!(r#"{{"error":{{"details":[{detail}]}}}}"#)).1, millis, "{detail}");
        }
    }
}
