//! Settings, typed on entry: whatever is held here can be used without another look.
//!
//! No message about a setting shows its value: people paste secrets into the wrong field.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use crate::action::Io;
use crate::error::Error;

/// Where the service is if `base-url` is not set.
const DEFAULT_BASE_URL: &str = "https://api.1password.com";
/// How long to wait if `timeout` is not set, in seconds.
const DEFAULT_TIMEOUT: u64 = 30;
/// The longest `timeout`, in seconds.
const MAX_TIMEOUT: u64 = 600;
/// The longest `deadline`, in seconds.
const MAX_DEADLINE: u64 = 3600;
/// How long an action may take if `deadline` is not set, in seconds.
const DEFAULT_DEADLINE: u64 = 300;
/// The most that `max-attempts` may be.
const MAX_ATTEMPTS: u32 = 10;
/// How often a request is tried if `max-attempts` is not set.
const DEFAULT_ATTEMPTS: u32 = 4;
/// How the component names itself to the service.
const PRODUCT: &str = concat!("onepassword-users/", env!("CARGO_PKG_VERSION"));

/// What one action works with, read anew for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) base_url: BaseUrl,
    pub(crate) version: ApiVersion,
    pub(crate) account: AccountId,
    pub(crate) timeout: Duration,
    pub(crate) deadline: Duration,
    pub(crate) max_attempts: u32,
    pub(crate) user_agent: UserAgent,
}

impl Settings {
    /// Asks for each setting. Fails at the first that is missing or cannot be used.
    pub(crate) async fn read(io: &Io) -> Result<Self, Error> {
        let base_url = match io.setting("base-url").await? {
            Some(text) => BaseUrl::parse(&text).map_err(|problem| misconfigured("base-url", problem))?,
            None => BaseUrl::default(),
        };
        let version = match io.setting("api-version").await? {
            Some(text) => Some(ApiVersion::parse(&text).map_err(|problem| misconfigured("api-version", problem))?),
            None => None,
        };
        let version = match (version, base_url.version) {
            (Some(version), Some(other)) if version != other => {
                let problem = format!("it says {version}, but base-url ends in {other}");
                return Err(misconfigured("api-version", problem));
            }
            (version, at_the_end) => version.or(at_the_end).unwrap_or_default(),
        };
        let account = match io.setting("account-id").await? {
            Some(text) => AccountId::parse(&text).map_err(|problem| misconfigured("account-id", problem))?,
            None => return Err(misconfigured("account-id", "it is not set".into())),
        };
        let timeout = match io.setting("timeout").await? {
            Some(text) => seconds(&text, MAX_TIMEOUT).map_err(|problem| misconfigured("timeout", problem))?,
            None => Duration::from_secs(DEFAULT_TIMEOUT),
        };
        let deadline = match io.setting("deadline").await? {
            Some(text) => seconds(&text, MAX_DEADLINE).map_err(|problem| misconfigured("deadline", problem))?,
            None => Duration::from_secs(DEFAULT_DEADLINE),
        };
        let max_attempts = match io.setting("max-attempts").await? {
            Some(text) => attempts(&text).map_err(|problem| misconfigured("max-attempts", problem))?,
            None => DEFAULT_ATTEMPTS,
        };
        let user_agent = match io.setting("user-agent").await? {
            Some(text) => UserAgent::parse(&text).map_err(|problem| misconfigured("user-agent", problem))?,
            None => UserAgent::default(),
        };
        Ok(Self { base_url, version, account, timeout, deadline, max_attempts, user_agent })
    }
}

/// The error for a setting or secret that is missing or cannot be used.
pub(crate) fn misconfigured(name: &'static str, problem: String) -> Error {
    Error::Misconfigured { name, problem, reply: None }
}

/// How to speak to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Without TLS: for a loopback address alone.
    Http,
    /// With TLS.
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

/// Which routes of the service are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ApiVersion {
    /// The general release.
    #[default]
    V1,
    /// The public preview.
    V1Beta1,
}

