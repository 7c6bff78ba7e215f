//! Requests and answers as values, so that drivers only move bytes.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::settings::Scheme;

/// An HTTP method that the service knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads; never has a body.
    Get,
    /// Changes something, or obtains a token.
    Post,
}

/// The value of a header; some are secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderValue {
    /// May be seen.
    Plain(String),
    /// Must not be seen: credentials.
    Secret(Secret),
}

impl HeaderValue {
    /// The value itself, for sending it.
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

/// A request, complete: a driver adds only what its HTTP stack needs (such as `host`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The scheme.
    pub scheme: Scheme,
    /// Host, and port where it is not the scheme's own.
    pub authority: String,
    /// Path and query, percent-encoded.
    pub path_and_query: String,
    /// All headers that the core wants to be sent.
    pub headers: Vec<Header>,
    /// The body; `None` for a request that has none at all. An empty body is announced by `content-length: 0`.
    pub body: Option<&'static [u8]>,
    /// The longest time to wait for a connection and the first byte of the answer, and then between two parts of it.
    pub timeout: Duration,
    /// The longest that the whole exchange may take: what is left of the action's time.
    pub deadline: Duration,
    /// The longest body to accept, in bytes. A driver stops reading beyond it, with [`TransportFault::TooLarge`].
    pub max_body: usize,
}

/// An answer. Its `Debug` form leaves the body out, which may hold a token; the body is wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// All headers as received. Names compare without regard to case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The whole body.
    pub body: Zeroizing<Vec<u8>>,
}

impl Response {
    /// An answer without headers.
    #[must_use]
    pub fn new(status: u16, body: Vec<u8>) -> Self {
        Self { status, headers: Vec::new(), body: Zeroizing::new(body) }
    }

    /// The first header of this name that is valid UTF-8.
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

/// Why there is no answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportFault {
    /// The host's name could not be resolved.
    Dns,
    /// No connection: refused, unreachable, or a proxy that would not.
    Connect,
    /// The TLS certificate was not accepted.
    Certificate,
    /// TLS failed for another reason.
    Tls,
    /// The platform does not allow this request; it was not sent.
    Denied,
    /// Nothing came for as long as [`Request::timeout`] allows, or not all within [`Request::deadline`].
    Timeout,
    /// The connection broke, or what came was not HTTP.
    Broken,
    /// The body was longer than [`Request::max_body`].
    TooLarge {
        /// The HTTP status of the answer.
        status: u16,
    },
    /// The driver could not make the request; it was not sent.
    Internal,
}

impl TransportFault {
    /// Whether the same request may do better in a while.
    pub(crate) fn may_pass(self) -> bool {
        matches!(self, Self::Dns | Self::Connect | Self::Tls | Self::Timeout | Self::Broken)
    }

    /// Whether the service may have received the request nonetheless.
    #[must_use]
    pub fn may_have_arrived(self) -> bool {
        matches!(self, Self::Timeout | Self::Broken | Self::TooLarge { .. })
    }
}

/// A request that got no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportError {
    /// Why, for the program.
    pub fault: TransportFault,
    /// Why, in the driver's words; may be empty. Never a secret.
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
