//! The address of the service: scheme, host, port and API version.
//!
//! No error shows the value: people paste secrets into the wrong field.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

use crate::catalogue::BASE_URL;
use crate::http::Scheme;

/// The version of the service's routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ApiVersion {
    /// The general release.
    #[default]
    V1,
    /// The public preview.
    V1Beta1,
}

impl ApiVersion {
    /// Parses `v1` or `v1beta1`.
    ///
    /// # Errors
    ///
    /// The text is neither.
    pub fn parse(text: &str) -> Result<Self, ApiVersionError> {
        match text.trim() {
            "v1" => Ok(Self::V1),
            "v1beta1" => Ok(Self::V1Beta1),
            _ => Err(ApiVersionError),
        }
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::V1 => "v1",
            Self::V1Beta1 => "v1beta1",
        })
    }
}

/// The error of [`ApiVersion::parse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiVersionError;

impl fmt::Display for ApiVersionError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("it is neither v1 nor v1beta1")
    }
}

impl core::error::Error for ApiVersionError {}

/// The origin of the service (scheme, host and port), with the API version if the text ended in one.
///
/// ```
/// use onepassword_users_core::{ApiVersion, BaseUrl};
///
/// let base_url = BaseUrl::parse("API.1Password.eu/v1beta1/")?;
/// assert_eq!(base_url.origin(), "https://api.1password.eu");
/// assert_eq!(base_url.version(), Some(ApiVersion::V1Beta1));
/// assert!(BaseUrl::parse("http://api.1password.eu").is_err());
/// # Ok::<(), onepassword_users_core::BaseUrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    scheme: Scheme,
    authority: String,
    version: Option<ApiVersion>,
}

impl Default for BaseUrl {
    /// The `.com` region.
    fn default() -> Self {
        let authority = const { BASE_URL.default }.unwrap_or_default().trim_start_matches("https://").to_owned();
        Self { scheme: Scheme::Https, authority, version: None }
    }
}

impl BaseUrl {
    /// Parses what people type: a host or an origin, with or without a slash or an API version at its end.
    ///
    /// # Errors
    ///
    /// The text has another scheme than https (http is accepted for loopback addresses), credentials, a query, a fragment, a
    /// path other than the version, or no valid host or port.
    pub fn parse(text: &str) -> Result<Self, BaseUrlError> {
        let text = text.trim();
        if text.contains('@') {
            return Err(BaseUrlError::Credentials);
        }
        if text.contains(['?', '#']) {
            return Err(BaseUrlError::QueryOrFragment);
        }
        let (scheme, rest) = match text.split_once("://") {
            None => (Scheme::Https, text),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Scheme::Https, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Scheme::Http, rest),
            Some(_) => return Err(BaseUrlError::Scheme),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let version = match path.trim_end_matches('/') {
            "" => None,
            "v1" => Some(ApiVersion::V1),
            "v1beta1" => Some(ApiVersion::V1Beta1),
            _ => return Err(BaseUrlError::Path),
        };
        let (host, port) = split_port(authority).ok_or(BaseUrlError::Port)?;
        // A single word without a scheme is more likely a mistake, or a secret in the wrong field, than a host.
        let is_plausible = text.contains("://") || host.contains(['.', ':']) || host.eq_ignore_ascii_case("localhost");
        let is_loopback = is_loopback(host).filter(|_| is_plausible).ok_or(BaseUrlError::Host)?;
        if scheme == Scheme::Http && !is_loopback {
            return Err(BaseUrlError::PlainHttp);
        }
        let mut authority = host.to_ascii_lowercase();
        match (scheme, port) {
            (_, None) | (Scheme::Https, Some(443)) | (Scheme::Http, Some(80)) => {}
            (_, Some(port)) => authority.push_str(&format!(":{port}")),
        }
        Ok(Self { scheme, authority, version })
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host in lower case, and the port if it is not the scheme's default.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The version at the end of the text.
    #[must_use]
    pub fn version(&self) -> Option<ApiVersion> {
        self.version
    }

    /// `https://host` or `https://host:port`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme.as_str(), self.authority)
    }
}

/// The error of [`BaseUrl::parse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BaseUrlError {
    /// It has an `@`, so a user name or a password may stand in front of the host.
    Credentials,
    /// It has a query or a fragment.
    QueryOrFragment,
    /// Its scheme is neither http nor https.
    Scheme,
    /// Its scheme is http, and its host is not a loopback address.
    PlainHttp,
    /// Its path is not an API version.
    Path,
    /// Its port is not a number from 1 to 65535.
    Port,
    /// Its host is neither a DNS name nor an IP address.
    Host,
}

