//! Requests that this host does not send or cannot deliver, in words that name the option that helps.

use std::net::IpAddr;

use onepassword_users_core::Failure;
use onepassword_users_core::catalogue::ErrorCode;
use wasmtime_wasi_http::Error as HttpError;

/// The reason why a request was not sent, or got no response. The component gets a code, which stops it from trying again where
/// that does not help. Its failure then gets these words.
#[derive(Debug, Clone)]
pub(crate) struct Obstacle {
    kind: Kind,
    message: String,
    remedy: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The origin is not allowed, or its address is not.
    Origin,
    /// The TLS certificate was not accepted.
    Certificate,
    /// Another option or the system must be corrected.
    Host,
    /// A later attempt may succeed.
    Transient,
}

impl Obstacle {
    /// The code for the component.
    pub(crate) fn error_code(&self) -> HttpError {
        match self.kind {
            Kind::Origin | Kind::Host => HttpError::HttpRequestDenied,
            Kind::Certificate => HttpError::TlsCertificateError,
            Kind::Transient => HttpError::DestinationUnavailable,
        }
    }

    /// Replaces the words of a failure that came of this.
    pub(crate) fn explain(&self, failure: Failure) -> Failure {
        let code = if self.kind == Kind::Transient { ErrorCode::Unavailable } else { ErrorCode::Misconfigured };
        if failure.code != code || failure.service.is_some() {
            return failure;
        }
        // A setting is at fault only if it names the origin.
        let subject = failure.subject.filter(|_| self.kind == Kind::Origin);
        Failure { message: self.message.clone(), remedy: self.remedy.clone(), subject, ..failure }
    }

    /// An origin that is neither the service's nor allowed by the embedder.
    pub(crate) fn origin(setting: Option<&str>, origin: &str, is_loopback: bool) -> Self {
        let (name, setting) = (setting.unwrap_or("the component"), setting.unwrap_or("the component's origin"));
        let (kind, option) = if is_loopback {
            ("a loopback address", "Network.allow_loopback")
        } else {
            ("not one of the service's origins", "Network.allowed_origins")
        };
        Self {
            kind: Kind::Origin,
            message: format!("{name} names {origin}, {kind}, and the platform does not allow requests to it"),
            remedy: format!("Correct {setting}, or allow that origin with {option} if it may have the credentials."),
        }
    }

    /// A host whose address is not on the public Internet.
    pub(crate) fn private(host: &str, address: Option<IpAddr>) -> Self {
        let subject = match address {
            Some(address) => format!("{host}, which leads to {address}"),
            None => host.to_owned(),
        };
        Self {
            kind: Kind::Origin,
            message: format!("the platform does not allow requests to {subject}: it is not a public address"),
            remedy: "If the service is there, allow private addresses with Network.allow_private.".into(),
        }
    }

    /// A proxy that cannot be used. The problem names its variable.
    pub(crate) fn unusable_proxy(problem: String) -> Self {
        Self {
            kind: Kind::Host,
            message: format!("{problem}. Nothing was sent"),
            remedy: "Correct the proxy, add the host to NO_PROXY, or choose another one with Network.proxy.".into(),
        }
    }

    /// A proxy that refuses this host's credentials, or wants some.
    pub(crate) fn proxy_credentials(source: &str) -> Self {
        Self {
            kind: Kind::Host,
            message: format!("the proxy of {source} asks for credentials (407): it got none, or does not accept them"),
            remedy: "Put user name and password into the URL of the proxy, percent-encoded.".into(),
        }
    }

    /// A proxy that does not connect to the service.
    pub(crate) fn proxy_failed(source: &str, origin: &str, cause: &str) -> Self {
        Self {
            kind: Kind::Transient,
            message: format!(
                "no connection could be made to {origin}: the proxy of {source} refused or failed ({cause})"
            ),
            remedy: "Check that the proxy can be reached and allows this host.".into(),
        }
    }

    /// A certificate that is not accepted.
    pub(crate) fn certificate(origin: &str, problem: &rustls::CertificateError, is_proxied: bool) -> Self {
        use rustls::CertificateError::{
            Expired, ExpiredContext, NotValidForName, NotValidForNameContext, UnknownIssuer,
        };
        let (problem, remedy) = match problem {
            UnknownIssuer => (
                "its issuer is not trusted".into(),
                "If a proxy inspects TLS, or the service has a CA of its own, name a PEM file with that CA with \
                 Network.ca_file.",
            ),
            Expired | ExpiredContext { .. } => {
                ("it has expired".into(), "Check the clock of this machine, and proxies in between.")
            }
            NotValidForName | NotValidForNameContext { .. } => {
                ("it is for another name".into(), "Check the host, and proxies in between.")
            }
            problem => (
                problem.to_string(),
                "Check proxies in between. A CA that the system does not have is named with Network.ca_file.",
            ),
        };
        let on_the_way = if is_proxied { ", reached through a proxy," } else { "" };
        Self {
            kind: Kind::Certificate,
            message: format!("the TLS certificate of {origin}{on_the_way} was not accepted: {problem}"),
            remedy: remedy.into(),
        }
    }

    /// TLS that cannot be set up.
    pub(crate) fn tls_setup(problem: &str) -> Self {
        let is_empty = problem.contains("No CA certificates");
        Self {
            kind: Kind::Host,
            message: if is_empty {
                "this system has no CA certificates, so that no certificate can be verified. Nothing was sent".into()
            } else {
                format!("TLS cannot be set up: {problem}. Nothing was sent")
            },
            remedy: "Install the system's CA certificates (ca-certificates), or name a PEM file with Network.ca_file."
                .into(),
        }
    }

    /// A call that does not stop.
    pub(crate) fn too_many_requests(max: u32) -> Self {
        Self {
            kind: Kind::Host,
            message: format!("the action sent {max} requests, and may not send more"),
            remedy: "Ask for less at once.".into(),
        }
    }

    /// A change that the audit hook does not know of.
    pub(crate) fn not_recorded() -> Self {
        Self {
            kind: Kind::Host,
            message: "a change was not sent, since the audit has no record of it: the user changed meanwhile, or the component \
                      does not name the user"
                .into(),
            remedy: "Look the user up, and try again.".into(),
        }
    }
}
