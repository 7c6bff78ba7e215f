//! Driver code shared by WASI 0.2 and 0.3.
//!
//! The types of `wasi:http` have the same shape in both versions, but are different types in Rust. The macro [`convert!`]
//! defines the conversions for the types of a module. Code that needs no bindings is in plain functions.

#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use onepassword_users_core::{TransportError, TransportFault};

/// For the expansion of [`convert!`].
#[doc(hidden)]
pub use onepassword_users_core as __core;

/// Defines the functions that convert between the core's types and those of `wasi:http`:
///
/// - `describe(&OutgoingRequest, &Request) -> Result<(), &'static str>` sets all of a request except headers and body. The
///   error names the part that the host refused.
/// - `transport_error(ErrorCode) -> TransportError` converts the error code of a request without a response.
///
/// The argument is the path of a module with the types `ErrorCode`, `Method`, `OutgoingRequest` and `Scheme`, as they are named
/// in 0.2:
///
/// ```ignore
/// onepassword_users_wasi_driver::convert!(wasi::http::types);
/// ```
#[macro_export]
macro_rules! convert {
    ($($types:tt)+) => {
        use $($types)+ as __types;

        /// Sets all of a request except headers and body. The error names the part that the host refused.
        pub(crate) fn describe(
            outgoing: &__types::OutgoingRequest,
            request: &$crate::__core::Request,
        ) -> Result<(), &'static str> {
            use __types as types;
            use $crate::__core::{Method, Scheme};

            let method = match request.method {
                Method::Get => types::Method::Get,
                Method::Post => types::Method::Post,
            };
            let scheme = match request.scheme {
                Scheme::Http => types::Scheme::Http,
                Scheme::Https => types::Scheme::Https,
            };
            outgoing.set_method(&method).map_err(|()| "the method")?;
            outgoing.set_scheme(Some(&scheme)).map_err(|()| "the scheme")?;
            outgoing.set_authority(Some(&request.authority)).map_err(|()| "the host")?;
            outgoing.set_path_with_query(Some(&request.path_and_query)).map_err(|()| "the path")
        }

        /// Converts the error code of a request without a response.
        pub(crate) fn transport_error(code: __types::ErrorCode) -> $crate::__core::TransportError {
            use __types::ErrorCode;
            use $crate::__core::{TransportError, TransportFault as Fault};

            let fault = match &code {
                ErrorCode::DnsTimeout | ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => Fault::Dns,
                ErrorCode::DestinationUnavailable
                | ErrorCode::DestinationIpUnroutable
                | ErrorCode::ConnectionRefused
                | ErrorCode::ConnectionTimeout
                | ErrorCode::ConnectionLimitReached => Fault::Connect,
                ErrorCode::DestinationIpProhibited | ErrorCode::HttpRequestDenied => Fault::Denied,
                ErrorCode::TlsCertificateError => Fault::Certificate,
                ErrorCode::TlsProtocolError | ErrorCode::TlsAlertReceived(_) => Fault::Tls,
                ErrorCode::ConnectionReadTimeout | ErrorCode::ConnectionWriteTimeout | ErrorCode::HttpResponseTimeout => {
                    Fault::Timeout
                }
                ErrorCode::HttpRequestLengthRequired
                | ErrorCode::HttpRequestBodySize(_)
                | ErrorCode::HttpRequestMethodInvalid
                | ErrorCode::HttpRequestUriInvalid
                | ErrorCode::HttpRequestUriTooLong
                | ErrorCode::HttpRequestHeaderSectionSize(_)
                | ErrorCode::HttpRequestHeaderSize(_)
                | ErrorCode::HttpRequestTrailerSectionSize(_)
                | ErrorCode::HttpRequestTrailerSize(_)
                | ErrorCode::ConfigurationError => Fault::Internal,
                _ => Fault::Broken,
            };
            let detail = match code {
                ErrorCode::InternalError(Some(text)) => text,
                ErrorCode::DnsError(payload) => payload.rcode.unwrap_or_default(),
                ErrorCode::ConnectionTimeout => "it took too long".into(),
                _ => Default::default(),
            };
            TransportError { fault, detail }
        }
    };
}

/// A transport error that the driver itself found.
#[must_use]
pub fn error(fault: TransportFault, detail: &str) -> TransportError {
    TransportError { fault, detail: detail.to_string() }
}

/// The capacity to reserve for a body, in bytes: the length that the headers announce, but at most `max`.
///
/// A buffer that grows while the body is read leaves copies behind, which are not wiped.
#[must_use]
pub fn announced_length(headers: &[(String, Vec<u8>)], max: usize) -> usize {
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|(_, length)| core::str::from_utf8(length).ok()?.parse().ok());
    length.map_or(0, |length: usize| length.min(max))
}

/// A duration in the nanoseconds of a monotonic clock, saturating.
#[must_use]
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announced_length_is_capped() {
        let length = |value: &str| {
            let headers = [("x".into(), b"7".to_vec()), ("Content-Length".into(), value.as_bytes().to_vec())];
            announced_length(&headers, 100)
        };
        assert_eq!([length("0"), length("42"), length("100"), length("101")], [0, 42, 100, 100]);
        assert_eq!([length(""), length("-1"), length("4 2"), length("99999999999999999999999")], [0; 4]);
        assert_eq!(announced_length(&[], 100), 0);
    }

    #[test]
    fn a_long_duration_saturates() {
        assert_eq!(nanos(Duration::from_micros(3)), 3000);
        assert_eq!(nanos(Duration::MAX), u64::MAX);
    }
}