impl fmt::Display for BaseUrlError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Credentials => "it must not contain credentials (an @)",
            Self::QueryOrFragment => "it must not have a query or a fragment",
            Self::Scheme => "it must begin with https://",
            Self::PlainHttp => "it must begin with https:// (plain http is for a loopback address alone)",
            Self::Path => "it must not have a path other than /v1 or /v1beta1",
            Self::Port => "it has a port that is not a number from 1 to 65535",
            Self::Host => "it does not name a host (letters, digits, dots and hyphens, or an IP address)",
        })
    }
}

impl core::error::Error for BaseUrlError {}

/// Splits an authority into host and port. `None` if the text after the colon is not a port.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let host_end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    match authority.get(host_end..)?.find(':') {
        None => Some((authority, None)),
        Some(colon) => {
            let (host, port) = authority.split_at_checked(host_end + colon)?;
            let port = port.strip_prefix(':').filter(|port| port.bytes().all(|b| b.is_ascii_digit()))?;
            port.parse().ok().filter(|port| *port != 0).map(|port| (host, Some(port)))
        }
    }
}

/// True if a host is a loopback address. `None` if it is not a valid host.
fn is_loopback(host: &str) -> Option<bool> {
    if let Some(address) = host.strip_prefix('[') {
        return address.strip_suffix(']')?.parse().ok().map(|address: Ipv6Addr| address.is_loopback());
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Some(address.is_loopback());
    }
    // Some URL parsers read `0x7f.1` and `2130706433` as IPv4 addresses, and some do not. Refuse such hosts.
    let last = host.strip_suffix('.').unwrap_or(host).rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|b| b.is_ascii_digit()) || last.to_ascii_lowercase().starts_with("0x") {
        return None;
    }
    let is_label = |label: &str| {
        matches!(label.len(), 1..=63) && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let is_name = host.len() <= 253 && host.strip_suffix('.').unwrap_or(host).split('.').all(is_label);
    is_name.then(|| host.eq_ignore_ascii_case("localhost"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn base_url_accepts_what_people_type() {
        for (text, origin, version) in [
            ("https://api.1password.com", "https://api.1password.com", None),
            ("api.1password.com", "https://api.1password.com", None),
            (" https://api.1password.ca/ \n", "https://api.1password.ca", None),
            ("HTTPS://API.1Password.EU///", "https://api.1password.eu", None),
            ("api.1password.eu/v1", "https://api.1password.eu", Some(ApiVersion::V1)),
            ("https://api.1password.eu/v1beta1/", "https://api.1password.eu", Some(ApiVersion::V1Beta1)),
            ("https://api.1password.com:443", "https://api.1password.com", None),
            ("https://gateway.example:8443/v1/", "https://gateway.example:8443", Some(ApiVersion::V1)),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443", None),
            ("https://10.0.0.1", "https://10.0.0.1", None),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080", None),
            ("http://localhost:80", "http://localhost", None),
            ("http://[::1]:8080/", "http://[::1]:8080", None),
        ] {
            let base_url = BaseUrl::parse(text).unwrap();
            assert_eq!((base_url.origin().as_str(), base_url.version()), (origin, version), "{text}");
        }
    }

    #[test]
    fn base_url_refuses_everything_else() {
        for (text, problem) in [
            ("", "host"),
            ("https://", "host"),
            ("http://api.1password.com", "https"),
            ("http://127.0.0.1.example.com", "https"),
            ("http://2130706433", "host"),
            ("https://2852039166", "host"),
            ("https://0x7f.0x1", "host"),
            ("https://10.1", "host"),
            ("https://0", "host"),
            ("http://localhost.example", "https"),
            ("ftp://api.1password.com", "https"),
            ("://api.1password.com", "https"),
            ("https://user:hunter2@api.1password.com", "credentials"),
            ("https://api.1password.com?x=1", "query"),
            ("https://api.1password.com/v1#x", "fragment"),
            ("https://api.1password.com/v2", "path"),
            ("https://api.1password.com/v1/accounts", "path"),
            ("https://api.1password.com/../v1", "path"),
            ("https://api.1password.com/%2e", "path"),
            ("https://api.1password.com\\v1", "host"),
            ("https://api.1password.com:0", "port"),
            ("https://api.1password.com:65536", "port"),
            ("https://api.1password.com:+1", "port"),
            ("https://api.1password.com:", "port"),
            ("https://api.1password.com:8443:1", "port"),
            ("https://api..com", "host"),
            ("https://api.1password.com\r\nX", "host"),
            ("https://api 1password.com", "host"),
            ("https://ápi.com", "host"),
            ("https://[::1", "port"),
            ("https://::1", "port"),
            ("https://[zz]", "host"),
            ("hunter2", "host"),
            (&"a".repeat(10_000), "host"),
        ] {
            let error = BaseUrl::parse(text).unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
            assert!(!error.contains("hunter2") && error.len() < 120, "{error}");
        }
    }
}
