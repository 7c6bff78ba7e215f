//! The bodies of successful responses.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::secret::Secret;
use crate::values::user::{User, UserState};

/// The longest user id that is accepted from the service, in bytes. Known ones have 26.
const MAX_ID_BYTES: usize = 1024;

/// The most unknown keys that an error names.
const MAX_NAMED_KEYS: usize = 5;

/// The reason why a body cannot be used. Its text may hold keys of the body, which the caller has to clean; it holds nothing of
/// a token response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// The body is not a JSON object. Holds the name of the expected object.
    NotAnObject(&'static str),
    /// The body is not valid JSON, or a field has another type than documented.
    Json { what: &'static str, is_data: bool, line: usize, column: usize },
    /// A list without `results` has these other keys.
    NoResults(Vec<String>),
    /// A user has no id.
    NoId,
    /// The id of a user is longer than [`MAX_ID_BYTES`].
    LongId,
    /// There is no usable `access_token`.
    NoToken,
    /// The `token_type` is not Bearer.
    TokenType,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject(what) => write!(f, "{what} must be a JSON object"),
            Self::Json { what, is_data, line, column } => {
                let fault = if *is_data { "not as documented" } else { "not valid JSON" };
                write!(f, "{what} is {fault} (line {line}, column {column})")
            }
            Self::NoResults(keys) => {
                f.write_str("a list of users needs \"results\", but there is only ")?;
                for (place, key) in keys.iter().enumerate() {
                    write!(f, "{}{key:?}", if place == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
            Self::NoId => f.write_str("a user has no id"),
            Self::LongId => write!(f, "a user's id is longer than {MAX_ID_BYTES} bytes"),
            Self::NoToken => f.write_str("a token needs \"access_token\", of visible ASCII characters"),
            Self::TokenType => f.write_str("a token needs the \"token_type\" Bearer"),
        }
    }
}

/// One page of a list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) users: Vec<User>,
    pub(crate) next_page_token: Option<String>,
}

impl Page {
    /// Parses the body of a list response. An object without `results` is an empty page only if it has no other keys: with
    /// others the response is not understood, and an empty list would hide that.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, BodyError> {
        #[derive(Deserialize)]
        struct Body {
            results: Option<Vec<UserBody>>,
            next_page_token: Option<String>,
            #[serde(flatten)]
            others: BTreeMap<String, IgnoredAny>,
        }
        let body: Body = object(body, "a list of users")?;
        let Some(results) = body.results.or_else(|| body.others.is_empty().then(Vec::new)) else {
            return Err(BodyError::NoResults(body.others.into_keys().take(MAX_NAMED_KEYS).collect()));
        };
        let users = results.into_iter().map(User::try_from).collect::<Result<_, _>>()?;
        Ok(Self { users, next_page_token: body.next_page_token.filter(|token| !token.is_empty()) })
    }
}

/// Parses the body of a response that describes one user.
pub(crate) fn parse_user(body: &[u8]) -> Result<User, BodyError> {
    object::<UserBody>(body, "a user")?.try_into()
}

/// A user as the service sends it. Empty fields may be left out (inferred); only the id is required.
#[derive(Deserialize)]
struct UserBody {
    id: Option<String>,
    email: Option<String>,
    display_name: Option<String>,
    state: Option<String>,
    create_time: Option<String>,
    path: Option<String>,
}

impl TryFrom<UserBody> for User {
    type Error = BodyError;

    fn try_from(body: UserBody) -> Result<Self, BodyError> {
        let id = body.id.filter(|id| !id.is_empty()).ok_or(BodyError::NoId)?;
        if id.len() > MAX_ID_BYTES {
            return Err(BodyError::LongId);
        }
        let (state, service_state) = match body.state {
            Some(state) if state == "ACTIVE" => (UserState::Active, Cow::Borrowed("ACTIVE")),
            Some(state) if state == "SUSPENDED" => (UserState::Suspended, Cow::Borrowed("SUSPENDED")),
            Some(state) if !state.is_empty() => (UserState::Other, Cow::Owned(state)),
            _ => (UserState::Other, Cow::Borrowed("STATE_UNSPECIFIED")),
        };
        Ok(Self {
            id,
            email: body.email.unwrap_or_default(),
            display_name: body.display_name.unwrap_or_default(),
            state,
            service_state,
            create_time: body.create_time.unwrap_or_default(),
            path: body.path.unwrap_or_default(),
        })
    }
}

/// A token and its lifetime.
pub(crate) struct TokenResponse {
    pub(crate) token: Secret,
    pub(crate) lifetime: Duration,
}

impl TokenResponse {
    /// Parses the body of a token response (RFC 6749, section 5.1).
    pub(crate) fn parse(body: &[u8]) -> Result<Self, BodyError> {
        #[derive(Deserialize)]
        struct Body {
            access_token: Option<String>,
            token_type: Option<String>,
            expires_in: Option<serde_json::Value>,
        }
        let body: Body = object(body, "a token")?;
        let token = Secret::new(body.access_token.unwrap_or_default());
        if !is_bearer_token(&token) {
            return Err(BodyError::NoToken);
        }
        if body.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
            return Err(BodyError::TokenType);
        }
        let expires_in = match &body.expires_in {
            Some(serde_json::Value::Number(seconds)) => seconds.as_f64(),
            Some(serde_json::Value::String(seconds)) => seconds.trim().parse().ok(),
            _ => None,
        };
        // The service documents 15 minutes. This is the default and the maximum.
        let documented = Duration::from_secs(900);
        let lifetime =
            expires_in.filter(|seconds| *seconds > 0.0).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Ok(Self { token, lifetime: lifetime.map_or(documented, |lifetime| lifetime.min(documented)) })
    }
}

