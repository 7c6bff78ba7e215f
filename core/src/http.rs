//! HTTP requests and responses as values, so that drivers only move bytes.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use zeroize::Zeroizing;

use crate::secret::Secret;

/// The scheme of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP, allowed for loopback addresses only.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// An HTTP method that the service uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads. Never has a body.
    Get,
    /// Changes a user or requests a token.
    Post,
}

/// The value of a request header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderValue {
    /// A value that may be shown.
    Plain(String),
    /// Credentials, which must not be shown.
    Secret(Secret),
}

impl HeaderValue {
    /// The value itself, for the driver that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        match self {
            Self::Plain(value) => value,
            Self::Secret(value) => value.expose(),
        }
    }
}

/// A header of a request. Names are lower case.
pub type Header = (&'static str, HeaderValue);

/// A complete request. A driver adds only headers that its HTTP stack needs, such as `host`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The scheme.
    pub scheme: Scheme,
    /// The host, and the port if it is not the scheme's default.
    pub authority: String,
    /// Path and query, percent-encoded.
    pub path_and_query: String,
    /// The headers to send.
    pub headers: Vec<Header>,
    /// The body. `None` means that the request has no body; an empty body is announced by `content-length: 0`.
    pub body: Option<&'static [u8]>,
    /// The idle timeout: the longest wait for a connection and the first byte of the response, and then between two parts
    /// of it.
    pub idle_timeout: Duration,
    /// The total timeout of the exchange: the time that the action has left.
    pub total_timeout: Duration,
    /// The id of the user that the request changes, if it changes one.
    pub changed_user: Option<String>,
    /// The e-mail address of that user, as the service has it, for the driver's audit trail.
    pub changed_email: Option<String>,
    /// The longest body to accept, in bytes. Beyond it a driver stops reading and reports [`TransportFault::TooLarge`].
    pub max_body: usize,
}

/// A response. The body may hold a token: it is not part of the `Debug` form and is wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// All headers as received. The core compares their names without regard to case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The complete body.
    pub body: Zeroizing<Vec<u8>>,
    /// The reason why the driver does not trust the response, as a clause about it. Nothing is made of such a response.
    pub flaw: Option<&'static str>,
}

impl Response {
    /// A response without headers.
    #[must_use]
    pub fn new(status: u16, body: Vec<u8>) -> Self {
        Self { status, headers: Vec::new(), body: Zeroizing::new(body), flaw: None }
    }

    /// The first header of this name that is valid UTF-8, without surrounding white space.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name));
        named.find_map(|(_, value)| core::str::from_utf8(value).ok()).map(str::trim)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Response")
            .field("status", &self.status)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish_non_exhaustive()
    }
}

/// The kind of failure that left a request without a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportFault {
    /// The host name could not be resolved.
    Dns,
    /// No connection: refused, unreachable, or rejected by a proxy.
    Connect,
    /// The TLS certificate was not accepted.
    Certificate,
    /// TLS failed for another reason.
    Tls,
    /// The platform does not allow this request. It was not sent.
    Denied,
    /// The [idle timeout](Request::idle_timeout) or the [total timeout](Request::total_timeout) elapsed.
    Timeout,
    /// The connection broke, or the response was not HTTP.
    Broken,
    /// The body was longer than [`Request::max_body`].
    TooLarge {
        /// The HTTP status of the response.
        status: u16,
    },
    /// The driver could not make the request. It was not sent.
    Internal,
}

impl TransportFault {
    /// True if the same request may succeed later.
    pub(crate) fn is_transient(self) -> bool {
        matches!(self, Self::Dns | Self::Connect | Self::Tls | Self::Timeout | Self::Broken)
    }

    /// True if the service may have received the request.
    #[must_use]
    pub fn may_have_arrived(self) -> bool {
        matches!(self, Self::Timeout | Self::Broken | Self::TooLarge { .. })
    }
}

/// The failure of a request that got no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportError {
    /// The kind of failure.
    pub fault: TransportFault,
    /// The cause in the driver's words. May be empty. Must not hold a secret.
    pub detail: String,
}

impl fmt::Display for TransportError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.fault {
            TransportFault::Dns => "its name could not be resolved",
            TransportFault::Connect => "no connection could be made",
            TransportFault::Certificate => {
                "its TLS certificate was not accepted (a proxy that inspects TLS needs its CA trusted by the platform)"
            }
            TransportFault::Tls => "TLS failed",
            TransportFault::Denied => "the platform does not allow requests to it",
            TransportFault::Timeout => "it did not answer in time",
            TransportFault::Broken => "the connection broke",
            TransportFault::TooLarge { .. } => "its answer was too large",
            TransportFault::Internal => "the request could not be made",
        })?;
        if self.detail.is_empty() { Ok(()) } else { write!(formatter, " ({})", self.detail) }
    }
}

impl core::error::Error for TransportError {}