impl ApiVersion {
    /// Reads `v1` or `v1beta1`.
    ///
    /// # Errors
    ///
    /// Anything else; the text says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.trim() {
            "v1" => Ok(Self::V1),
            "v1beta1" => Ok(Self::V1Beta1),
            _ => Err("it is neither v1 nor v1beta1".into()),
        }
    }
}

impl core::fmt::Display for ApiVersion {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(match self {
            Self::V1 => "v1",
            Self::V1Beta1 => "v1beta1",
        })
    }
}

/// The origin of the service (scheme, host, port), and the API version if the text ended in one.
///
/// ```
/// use onepassword_users_core::{ApiVersion, BaseUrl};
///
/// let base_url = BaseUrl::parse("API.1Password.eu/v1beta1/")?;
/// assert_eq!(base_url.origin(), "https://api.1password.eu");
/// assert_eq!(base_url.version(), Some(ApiVersion::V1Beta1));
/// assert!(BaseUrl::parse("http://api.1password.eu").is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    scheme: Scheme,
    authority: String,
    version: Option<ApiVersion>,
}

impl Default for BaseUrl {
    fn default() -> Self {
        Self {
            scheme: Scheme::Https,
            authority: DEFAULT_BASE_URL.trim_start_matches("https://").to_owned(),
            version: None,
        }
    }
}

impl BaseUrl {
    /// Reads what people type: a bare host or an origin, with or without a slash or a version at the end.
    ///
    /// # Errors
    ///
    /// Another scheme than https (http is for loopback addresses alone), credentials, a query, a fragment, a path other
    /// than the version, or a host or port that cannot be one. The text says what is wrong, without the value.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.contains('@') {
            return Err("it must not contain credentials (an @)".into());
        }
        let problem = |problem: &str| Err(format!("it {problem}"));
        if text.contains(['?', '#']) {
            return problem("must not have a query or a fragment");
        }
        let (scheme, rest) = match text.split_once("://") {
            None => (Scheme::Https, text),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Scheme::Https, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Scheme::Http, rest),
            Some(_) => return problem("must begin with https://"),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let version = match path.trim_end_matches('/') {
            "" => None,
            "v1" => Some(ApiVersion::V1),
            "v1beta1" => Some(ApiVersion::V1Beta1),
            _ => return problem("must not have a path other than /v1 or /v1beta1"),
        };
        let (host, port) = match split_port(authority) {
            Some(parts) => parts,
            None => return problem("has a port that is not a number from 1 to 65535"),
        };
        // A lone word without a scheme is rather a mistake, or a secret in the wrong field, than a host.
        let is_plausible = text.contains("://") || host.contains(['.', ':']) || host.eq_ignore_ascii_case("localhost");
        let Some(loopback) = is_loopback(host).filter(|_| is_plausible) else {
            return problem("does not name a host (letters, digits, dots and hyphens, or an IP address)");
        };
        if scheme == Scheme::Http && !loopback {
            return problem("must begin with https:// (plain http is for a loopback address alone)");
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

    /// The host in lower case, and the port where it is not the scheme's own.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The version that stood at the end.
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

/// Host and port of an authority; `None` if what follows the colon is no port.
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

/// Whether a host is a loopback address; `None` if it is no host at all.
fn is_loopback(host: &str) -> Option<bool> {
    if let Some(address) = host.strip_prefix('[') {
        return address.strip_suffix(']')?.parse().ok().map(|address: Ipv6Addr| address.is_loopback());
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Some(address.is_loopback());
    }
    // `0x7f.1`, `2130706433` and their like are addresses to many URL parsers, and to some they are not: nobody means them.
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

/// The account: 26 upper-case letters and digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountId(String);

impl AccountId {
    /// Reads an account id.
    ///
    /// # Errors
    ///
    /// Anything that is not 26 upper-case letters and digits; the text says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.len() == 26 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("it is not 26 upper-case letters and digits (it has {} characters)", text.chars().count()))
        }
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads a whole number of seconds, from 1 to `most`.
fn seconds(text: &str, most: u64) -> Result<Duration, String> {
    match text.trim().parse::<u64>() {
        Ok(seconds) if (1..=most).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("it is not a whole number of seconds from 1 to {most}")),
    }
}

/// Reads how often a request is tried.
fn attempts(text: &str) -> Result<u32, String> {
    match text.trim().parse() {
        Ok(attempts @ 1..=MAX_ATTEMPTS) => Ok(attempts),
        _ => Err(format!("it is not a whole number from 1 to {MAX_ATTEMPTS}")),
    }
}

/// The `User-Agent` of every request: the platform's own product, if it gave one, then this component's.
///
/// ```
/// use onepassword_users_core::UserAgent;
///
/// let user_agent = UserAgent::parse("ExamplePlatform/2.1")?;
/// assert!(user_agent.as_str().starts_with("ExamplePlatform/2.1 onepassword-users/"));
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserAgent(String);

impl Default for UserAgent {
    fn default() -> Self {
        Self(PRODUCT.to_owned())
    }
}

impl UserAgent {
    /// Reads the platform's part: `Name/version`, which may be followed by more (RFC 9110, section 10.1.5).
    ///
    /// # Errors
    ///
    /// More than 256 characters, anything but printable ASCII (a line break would split the header), or a beginning
    /// that is not a name and a version. The text says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.len() > 256 || !text.bytes().all(|b| matches!(b, b' '..=b'~')) {
            return Err("it is not at most 256 printable ASCII characters".into());
        }
        let is_token = |token: &str| !token.is_empty() && token.bytes().all(is_token_byte);
        let product = text.split(' ').next().and_then(|product| product.split_once('/'));
        match product {
            Some((name, version)) if is_token(name) && is_token(version) => Ok(Self(format!("{text} {PRODUCT}"))),
            _ => Err("it does not begin with a name and a version, such as ExamplePlatform/2.1".into()),
        }
    }

    /// The whole header value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a byte may stand in a token (RFC 9110, section 5.6.2).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end here")]
