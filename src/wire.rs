//! What requests and error codes of `wasi:http` are to the core. They are the same in 0.2 and 0.3, so that this file serves both
//! drivers: each brings the types of its own bindings.

use alloc::string::String;

use onepassword_users_core::{Method, Request, Scheme, TransportError, TransportFault};

use crate::http::types::{self, ErrorCode, OutgoingRequest};

/// Describes everything of a request but headers and body; the error names the part that the host refused.
pub(crate) fn describe(outgoing: &OutgoingRequest, request: &Request) -> Result<(), &'static str> {
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
