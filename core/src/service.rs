//! The service's interface: its routes, the bodies of its answers, and what its refusals mean.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::http::{HeaderValue, Method, Request, Response};
use crate::list::StateFilter;
use crate::reply::Reply;
use crate::secret::Secret;
use crate::settings::{ApiVersion, Settings};
use crate::user::{User, UserId, UserState};

/// The longest body that is accepted, in bytes. A page of 1,000 users is some 300 kB.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// The longest id that is believed to be one, in bytes. Known ones have 26.
const MAX_ID: usize = 1024;

/// The body of a token request (RFC 6749, section 4.4.2). The credentials go into the header; the service refuses them
/// in the form. The permissions belong to the OAuth application, so that no `scope` is asked for.
const TOKEN_FORM: &[u8] = b"grant_type=client_credentials";

/// Everything but the unreserved characters of RFC 3986 is encoded in a query value.
const QUERY_VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A call that needs a token.
pub(crate) enum Call<'a> {
    /// One page of users.
    List { state: Option<StateFilter>, page_size: usize, page_token: Option<&'a str> },
    /// One user.
    Get(&'a UserId),
    /// A user who is to be suspended.
    Suspend(&'a UserId),
    /// A user who is to be reactivated.
    Reactivate(&'a UserId),
}

impl Call<'_> {
    /// What the OAuth application must be permitted to do.
    pub(crate) fn permission(&self) -> &'static str {
        match self {
            Self::List { .. } => "list users",
            Self::Get(_) => "get users",
            Self::Suspend(_) => "suspend users",
            Self::Reactivate(_) => "reactivate users",
        }
    }

    /// Whether the call changes something.
    pub(crate) fn is_change(&self) -> bool {
        matches!(self, Self::Suspend(_) | Self::Reactivate(_))
    }

    /// The request for this call.
    pub(crate) fn request(&self, settings: &Settings, token: &Secret) -> Request {
        let mut path = format!("/{}/accounts/{}/users", settings.version, settings.account.as_str());
        match self {
            Self::List { state, page_size, page_token } => {
                path.push_str(&format!("?max_page_size={page_size}"));
                for (key, value) in [("filter", state.map(filter)), ("page_token", *page_token)] {
                    if let Some(value) = value {
                        path.push_str(&format!("&{key}={}", utf8_percent_encode(value, QUERY_VALUE)));
                    }
                }
            }
            Self::Get(user) => path.push_str(&format!("/{}", user.as_str())),
            Self::Suspend(user) => path.push_str(&format!("/{}:suspend", user.as_str())),
            Self::Reactivate(user) => path.push_str(&format!("/{}:reactivate", user.as_str())),
        }
        // No body belongs to a change; an empty one is announced, or some servers would wait for it.
        let (method, body) = if self.is_change() { (Method::Post, Some(&[][..])) } else { (Method::Get, None) };
        request(settings, method, path, authorization("Bearer ", token.expose()), body)
    }
}

/// The request for a token, with HTTP Basic.
pub(crate) fn token_request(settings: &Settings, basic: &Secret) -> Request {
    let path = match settings.version {
        ApiVersion::V1 => "/v1/oauth/token",
        ApiVersion::V1Beta1 => "/v1beta1/users/oauth2/token",
    };
    let mut request =
        request(settings, Method::Post, path.into(), authorization("Basic ", basic.expose()), Some(TOKEN_FORM));
    request.headers.push(("content-type", HeaderValue::Plain("application/x-www-form-urlencoded".into())));
    request
}

fn request(
    settings: &Settings,
    method: Method,
    path_and_query: String,
    authorization: Secret,
    body: Option<&'static [u8]>,
) -> Request {
    let mut headers = Vec::from([
        ("accept", HeaderValue::Plain("application/json".into())),
        ("authorization", HeaderValue::Secret(authorization)),
        ("user-agent", HeaderValue::Plain(settings.user_agent.as_str().to_owned())),
    ]);
    if let Some(body) = body {
        headers.push(("content-length", HeaderValue::Plain(body.len().to_string())));
    }
    Request {
        method,
        scheme: settings.base_url.scheme(),
        authority: settings.base_url.authority().to_owned(),
        path_and_query,
        headers,
        body,
        timeout: settings.timeout,
        deadline: settings.deadline,
        max_body: MAX_BODY,
    }
}

fn authorization(scheme: &str, credentials: &str) -> Secret {
    let mut value = String::with_capacity(scheme.len() + credentials.len());
    value.push_str(scheme);
    value.push_str(credentials);
    Secret::new(value)
}

/// The service's filter grammar knows these two.
fn filter(state: StateFilter) -> &'static str {
    match state {
        StateFilter::Active => "user.isActive()",
        StateFilter::Suspended => "user.isSuspended()",
    }
}