mod tests {
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
            let error = BaseUrl::parse(text).unwrap_err();
            assert!(error.contains(problem), "{text}: {error}");
            assert!(!error.contains("hunter2") && error.len() < 120, "{error}");
        }
    }

    #[test]
    fn account_id_is_26_upper_case_letters_and_digits() {
        assert_eq!(AccountId::parse(" ABCDEFGHIJKLMNOPQRSTUVWX42\n").unwrap().as_str(), "ABCDEFGHIJKLMNOPQRSTUVWX42");
        for text in
            ["", "ABC", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVW/..", "ABCDEFGHIJKLMNOPQRSTUVWX4Ä"]
        {
            assert!(AccountId::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_have_bounds() {
        assert_eq!(seconds("1", 600), Ok(Duration::from_secs(1)));
        assert_eq!(seconds(" 600 ", 600), Ok(Duration::from_secs(600)));
        for text in ["0", "601", "-1", "1.5", "30s", "", "99999999999999999999"] {
            assert!(seconds(text, 600).is_err(), "{text}");
        }
        assert_eq!((attempts("1"), attempts("10")), (Ok(1), Ok(10)));
        for text in ["0", "11", "-1", "x", ""] {
            assert!(attempts(text).is_err(), "{text}");
        }
    }

    #[test]
    fn user_agent_cannot_split_the_header() {
        let user_agent = UserAgent::parse("Example/1.0 (staging)").unwrap();
        assert_eq!(user_agent.as_str(), format!("Example/1.0 (staging) {PRODUCT}"));
        for text in
            ["Example", "/1", "Example/", "Ex ample/1", "A/1\r\nX: y", "A/1\n", "A/é", "A/1\0", &"A/1".repeat(100)]
        {
            assert_eq!(UserAgent::parse(text).is_ok(), text == "A/1\n", "{text:?}");
        }
    }
}