/// True if a token is not empty and can be sent in a header.
pub(crate) fn is_bearer_token(token: &Secret) -> bool {
    !token.expose().is_empty() && token.expose().bytes().all(|byte| byte.is_ascii_graphic())
}

/// Parses a JSON object. Duplicate keys, wrong types and anything after the object are errors; unknown keys are not.
fn object<'a, T: Deserialize<'a>>(body: &'a [u8], what: &'static str) -> Result<T, BodyError> {
    // Serde would accept an array for a struct.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(BodyError::NotAnObject(what));
    }
    // Only the kind and the place of the error: serde's message may quote the body, which may hold a token.
    serde_json::from_slice(body).map_err(|error| BodyError::Json {
        what,
        is_data: error.is_data(),
        line: error.line(),
        column: error.column(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use super::*;

    fn page(body: &str) -> Result<(usize, Option<String>), BodyError> {
        Page::parse(body.as_bytes()).map(|page| (page.users.len(), page.next_page_token))
    }

    #[test]
    fn an_empty_page_is_one_that_says_nothing_else() {
        for body in [
            "{}",
            r#"{"results":[]}"#,
            r#"{"results":null}"#,
            r#"{"next_page_token":""}"#,
            r#"{"results":[],"more":1}"#,
        ] {
            assert_eq!(page(body), Ok((0, None)), "{body}");
        }
        assert_eq!(page(r#"{"next_page_token":"x"}"#), Ok((0, Some("x".into()))));
        for body in
            [r#"{"users":[]}"#, r#"{"users":[{"id":"A"}]}"#, r#"{"code":7}"#, r#"{"next_page_token":"x","users":[]}"#]
        {
            assert!(page(body).unwrap_err().to_string().contains("needs \"results\""), "{body}");
        }
    }

    #[test]
    fn a_page_of_another_shape_is_an_error() {
        for body in [
            "",
            "null",
            "[]",
            "[[]]",
            "\"x\"",
            "{",
            "{}{}",
            "{\"results\":{}}",
            "{\"results\":[null]}",
            "{\"results\":[[]]}",
            "{\"results\":[{}]}",
            "{\"results\":[{\"id\":\"\"}]}",
            "{\"results\":[{\"id\":1}]}",
            "{\"results\":[],\"results\":[]}",
            "{\"results\":[{\"id\":\"A\",\"state\":1}]}",
            "{\"next_page_token\":1}",
            "\u{feff}{}",
        ] {
            assert!(page(body).is_err(), "{body}");
        }
        assert!(Page::parse(b"{\"results\":[{\"id\":\"\xff\"}]}").is_err());
    }

    #[test]
    fn a_user_may_lack_everything_but_the_id() {
        let user = parse_user(br#"{"id":"A","email":null,"surprise":[1,{}]}"#).unwrap();
        assert_eq!((user.id.as_str(), user.email.as_str()), ("A", ""));
        assert_eq!((user.state, &*user.service_state), (UserState::Other, "STATE_UNSPECIFIED"));
        assert_eq!(parse_user(br#"{"id":"A","state":"ACTIVE"}"#).unwrap().state, UserState::Active);
        let user = parse_user(br#"{"id":"A","state":"active"}"#).unwrap();
        assert_eq!((user.state, &*user.service_state), (UserState::Other, "active"));
        assert!(parse_user(b"{}").is_err());
        assert!(parse_user(br#"["A"]"#).is_err());
    }

    #[test]
    fn a_token_lives_as_long_as_it_says_but_never_longer_than_documented() {
        let lifetime = |expires_in: &str| {
            let body = format!(r#"{{"access_token":"t","token_type":"bearer"{expires_in}}}"#);
            TokenResponse::parse(body.as_bytes()).unwrap().lifetime.as_secs()
        };
        assert_eq!(lifetime(r#","expires_in":60"#), 60);
        assert_eq!(lifetime(r#","expires_in":"60""#), 60);
        for odd in [
            "",
            r#","expires_in":0"#,
            r#","expires_in":-5"#,
            r#","expires_in":1e300"#,
            r#","expires_in":"soon""#,
            r#","expires_in":{}"#,
        ] {
            assert_eq!(lifetime(odd), 900, "{odd}");
        }
        for body in [
            "{}",
            r#"{"access_token":""}"#,
            r#"{"access_token":"a b"}"#,
            r#"{"access_token":"a\r\nb"}"#,
            r#"{"access_token":"t","token_type":"mac"}"#,
            r#"["t"]"#,
        ] {
            assert!(TokenResponse::parse(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn an_error_about_a_body_shows_nothing_of_it() {
        let error = TokenResponse::parse(br#"{"access_token":["hunter2"],"token_type":"hunter2"}"#).err().unwrap();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