/// One page of a list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) users: Vec<User>,
    pub(crate) next_page_token: Option<String>,
}

impl Page {
    /// Reads the body of a list answer. An object without `results` is an empty page only if nothing else stands there:
    /// other keys mean that the answer is not understood, and an empty list would hide that.
    pub(crate) fn read(body: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Body {
            results: Option<Vec<WireUser>>,
            next_page_token: Option<String>,
            #[serde(flatten)]
            others: BTreeMap<String, IgnoredAny>,
        }
        let body: Body = object(body, "a list of users")?;
        let Some(results) = body.results.or_else(|| body.others.is_empty().then(Vec::new)) else {
            let keys: Vec<_> = body.others.keys().take(5).map(|key| format!("{key:?}")).collect();
            return Err(format!("a list of users needs \"results\", but there is only {}", keys.join(", ")));
        };
        let users = results.into_iter().map(User::try_from).collect::<Result<_, _>>()?;
        Ok(Self { users, next_page_token: body.next_page_token.filter(|token| !token.is_empty()) })
    }
}

/// Reads the body of an answer that describes one user.
pub(crate) fn read_user(body: &[u8]) -> Result<User, String> {
    object::<WireUser>(body, "a user")?.try_into()
}

/// A user as the service sends it. It may leave out empty fields; only the id is indispensable.
#[derive(Deserialize)]
struct WireUser {
    id: Option<String>,
    email: Option<String>,
    display_name: Option<String>,
    state: Option<String>,
    create_time: Option<String>,
    path: Option<String>,
}

impl TryFrom<WireUser> for User {
    type Error = String;

    fn try_from(wire: WireUser) -> Result<Self, String> {
        let id = wire.id.filter(|id| !id.is_empty()).ok_or("a user has no id")?;
        if id.len() > MAX_ID {
            return Err(format!("a user's id is longer than {MAX_ID} bytes"));
        }
        let state = match wire.state.as_deref() {
            Some("ACTIVE") => UserState::Active,
            Some("SUSPENDED") => UserState::Suspended,
            None | Some("") => UserState::Other("STATE_UNSPECIFIED".into()),
            Some(other) => UserState::Other(other.into()),
        };
        Ok(Self {
            id,
            email: wire.email.unwrap_or_default(),
            display_name: wire.display_name.unwrap_or_default(),
            state,
            create_time: wire.create_time.unwrap_or_default(),
            path: wire.path.unwrap_or_default(),
        })
    }
}

/// A token, and how long the service lets it live.
pub(crate) struct Grant {
    pub(crate) token: Secret,
    pub(crate) lifetime: Duration,
}

impl Grant {
    /// Reads the body of a token answer (RFC 6749, section 5.1).
    pub(crate) fn read(body: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Body {
            access_token: Option<String>,
            token_type: Option<String>,
            expires_in: Option<serde_json::Value>,
        }
        let body: Body = object(body, "a token")?;
        let token = Secret::new(body.access_token.unwrap_or_default());
        if !is_bearer_token(&token) {
            return Err("a token needs \"access_token\", of visible ASCII characters".into());
        }
        if body.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
            return Err("a token needs the \"token_type\" Bearer".into());
        }
        let expires_in = match &body.expires_in {
            Some(serde_json::Value::Number(seconds)) => seconds.as_f64(),
            Some(serde_json::Value::String(seconds)) => seconds.trim().parse().ok(),
            _ => None,
        };
        // 15 minutes is what the service documents: taken where nothing usable is said, and never exceeded.
        let documented = Duration::from_secs(900);
        let lifetime =
            expires_in.filter(|seconds| *seconds > 0.0).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Ok(Self { token, lifetime: lifetime.map_or(documented, |lifetime| lifetime.min(documented)) })
    }
}

/// Whether a token can stand in a header, and is one at all.
pub(crate) fn is_bearer_token(token: &Secret) -> bool {
    !token.expose().is_empty() && token.expose().bytes().all(|byte| byte.is_ascii_graphic())
}

/// Reads a JSON object. Duplicate keys, wrong types and anything after the object are errors; unknown keys are not.
fn object<'a, T: Deserialize<'a>>(body: &'a [u8], what: &str) -> Result<T, String> {
    // Without this, serde would take an array for a struct, too.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(format!("{what} must be a JSON object"));
    }
    // Only kind and place of the fault: serde's own words may hold a piece of the body, and in it a token.
    serde_json::from_slice(body).map_err(|error| {
        let fault = if error.is_data() { "not as documented" } else { "not valid JSON" };
        format!("{what} is {fault} (line {}, column {})", error.line(), error.column())
    })
}

