//! The bodies of successful responses.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::api::parse::{Field, Key, Reader, is_key, parse, scalars};
use crate::decimal::seconds;
use crate::secret::Secret;
use crate::text::Quoted;
use crate::values::user::{UNREADABLE, User, UserState, is_unreadable};

/// The longest user id that is accepted from the service, in bytes. Known ones have 26.
const MAX_ID_BYTES: usize = 1024;

/// The longest token that is accepted, in bytes. Servers refuse longer headers.
const MAX_TOKEN_BYTES: usize = 4 * 1024;

/// The reason why a body cannot be used. Its text may hold keys of the body, which the caller has to clean; it holds nothing of
/// a token response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// The body is not a JSON object. Holds the name of the expected object.
    NotAnObject(&'static str),
    /// The body is not valid JSON.
    Json { what: &'static str, line: usize, column: usize },
    /// A list without `results` has these other keys, the first few.
    NoResults(Vec<String>),
    /// The page token is neither a text nor a number.
    PageToken,
    /// `results` is not an array, or there are several of them.
    Results,
    /// A user has no id, or this field of it cannot be read.
    Unreadable(&'static str),
    /// There is no usable `access_token`.
    NoToken,
    /// The `token_type` is not Bearer.
    TokenType,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject(what) => write!(f, "{what} must be a JSON object"),
            Self::Json { what, line, column } => write!(f, "{what} is not valid JSON (line {line}, column {column})"),
            Self::NoResults(keys) => {
                f.write_str("a list of users needs \"results\", but there is only ")?;
                for (place, key) in keys.iter().enumerate() {
                    write!(f, "{}{}", if place == 0 { "" } else { ", " }, Quoted(key))?;
                }
                Ok(())
            }
            Self::Results => f.write_str("a list of users needs one array of \"results\""),
            Self::PageToken => f.write_str("the page token is neither a text nor a number"),
            Self::Unreadable(field) => write!(f, "the user's {field} cannot be read"),
            Self::NoToken => {
                write!(f, "a token needs \"access_token\", of at most {MAX_TOKEN_BYTES} visible ASCII characters")
            }
            Self::TokenType => f.write_str("a token needs the \"token_type\" Bearer"),
        }
    }
}

/// Parses the body of a response that describes one user.
pub(crate) fn parse_user(body: &[u8]) -> Result<User, BodyError> {
    let user: User = object(body, "a user")?;
    match () {
        () if user.id.is_empty() || is_unreadable(&user.id) => Err(BodyError::Unreadable("id")),
        () if !user.is_identified() => Err(BodyError::Unreadable("e-mail address")),
        () if is_unreadable(&user.service_state) => Err(BodyError::Unreadable("state")),
        () => Ok(user),
    }
}

/// A user as the service sends it. Empty fields may be left out (inferred), and keys may have another spelling. Nothing in a record
/// stops the reading of others: a field that is no text becomes U+FFFD, and so does an address under an unknown key.
impl<'de> Deserialize<'de> for User {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UserVisitor)
    }
}

/// The fields of a user, as they are read.
#[derive(Default)]
struct UserFields {
    id: Field,
    email: Field,
    display_name: Field,
    state: Field,
    create_time: Field,
    path: Field,
    /// A text under an unknown key that may be an address.
    other_address: bool,
}

impl UserFields {
    fn into_user(self) -> User {
        let Self { id, email, display_name, state, create_time, path, other_address } = self;
        let (state, service_state) = match state.into_text() {
            state if state == "ACTIVE" => (UserState::Active, Cow::Borrowed("ACTIVE")),
            state if state == "SUSPENDED" => (UserState::Suspended, Cow::Borrowed("SUSPENDED")),
            state if state.is_empty() => (UserState::Other, Cow::Borrowed("STATE_UNSPECIFIED")),
            state => (UserState::Other, Cow::Owned(state)),
        };
        User {
            id: match id {
                Field::Text(id) if id.len() <= MAX_ID_BYTES => id,
                _ => String::new(),
            },
            email: if email == Field::Absent && other_address { UNREADABLE.into() } else { email.into_text() },
            display_name: display_name.into_text(),
            state,
            service_state,
            create_time: create_time.into_text(),
            path: path.into_text(),
        }
    }

    /// The record of a user that is no object.
    fn unreadable() -> Self {
        Self { other_address: true, ..Self::default() }
    }
}

struct UserVisitor;

impl<'de> Visitor<'de> for UserVisitor {
    type Value = User;

