//! The service's own description of an error.

use alloc::string::{String, ToString};
use core::fmt;

use serde_json::Value;

use crate::http::Response;
use crate::secret::Secret;
use crate::text;

/// The part of an error's body that is read, in bytes.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// An error as the service describes it: cleaned, cut, and without secrets that the service repeated.
///
/// Both forms of the service's errors are read: that of its gateway (`google.rpc.Status`: `code`, `message`, `details`) and that of
/// OAuth 2.0 (RFC 6749, section 5.2: `error`, `error_description`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceError {
    /// The HTTP status.
    pub status: u16,
    /// A number of `google.rpc.Code` or an OAuth 2.0 error. `None` if the body has neither form.
    pub code: Option<String>,
    /// The message. May be empty.
    pub message: String,
}

impl ServiceError {
    /// Parses a response. `secrets` are the ones that the request carried.
    pub(crate) fn parse(response: &Response, secrets: &[&Secret]) -> Self {
        let (code, message) = words(&response.body);
        Self {
            status: response.status,
            code: code.map(|code| text::clean(&code, secrets)).filter(|code| !code.is_empty()),
            message: text::clean(&message, secrets),
        }
    }
}

/// The code and the message of a body. The message of a body that is not JSON is its text, unless it is a page of markup.
fn words(body: &[u8]) -> (Option<String>, String) {
    // A longer body would take many times its size in memory once parsed.
    let body = body.get(..body.len().min(MAX_ERROR_BODY)).unwrap_or_default();
    let Ok(Value::Object(object)) = serde_json::from_slice(body) else {
        let text = core::str::from_utf8(body).unwrap_or_default().trim_start();
        return (None, if text.starts_with('<') { String::new() } else { text.into() });
    };
    let text = |key: &str| match object.get(key) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let message = text("message").or_else(|| text("error_description")).unwrap_or_default();
    (text("code").or_else(|| text("error")), message)
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
    use super::*;

    fn read(body: &str) -> (Option<String>, String) {
        let error = ServiceError::parse(&Response::new(400, body.into()), &[]);
        (error.code, error.message)
    }

    #[test]
    fn both_forms_are_read_and_nothing_else_is_an_error() {
        let some = |code: &str, message: &str| (Some(code.into()), message.into());
        assert_eq!(read(r#"{"code":7,"message":"no_owner_remain","details":[]}"#), some("7", "no_owner_remain"));
        assert_eq!(
            read(r#"{"error":"invalid_client","error_description":"Unknown."}"#),
            some("invalid_client", "Unknown.")
        );
        assert_eq!(read(r#"{"code":{},"message":[]}"#), (None, String::new()));
        assert_eq!(read(" <html>Sign in</html>"), (None, String::new()));
        assert_eq!(read("upstream\nfailed"), (None, "upstream failed".into()));
        assert_eq!(read(""), (None, String::new()));
    }
}