/// What is wrong with an answer before its body is looked at; `None` for an honest 200.
pub(crate) fn unusable(response: &Response) -> Option<String> {
    match response.header("content-encoding") {
        Some(encoding) if !encoding.eq_ignore_ascii_case("identity") && !encoding.is_empty() => {
            return Some("its body is compressed, which was not asked for".into());
        }
        _ => {}
    }
    match response.status {
        300..=399 => {
            let target = response.header("location").map_or_else(|| "nowhere".into(), redirect_target);
            Some(format!("it redirects to {target}; redirects are never followed"))
        }
        200 => None,
        0..=399 => Some("only 200 means success".into()),
        _ => None,
    }
}

/// The host that a redirect names: enough for a person, without a path or query that might hold anything.
fn redirect_target(location: &str) -> String {
    let Some((_, rest)) = location.split_once("//") else { return "another path of the same host".into() };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    crate::text::quoted(authority.rsplit('@').next().unwrap_or_default())
}

/// Users who are protected from being suspended, as far as the service's words tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protected {
    LastOwner,
    ExternallyManaged,
}

/// Which protection a refusal speaks of. `no_owner_remain` is known verbatim; how the service words the refusal for
/// externally managed administrators is not, so that anything close to that term is taken for it.
pub(crate) fn protected(reply: &Reply) -> Option<Protected> {
    let mut words = String::from(" ");
    for c in reply.message.chars() {
        words.push(if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' });
    }
    words.push(' ');
    let has = |part: &str| words.contains(part);
    if has(" no owner remain") || has(" last owner ") || has(" last remaining owner ") {
        Some(Protected::LastOwner)
    } else if has(" eam ") || has(" externally managed ") || has(" managed externally ") || has(" external admin") {
        Some(Protected::ExternallyManaged)
    } else {
        None
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end here")]
mod tests {
    use super::*;

    fn page(body: &str) -> Result<(usize, Option<String>), String> {
        Page::read(body.as_bytes()).map(|page| (page.users.len(), page.next_page_token))
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
            assert!(page(body).unwrap_err().contains("needs \"results\""), "{body}");
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
        assert!(Page::read(b"{\"results\":[{\"id\":\"\xff\"}]}").is_err());
    }

    #[test]
    fn a_user_may_lack_everything_but_the_id() {
        let user = read_user(br#"{"id":"A","email":null,"surprise":[1,{}]}"#).unwrap();
        assert_eq!((user.id.as_str(), user.email.as_str()), ("A", ""));
        assert_eq!(user.state, UserState::Other("STATE_UNSPECIFIED".into()));
        assert_eq!(read_user(br#"{"id":"A","state":"ACTIVE"}"#).unwrap().state, UserState::Active);
        assert_eq!(read_user(br#"{"id":"A","state":"active"}"#).unwrap().state, UserState::Other("active".into()));
        assert!(read_user(b"{}").is_err());
        assert!(read_user(br#"["A"]"#).is_err());
    }

    #[test]
    fn a_token_lives_as_long_as_it_says_but_never_longer_than_documented() {
        let lifetime = |expires_in: &str| {
            let body = format!(r#"{{"access_token":"t","token_type":"bearer"{expires_in}}}"#);
            Grant::read(body.as_bytes()).unwrap().lifetime.as_secs()
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
            assert!(Grant::read(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn an_error_about_a_body_shows_nothing_of_it() {
        let error = Grant::read(br#"{"access_token":["hunter2"],"token_type":"hunter2"}"#).err().unwrap();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn protected_users_are_known_by_the_words() {
        let protected = |message: &str| protected(&Reply { status: 403, code: None, message: message.into() });
        assert_eq!(protected("no_owner_remain"), Some(Protected::LastOwner));
        assert_eq!(protected("Cannot suspend the last owner."), Some(Protected::LastOwner));
        for words in ["user_externally_managed", "EAM user", "Externally managed administrators cannot be suspended"] {
            assert_eq!(protected(words), Some(Protected::ExternallyManaged), "{words}");
        }
        for words in [
            "",
            "permission denied",
            "steam",
            "teams",
            "owner required",
            "Only owner or administrator roles may suspend users",
            "external service failed",
        ] {
            assert_eq!(protected(words), None, "{words}");
        }
    }

    #[test]
    fn a_redirect_is_named_by_its_host_alone() {
        assert_eq!(redirect_target("https://evil.example/steal?token=1"), "\"evil.example\"");
        assert_eq!(redirect_target("//user:pw@evil.example:8443/x"), "\"evil.example:8443\"");
        assert_eq!(redirect_target("/login"), "another path of the same host");
    }
}
