//! The settings of an action, parsed. [`Settings::parse`] is pure: looking the values up is the machine's part.
//!
//! No error shows the value of a setting: people paste secrets into the wrong field.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::time::Duration;

use crate::catalogue::{
    self, ACCOUNT_ID, API_VERSION, BASE_URL, DEADLINE, MAX_ATTEMPTS, TIMEOUT, USER_AGENT, ValueKind,
};
use crate::values::base_url::{ApiVersion, ApiVersionError, BaseUrl, BaseUrlError};
use crate::values::protected::ProtectedUsersError;

/// The length of an account id, in bytes.
const ACCOUNT_ID_BYTES: usize = 26;
/// The longest `user-agent`, in bytes.
const MAX_USER_AGENT_BYTES: usize = 256;
/// The product name and version of this component in the `User-Agent` header.
const PRODUCT: &str = concat!("onepassword-users/", env!("CARGO_PKG_VERSION"));

/// The settings of one action. They are looked up again for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) base_url: BaseUrl,
    pub(crate) version: ApiVersion,
    pub(crate) account: AccountId,
    /// The idle timeout of each request.
    pub(crate) timeout: Duration,
    /// The time that the whole action may take.
    pub(crate) deadline: Duration,
    pub(crate) max_attempts: u32,
    pub(crate) user_agent: UserAgent,
}

impl Settings {
    /// The names of the settings that every action needs.
    pub(crate) const NAMES: [&'static str; catalogue::ACTION_SETTINGS.len()] =
        catalogue::names(catalogue::ACTION_SETTINGS);

    /// Parses the settings. `get` returns the value of a name, or `None` if it is not set.
    ///
    /// # Errors
    ///
    /// The name of the first setting that is missing or has an unusable value, and the reason.
    pub(crate) fn parse<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Result<Self, (&'static str, SettingError)> {
        let base_url = parse(BASE_URL.name, &get, BaseUrl::parse)?.unwrap_or_default();
        let version = match (parse(API_VERSION.name, &get, ApiVersion::parse)?, base_url.version()) {
            (Some(version), Some(in_base_url)) if version != in_base_url => {
                return Err((API_VERSION.name, SettingError::VersionConflict { version, in_base_url }));
            }
            (version, in_base_url) => version.or(in_base_url).unwrap_or_default(),
        };
        let account =
            parse(ACCOUNT_ID.name, &get, AccountId::parse)?.ok_or((ACCOUNT_ID.name, SettingError::Missing))?;
        let timeout = number(const { number_of(TIMEOUT) }, &get)?;
        let deadline = number(const { number_of(DEADLINE) }, &get)?;
        let max_attempts = number(const { number_of(MAX_ATTEMPTS) }, &get)?;
        let user_agent = parse(USER_AGENT.name, &get, UserAgent::parse)?.unwrap_or_default();
        Ok(Self {
            base_url,
            version,
            account,
            timeout: Duration::from_secs(timeout.into()),
            deadline: Duration::from_secs(deadline.into()),
            max_attempts,
            user_agent,
        })
    }
}

/// Parses one setting; `None` if it is not set.
fn parse<'a, T, E: Into<SettingError>>(
    name: &'static str,
    get: impl Fn(&str) -> Option<&'a str>,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<T>, (&'static str, SettingError)> {
    get(name).map(parse).transpose().map_err(|error| (name, error.into()))
}

/// Parses a number within the bounds of the catalogue, or takes its default.
fn number<'a>(
    (name, kind, default): (&'static str, ValueKind, Option<&'static str>),
    get: impl Fn(&str) -> Option<&'a str>,
) -> Result<u32, (&'static str, SettingError)> {
    let ValueKind::Integer { min, max, unit } = kind else { return Ok(0) };
    let error = NumberError { min, max, unit };
    let text = get(name).or(default).unwrap_or_default();
    text.trim().parse().ok().filter(|number| (min..=max).contains(number)).ok_or((name, SettingError::Number(error)))
}

/// The parts of a [`Value`](catalogue::Value) that parsing a number needs. The rest would only enlarge the component.
const fn number_of(value: catalogue::Value) -> (&'static str, ValueKind, Option<&'static str>) {
    (value.name, value.kind, value.default)
}