    scalars!(User, |_| UserFields::unreadable().into_user());

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<User, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(UserFields::unreadable().into_user())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<User, A::Error> {
        let mut fields = UserFields::default();
        while let Some(Key(key)) = entries.next_key()? {
            let value = entries.next_value()?;
            let field = match &*key {
                "id" => &mut fields.id,
                "email" => &mut fields.email,
                "display_name" => &mut fields.display_name,
                "state" => &mut fields.state,
                "create_time" => &mut fields.create_time,
                "path" => &mut fields.path,
                key if is_key(key, "id") => &mut fields.id,
                key if is_key(key, "email") => &mut fields.email,
                key if is_key(key, "displayname") => &mut fields.display_name,
                key if is_key(key, "state") => &mut fields.state,
                key if is_key(key, "createtime") => &mut fields.create_time,
                key if is_key(key, "path") => &mut fields.path,
                // A key that was repaired may have been any other.
                key if is_unreadable(key) => {
                    fields.id = Field::Odd;
                    continue;
                }
                _ => {
                    fields.other_address |= matches!(&value, Field::Text(text) if text.contains('@'));
                    continue;
                }
            };
            field.put(value);
        }
        Ok(fields.into_user())
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
        let TokenBody { access_token, token_type, expires_in } = object(body, "a token")?;
        let Field::Text(token) = access_token else { return Err(BodyError::NoToken) };
        let token = Secret::new(token);
        if !is_bearer_token(&token) {
            return Err(BodyError::NoToken);
        }
        match token_type {
            Field::Absent => {}
            Field::Text(kind) if kind.eq_ignore_ascii_case("bearer") => {}
            _ => return Err(BodyError::TokenType),
        }
        // The service documents 15 minutes. This is the default and the maximum.
        let documented = Duration::from_secs(900);
        let lifetime = match &expires_in {
            Field::Number(seconds) => Some(Duration::from_secs(*seconds)),
            Field::Text(text) => seconds(text),
            _ => None,
        };
        let lifetime = lifetime.filter(|lifetime| !lifetime.is_zero());
        Ok(Self { token, lifetime: lifetime.map_or(documented, |lifetime| lifetime.min(documented)) })
    }
}

/// A token as the service sends it.
#[derive(Default)]
struct TokenBody {
    access_token: Field,
    token_type: Field,
    expires_in: Field,
}

impl<'de> Deserialize<'de> for TokenBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut body = Self::default();
        let mut entry = |_: bool, key: &str, value: Field| match key {
            "access_token" => body.access_token.put(value),
            "token_type" => body.token_type.put(value),
            "expires_in" => body.expires_in.put(value),
            key if is_unreadable(key) => body.access_token = Field::Odd,
            _ => {}
        };
        Reader::new(&mut entry).deserialize(deserializer)?;
        Ok(body)
    }
}

/// True if a token is not empty and can be sent in a header.
pub(crate) fn is_bearer_token(token: &Secret) -> bool {
    (1..=MAX_TOKEN_BYTES).contains(&token.expose().len()) && token.expose().bytes().all(|byte| byte.is_ascii_graphic())
}

/// Parses a JSON object. Anything after the object is an error; unknown keys are not.
pub(crate) fn object<T: for<'a> Deserialize<'a>>(body: &[u8], what: &'static str) -> Result<T, BodyError> {
    // Serde would accept an array for a struct.
    let start = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body).trim_ascii_start();
    if start.first() != Some(&b'{') {
        return Err(BodyError::NotAnObject(what));
    }
    // Only the place of the error: serde's message may quote the body, which may hold a token.
    parse(body).map_err(|error| BodyError::Json { what, line: error.line(), column: error.column() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use super::*;

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
        assert!(parse_user(br#"{"id":"A","email":"a@x.org","Id":"B"}"#).is_err());
    }

    #[test]
    fn row_2_fields_are_read_in_any_spelling() {
        let user = parse_user(br#"{"id":"A","displayName":"A. B.","createTime":"2024","display_name":null}"#).unwrap();
        assert_eq!((user.display_name.as_str(), user.create_time.as_str()), ("A. B.", "2024"));
    }

    #[test]
    fn row_8_only_fields_that_matter_must_be_readable() {
        let json =
            br#"{"id":"A","email":"a@x.org","state":"ACTIVE","display_name":"\ud800","create_time":1,"path":{"x":1}}"#;
        let user = parse_user(json).unwrap();
        assert_eq!([user.display_name, user.create_time, user.path], ["\u{fffd}", "\u{fffd}", "\u{fffd}"]);
        for (json, field) in [
            (r#"{"id":1}"#, "id"),
            (r#"{"id":""}"#, "id"),
            (r#"{"id":"A\ud800"}"#, "id"),
            (r#"{"id":"A","sta\ud800te":"SUSPENDED"}"#, "id"),
            (r#"{"id":"A","email":1}"#, "e-mail address"),
            (r#"{"id":"A","email":"a\ud800@x.org"}"#, "e-mail address"),
            (r#"{"id":"A","emailAddress":"a@x.org"}"#, "e-mail address"),
            (r#"{"id":"A","state":1}"#, "state"),
            (r#"{"id":"A","state":["ACTIVE"]}"#, "state"),
        ] {
            let error = parse_user(json.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(field), "{json}: {error}");
        }
        let long = format!(r#"{{"id":"{}"}}"#, "A".repeat(MAX_ID_BYTES + 1));
        assert!(parse_user(long.as_bytes()).is_err());
        for record in ["null", "[]", "7", "\"A\"", "{}", "[{\"id\":\"A\"}]"] {
            let user: User = parse(record.as_bytes()).unwrap();
            assert!(!user.is_identified(), "{record}");
        }
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
