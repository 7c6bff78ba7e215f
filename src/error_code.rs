//! What an error code of `wasi:http` means to the core. Its codes are the same in 0.2 and 0.3, so that this file serves both
//! drivers: each brings the type of its own bindings.

use alloc::string::String;

use onepassword_users_core::{TransportError, TransportFault};

use crate::http::ErrorCode;

/// Why there is no answer.
pub(crate) fn transport_error(code: ErrorCode) -> TransportError {
    use TransportFault as Fault;
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
        ErrorCode::ConnectionTimeout => String::from("it took too long"),
        _ => String::new(),
    };
    TransportError { fault, detail }
}