/// The reason why a setting or secret is reported as wrong. Holds no value of either.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingError {
    /// It is required and not set.
    Missing,
    /// The platform denies access to it, for this reason.
    Denied(String),
    /// `base-url` cannot be parsed.
    BaseUrl(BaseUrlError),
    /// `api-version` cannot be parsed.
    ApiVersion(ApiVersionError),
    /// `api-version` and the end of `base-url` name different versions.
    VersionConflict {
        /// The value of `api-version`.
        version: ApiVersion,
        /// The version at the end of `base-url`.
        in_base_url: ApiVersion,
    },
    /// `account-id` cannot be parsed.
    AccountId(AccountIdError),
    /// A number is not valid or out of bounds.
    Number(NumberError),
    /// `user-agent` cannot be parsed.
    UserAgent(UserAgentError),
    /// `protected-users` cannot be parsed.
    ProtectedUsers(ProtectedUsersError),
    /// A secret cannot be sent in the header that it is meant for.
    Secret(SecretError),
    /// The network or the service shows that the value is wrong, as this text says.
    Refuted(String),
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("it is not set"),
            Self::Denied(reason) => write!(f, "the platform denies it: {reason}"),
            Self::BaseUrl(error) => error.fmt(f),
            Self::ApiVersion(error) => error.fmt(f),
            Self::VersionConflict { version, in_base_url } => {
                write!(f, "it says {version}, but base-url ends in {in_base_url}")
            }
            Self::AccountId(error) => error.fmt(f),
            Self::Number(error) => error.fmt(f),
            Self::UserAgent(error) => error.fmt(f),
            Self::ProtectedUsers(error) => error.fmt(f),
            Self::Secret(error) => error.fmt(f),
            Self::Refuted(reason) => f.write_str(reason),
        }
    }
}

impl core::error::Error for SettingError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::BaseUrl(error) => Some(error),
            Self::ApiVersion(error) => Some(error),
            Self::AccountId(error) => Some(error),
            Self::Number(error) => Some(error),
            Self::UserAgent(error) => Some(error),
            Self::ProtectedUsers(error) => Some(error),
            Self::Secret(error) => Some(error),
            Self::Missing | Self::Denied(_) | Self::VersionConflict { .. } | Self::Refuted(_) => None,
        }
    }
}

impl From<BaseUrlError> for SettingError {
    fn from(error: BaseUrlError) -> Self {
        Self::BaseUrl(error)
    }
}

impl From<ApiVersionError> for SettingError {
    fn from(error: ApiVersionError) -> Self {
        Self::ApiVersion(error)
    }
}

impl From<AccountIdError> for SettingError {
    fn from(error: AccountIdError) -> Self {
        Self::AccountId(error)
    }
}

impl From<UserAgentError> for SettingError {
    fn from(error: UserAgentError) -> Self {
        Self::UserAgent(error)
    }
}

impl From<ProtectedUsersError> for SettingError {
    fn from(error: ProtectedUsersError) -> Self {
        Self::ProtectedUsers(error)
    }
}

/// The reason why a secret cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretError {
    /// It contains a control character.
    ControlCharacter,
    /// It is a client id with a colon, which HTTP Basic cannot carry (RFC 7617, section 2).
    Colon,
    /// It is a token that is too long for a header, or has characters that a bearer token cannot have.
    NotAToken,
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ControlCharacter => "it contains a control character, such as a line break",
            Self::Colon => "it contains a colon, which HTTP Basic cannot carry",
            Self::NotAToken => "it is too long, or has characters that no token has",
        })
    }
}

impl core::error::Error for SecretError {}

/// An account id: 26 upper-case letters and digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountId(String);

impl AccountId {
    /// Parses an account id.
    ///
    /// # Errors
    ///
    /// The text is not 26 upper-case letters and digits.
    pub fn parse(text: &str) -> Result<Self, AccountIdError> {
        let text = text.trim();
        if text.len() == ACCOUNT_ID_BYTES && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(AccountIdError { chars: text.chars().count() })
        }
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The error of [`AccountId::parse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountIdError {
    /// The length of the text, in characters.
    pub chars: usize,
}

impl fmt::Display for AccountIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it is not {ACCOUNT_ID_BYTES} upper-case letters and digits (it has {} characters)", self.chars)
    }
}

impl core::error::Error for AccountIdError {}

/// A number that cannot be parsed or is out of bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberError {
    /// The lower bound.
    pub min: u32,
    /// The upper bound.
    pub max: u32,
    /// The unit, in the plural.
    pub unit: Option<&'static str>,
}

impl fmt::Display for NumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { min, max, unit } = self;
        f.write_str("it is not a whole number")?;
        if let Some(unit) = unit {
            write!(f, " of {unit}")?;
        }
        write!(f, " from {min} to {max}")
    }
}

impl core::error::Error for NumberError {}

/// The value of the `User-Agent` header: the platform's product if it is set, then this component's.
///
/// ```
/// use onepassword_users_core::UserAgent;
///
/// let user_agent = UserAgent::parse("ExamplePlatform/2.1")?;
/// assert!(user_agent.as_str().starts_with("ExamplePlatform/2.1 onepassword-users/"));
/// # Ok::<(), onepassword_users_core::UserAgentError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserAgent(String);

impl Default for UserAgent {
    /// This component's product alone.
    fn default() -> Self {
        Self(PRODUCT.to_owned())
    }
}

impl UserAgent {
    /// Parses the platform's part: `Name/version`, optionally followed by more (RFC 9110, section 10.1.5).
    ///
    /// # Errors
    ///
    /// The text has more than 256 bytes, anything but printable ASCII (a line break would split the header), or does not
    /// begin with a name and a version.
    pub fn parse(text: &str) -> Result<Self, UserAgentError> {
        let text = text.trim();
        if text.len() > MAX_USER_AGENT_BYTES || !text.bytes().all(|b| matches!(b, b' '..=b'~')) {
            return Err(UserAgentError::Characters);
        }
        let is_token = |token: &str| !token.is_empty() && token.bytes().all(is_token_byte);
        let product = text.split(' ').next().and_then(|product| product.split_once('/'));
        match product {
            Some((name, version)) if is_token(name) && is_token(version) => Ok(Self(format!("{text} {PRODUCT}"))),
            _ => Err(UserAgentError::Product),
        }
    }

    /// The complete header value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The error of [`UserAgent::parse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UserAgentError {
    /// It is too long, or has a character that is not printable ASCII.
    Characters,
    /// It does not begin with a name and a version.
    Product,
}

impl fmt::Display for UserAgentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Characters => write!(f, "it is not at most {MAX_USER_AGENT_BYTES} printable ASCII characters"),
            Self::Product => f.write_str("it does not begin with a name and a version, such as ExamplePlatform/2.1"),
        }
    }
}

impl core::error::Error for UserAgentError {}

/// True if a byte may be part of a token (RFC 9110, section 5.6.2).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_looked_up_by_its_name() {
        let asked = core::cell::RefCell::new(alloc::collections::BTreeSet::new());
        let get = |name: &str| {
            asked.borrow_mut().insert(String::from(name));
            (name == "account-id").then_some("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        };
        assert!(Settings::parse(get).is_ok());
        assert!(asked.into_inner().iter().eq(&alloc::collections::BTreeSet::from(Settings::NAMES.map(String::from))));
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
        let timeout =
            |text: Option<&'static str>| number(const { number_of(TIMEOUT) }, |_| text).map_err(|(name, _)| name);
        assert_eq!((timeout(Some("1")), timeout(Some(" 600 ")), timeout(None)), (Ok(1), Ok(600), Ok(30)));
        for text in ["0", "601", "-1", "1.5", "30s", "", "99999999999999999999"] {
            assert_eq!(timeout(Some(text)), Err("timeout"), "{text}");
        }
        let error = number(const { number_of(MAX_ATTEMPTS) }, |_| Some("11")).unwrap_err();
        assert_eq!(alloc::format!("{}", error.1), "it is not a whole number from 1 to 10");
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
