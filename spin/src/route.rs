//! Parsing of requests: method, path, query and body become a [`Route`] and its options, or a problem.

use onepassword_users_core::{Error, FindError, ListQuery, MAX_FIND_USERS, MAX_USERS, StateFilter, UserRef};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::access::Role;
use crate::json::{ChangeOptions, FindUsers};
use crate::problem::{self, Problem};

/// The longest body of a change or a test, in bytes.
const MAX_OPTIONS_BODY: usize = 64 * 1024;
/// The longest body of a search, in bytes: 1,000 users with the longest ids and addresses that are accepted fit.
const MAX_FIND_BODY: usize = 2 * 1024 * 1024;

/// The requested operation.
#[derive(Debug, PartialEq, Eq)]
pub enum Route {
    /// List users.
    List {
        /// The filter, limit and page token.
        query: ListQuery,
        /// True for a stream with one user per line, false for one JSON object.
        ndjson: bool,
    },
    /// Look up one user.
    Get(UserRef),
    /// Look up several users. The body names them.
    Find,
    /// Suspend a user.
    Suspend(UserRef),
    /// Reactivate a user.
    Reactivate(UserRef),
    /// Check settings and credentials.
    Test,
    /// Return the description of the API.
    OpenApi,
    /// Check that the application runs.
    Health,
    /// Check that the settings and secrets allow actions.
    Ready,
}

/// The remedy for an unknown path or method: a verb of a change may be misspelt.
const USER_ROUTES: &str = "A user is looked up with GET /v1/users/{user}, several with POST /v1/users:find, and a user is \
                     changed with POST /v1/users/{user}:suspend or POST /v1/users/{user}:reactivate.";

/// The path of the health check.
pub const HEALTH: &str = "/healthz";
/// The path of the readiness check.
pub const READY: &str = "/readyz";
/// The paths that need no key.
pub const PUBLIC: [&str; 2] = [HEALTH, READY];

type Change = fn(UserRef) -> Route;
/// The verbs of changes, at the end of a path.
const CHANGES: [(&str, Change); 2] = [(":suspend", Route::Suspend), (":reactivate", Route::Reactivate)];

impl Route {
    /// Parses a request without its body. `accept` is the value of the `Accept` header. `HEAD` is the same as `GET`.
    ///
    /// Verbs are looked for in the path as it was sent, so that a rule on paths in front of this API sees the same one. A verb
    /// that is percent-encoded is no verb.
    ///
    /// # Errors
    ///
    /// An unknown resource, method or parameter, or an invalid argument.
    pub fn parse(method: &str, path: &str, query: Option<&str>, accept: &[u8]) -> Result<Self, Problem> {
        let query = query.unwrap_or_default();
        let method = if method == "HEAD" { "GET" } else { method };
        match path {
            "/v1/users" => {
                require_method("GET", method)?;
                return Ok(Self::List { query: list_query(query)?, ndjson: prefers_ndjson(accept) });
            }
            "/v1/users:find" => {
                require_method("POST", method)?;
                no_parameters(query)?;
                return Ok(Self::Find);
            }
            "/v1/test" => {
                require_method("POST", method)?;
                no_parameters(query)?;
                return Ok(Self::Test);
            }
            "/openapi.json" => {
                require_method("GET", method)?;
                no_parameters(query)?;
                return Ok(Self::OpenApi);
            }
            HEALTH | READY => {
                require_method("GET", method)?;
                no_parameters(query)?;
                return Ok(if path == READY { Self::Ready } else { Self::Health });
            }
            _ => {}
        }
        let user = path.strip_prefix("/v1/users/").filter(|user| !user.is_empty() && !user.contains('/'));
        let Some(user) = user else {
            let remedy = format!("GET /openapi.json describes all resources. {USER_ROUTES}");
            return Err(Problem::new(problem::NOT_FOUND, "there is no such resource", remedy));
        };
        let change = CHANGES.iter().find_map(|(verb, change)| Some((user.strip_suffix(verb)?, change)));
        let Ok(user) = percent_decode_str(change.map_or(user, |(user, _)| user)).decode_utf8() else {
            return Err(Problem::argument("user", "its percent-encoding is not valid UTF-8"));
        };
        if let Some((_, change)) = change {
            require_method("POST", method)?;
            no_parameters(query)?;
            return Ok(change(user_ref(&user)));
        }
        if CHANGES.iter().any(|(verb, _)| user.ends_with(verb)) {
            let message = "there is no such resource: a verb must not be percent-encoded";
            return Err(Problem::new(problem::NOT_FOUND, message, USER_ROUTES));
        }
        require_method("GET", method).map_err(|mut problem| {
            problem.failure.remedy = USER_ROUTES.into();
            problem
        })?;
        no_parameters(query)?;
        Ok(Self::Get(user_ref(&user)))
    }

    /// The role that this needs; `None` if it needs no key.
    #[must_use]
    pub fn required_role(&self) -> Option<Role> {
        match self {
            Self::Suspend(_) | Self::Reactivate(_) => Some(Role::Responder),
            Self::List { .. } | Self::Get(_) | Self::Find | Self::Test | Self::OpenApi => Some(Role::Reader),
            Self::Health | Self::Ready => None,
        }
    }

    /// The name of the action, for the log.
    #[must_use]
    pub fn action(&self) -> &'static str {
        match self {
            Self::List { .. } => "list-users",
            Self::Get(_) => "get-user",
            Self::Find => "find-users",
            Self::Suspend(_) => "suspend-user",
            Self::Reactivate(_) => "reactivate-user",
            Self::Test => "test",
            Self::OpenApi => "openapi",
            Self::Health => "health",
            Self::Ready => "ready",
        }
    }

    /// The user, as the caller named it.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Get(user) | Self::Suspend(user) | Self::Reactivate(user) => {
                let (UserRef::Id(user) | UserRef::Email(user) | UserRef::Known { id: user, .. }) = user;
                Some(user)
            }
            Self::List { .. } | Self::Find | Self::Test | Self::OpenApi | Self::Health | Self::Ready => None,
        }
    }

    /// The longest request body, in bytes; `None` if this has no body. Other bodies are ignored.
    #[must_use]
    pub fn max_body(&self) -> Option<usize> {
        match self {
            Self::Suspend(_) | Self::Reactivate(_) | Self::Test => Some(MAX_OPTIONS_BODY),
            Self::Find => Some(MAX_FIND_BODY),
            Self::List { .. } | Self::Get(_) | Self::OpenApi | Self::Health | Self::Ready => None,
        }
    }

    /// The remedy for a body that is not right.
    #[must_use]
    pub fn body_remedy(&self) -> &'static str {
        match self {
            Self::Find => FIND_REMEDY,
            Self::Test => EMPTY_REMEDY,
            _ => CHANGE_REMEDY,
        }
    }
}

const CHANGE_REMEDY: &str = "Send {\"dry_run\":true}, {}, or no body.";
const EMPTY_REMEDY: &str = "Send {}, or no body.";
const FIND_REMEDY: &str = "Send {\"users\":[…]} with at most 1,000 ids, addresses and objects with id, email or both.";

/// Parses the body of a change: a JSON object, or nothing. An empty body that is declared as JSON has lost its options on the
/// way, `dry_run` perhaps, and is refused.
///
/// # Errors
///
/// A media type other than JSON, malformed or missing JSON, or an unknown, duplicate or mistyped member.
pub fn change_options(content_type: Option<&[u8]>, body: &[u8]) -> Result<ChangeOptions, Problem> {
    let media_type = media_type(content_type).to_ascii_lowercase();
    if body.is_empty() && (media_type == b"application/json" || media_type.ends_with(b"+json")) {
        let remedy =
            "Send {} to make the change, or {\"dry_run\":true}; or send neither a body nor the header Content-Type.";
        let message = "the body is empty, but it is declared as JSON";
        return Err(Problem::new(problem::INVALID_BODY, message, remedy));
    }
    options(content_type, body, CHANGE_REMEDY)
}

/// Parses the body of a request without options: `{}`, or nothing.
///
/// # Errors
///
/// As [`change_options`].
pub fn no_options(content_type: Option<&[u8]>, body: &[u8]) -> Result<(), Problem> {
    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Empty {}
    options(content_type, body, EMPTY_REMEDY).map(|Empty {}| ())
}

/// Parses the body of a search: the users to find.
///
/// # Errors
///
/// As [`change_options`], an empty body, or more than 1,000 users.
pub fn users_to_find(content_type: Option<&[u8]>, body: &[u8]) -> Result<FindUsers, Problem> {
    if body.is_empty() {
        return Err(Problem::new(problem::INVALID_BODY, "the body is empty", FIND_REMEDY));
    }
    let find: FindUsers = object(content_type, body, FIND_REMEDY)?;
    if find.users.count > MAX_FIND_USERS {
        return Err(Error::from(FindError { users: find.users.count }).into());
    }
    Ok(find)
}

fn options<T: Default + DeserializeOwned>(
    content_type: Option<&[u8]>,
    body: &[u8],
    remedy: &str,
) -> Result<T, Problem> {
    if body.is_empty() { Ok(T::default()) } else { object(content_type, body, remedy) }
}

/// The media type of a `Content-Type` header, without its parameters.
fn media_type(content_type: Option<&[u8]>) -> &[u8] {
    content_type.and_then(|value| value.split(|byte| *byte == b';').next()).unwrap_or_default().trim_ascii()
}

/// Parses a JSON object.
fn object<T: DeserializeOwned>(content_type: Option<&[u8]>, body: &[u8], remedy: &str) -> Result<T, Problem> {
    if !media_type(content_type).eq_ignore_ascii_case(b"application/json") {
        let remedy = format!("Send the header Content-Type: application/json. {remedy}");
        return Err(Problem::new(problem::UNSUPPORTED_MEDIA_TYPE, "the body is not declared as JSON", remedy));
    }
    let invalid = |message: String| Problem::new(problem::INVALID_BODY, message, remedy);
    // Serde would accept an array for a struct.
    let is_object = body.trim_ascii_start().first() == Some(&b'{');
    let parsed = if is_object { serde_json::from_slice(body).map(Some) } else { check_syntax(body) };
    match parsed {
        Ok(Some(options)) => Ok(options),
        Ok(None) => Err(invalid("the body is not a JSON object".into())),
        Err(error) if error.is_data() => Err(invalid(format!("the body is invalid: {}", truncate(&error.to_string())))),
        Err(error) => {
            let message =
                format!("the body is not well-formed JSON (line {}, column {})", error.line(), error.column());
            Err(Problem::new(problem::MALFORMED_JSON, message, remedy))
        }
    }
}

/// Checks that the body is well-formed JSON. Never returns a value.
fn check_syntax<T>(body: &[u8]) -> serde_json::Result<Option<T>> {
    serde_json::from_slice::<IgnoredAny>(body).map(|_| None)
}

fn require_method(allowed: &'static str, method: &str) -> Result<(), Problem> {
    if method == allowed {
        return Ok(());
    }
    let message = format!("this resource supports only {allowed}");
    let problem = Problem::new(problem::METHOD_NOT_ALLOWED, message, format!("Use {allowed}."));
    Err(Problem { allow: Some(if allowed == "GET" { "GET, HEAD" } else { allowed }), ..problem })
}

/// A text with an `@` is an address, any other an id.
pub(crate) fn user_ref(user: &str) -> UserRef {
    if user.contains('@') { UserRef::Email(user.into()) } else { UserRef::Id(user.into()) }
}

fn list_query(query: &str) -> Result<ListQuery, Problem> {
    let [state, limit, page_token] = parameters(query, ["state", "limit", "page_token"])?;
    let state = match state.as_deref() {
        None => None,
        Some("active") => Some(StateFilter::Active),
        Some("suspended") => Some(StateFilter::Suspended),
        Some(_) => return Err(Problem::argument("state", "it is neither active nor suspended")),
    };
    let limit = match limit.map(|limit| limit.parse()) {
        None => None,
        Some(Ok(limit @ 1..=MAX_USERS)) => Some(limit),
        Some(_) => {
            return Err(Problem::argument("limit", format!("it is not a whole number from 1 to {MAX_USERS}")));
        }
    };
    Ok(ListQuery { state, limit, page_token })
}

fn no_parameters(query: &str) -> Result<(), Problem> {
    parameters(query, []).map(|[]| ())
}

/// Parses the query: each of these parameters at most once, and no others. A plus sign is a plus sign: the query is no form, and
/// page tokens of other services have such signs.
fn parameters<const N: usize>(query: &str, names: [&'static str; N]) -> Result<[Option<String>; N], Problem> {
    let mut values = [const { None }; N];
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let decode = |text| percent_decode_str(text).decode_utf8_lossy();
        let (name, value) = (decode(name), decode(value));
        let known = names.iter().zip(&mut values).find(|(known, _)| **known == name);
        let Some((name, place)) = known else {
            let remedy = match names.as_slice() {
                [] => "This resource has no parameters.".into(),
                names => format!("The parameters are {}.", names.join(", ")),
            };
            let message = format!("there is no parameter {:?}", truncate(&name));
            return Err(Problem::new(problem::UNKNOWN_PARAMETER, message, remedy));
        };
        if place.replace(value.into_owned()).is_some() {
            return Err(Problem::argument(name, "it is given more than once"));
        }
    }
    Ok(values)
}

/// True if NDJSON is requested explicitly and with at least the weight of JSON (RFC 9110, section 12.5.1).
fn prefers_ndjson(accept: &[u8]) -> bool {
    let accept = String::from_utf8_lossy(accept);
    let weight = |media_type: &str| {
        accept.split(',').find_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let is_match = parts.next().is_some_and(|range| range.eq_ignore_ascii_case(media_type));
            let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            is_match.then(|| weight.map_or(1.0, |weight| weight.trim().parse::<f32>().unwrap_or(0.0)))
        })
    };
    let ndjson = weight("application/x-ndjson").unwrap_or(0.0);
    ndjson > 0.0 && ndjson >= weight("application/json").unwrap_or(0.0)
}

/// Truncates a caller's text for a message.
fn truncate(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end here")]
mod tests {
    use super::*;

    fn parse(method: &str, target: &str) -> Result<Route, &'static str> {
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        Route::parse(method, path, query, b"").map_err(|problem| problem.kind().code)
    }

    fn list(state: Option<StateFilter>, limit: Option<u32>, page_token: Option<&str>) -> Result<Route, &'static str> {
        let query = ListQuery { state, limit, page_token: page_token.map(Into::into) };
        Ok(Route::List { query, ndjson: false })
    }

    #[test]
    fn requests_are_parsed() {
        let id = |id: &str| UserRef::Id(id.into());
        let email = || UserRef::Email("wendy+x@example.com".into());
        assert_eq!(parse("GET", "/v1/users"), list(None, None, None));
        assert_eq!(parse("GET", "/v1/users?"), list(None, None, None));
        assert_eq!(
            parse("GET", "/v1/users?limit=250000&state=suspended&page_token=a%2Bb+c"),
            list(Some(StateFilter::Suspended), Some(250_000), Some("a+b+c"))
        );
        assert_eq!(parse("GET", "/v1/users/WENDY"), Ok(Route::Get(id("WENDY"))));
        for user in ["wendy+x@example.com", "wendy%2bx%40example.com"] {
            assert_eq!(parse("GET", &format!("/v1/users/{user}")), Ok(Route::Get(email())));
            assert_eq!(parse("POST", &format!("/v1/users/{user}:suspend")), Ok(Route::Suspend(email())));
            assert_eq!(parse("POST", &format!("/v1/users/{user}:reactivate")), Ok(Route::Reactivate(email())));
        }
        assert_eq!(parse("GET", "/v1/users/a%2Fb"), Ok(Route::Get(id("a/b"))), "the core refuses it");
        assert_eq!(parse("POST", "/v1/users/:suspend"), Ok(Route::Suspend(id(""))), "and this");
        assert_eq!(parse("POST", "/v1/users:find"), Ok(Route::Find));
        assert_eq!(parse("POST", "/v1/test"), Ok(Route::Test));
        assert_eq!(parse("GET", "/openapi.json"), Ok(Route::OpenApi));
    }

    #[test]
    fn invalid_requests_are_refused() {
        for path in
            ["/", "", "/v1", "/v1/users/", "/v1/users/a/b", "/v1/users//", "/v2/users", "/V1/users", "/v1/test/"]
        {
            assert_eq!(parse("GET", path), Err("not-found"), "{path}");
        }
        for (method, path) in [
            ("POST", "/v1/users"),
            ("HEAD", "/v1/users/A:suspend"),
            ("HEAD", "/v1/test"),
            ("head", "/v1/users"),
            ("get", "/v1/users"),
            ("DELETE", "/v1/users/A"),
            ("GET", "/v1/users/A:suspend"),
            ("POST", "/v1/users/A:delete"),
            ("PUT", "/v1/users/A:reactivate"),
            ("GET", "/v1/test"),
            ("GET", "/v1/users:find"),
            ("OPTIONS", "/openapi.json"),
        ] {
            assert_eq!(parse(method, path), Err("method-not-allowed"), "{method} {path}");
        }
        for query in ["x=1", "State=active", "filter=", "state=active&x", "&&=1"] {
            assert_eq!(parse("GET", &format!("/v1/users?{query}")), Err("unknown-parameter"), "{query}");
            assert_eq!(parse("GET", &format!("/v1/users/A?{query}")), Err("unknown-parameter"), "{query}");
        }
        for query in [
            "state=",
            "state=Active",
            "limit=",
            "limit=0",
            "limit=-1",
            "limit=1.5",
            "limit=250001",
            "limit=99999999999",
            "limit=1&limit=1",
        ] {
            assert_eq!(parse("GET", &format!("/v1/users?{query}")), Err("invalid-argument"), "{query}");
        }
        assert_eq!(parse("GET", "/v1/users/%ff"), Err("invalid-argument"));
    }

    #[test]
    fn only_changes_need_a_responder() {
        for (method, path) in [
            ("GET", "/v1/users"),
            ("GET", "/v1/users/A"),
            ("POST", "/v1/users:find"),
            ("POST", "/v1/test"),
            ("GET", "/openapi.json"),
        ] {
            assert_eq!(parse(method, path).unwrap().required_role(), Some(Role::Reader));
        }
        for verb in ["suspend", "reactivate"] {
            assert_eq!(parse("POST", &format!("/v1/users/A:{verb}")).unwrap().required_role(), Some(Role::Responder));
        }
        for path in PUBLIC {
            assert_eq!(parse("GET", path).unwrap().required_role(), None);
        }
    }

    #[test]
    fn row_61_a_verb_that_is_encoded_is_no_verb() {
        for user in ["A%3Asuspend", "A%3asuspend", "A%3As%75spend", "A:s%75spend", "A:suspen%64", "a%40b%3Areactivate"]
        {
            for method in ["GET", "POST"] {
                assert_eq!(parse(method, &format!("/v1/users/{user}")), Err("not-found"), "{method} {user}");
            }
        }
        // Decoded once: the core refuses this id.
        assert_eq!(parse("GET", "/v1/users/A%253Asuspend"), Ok(Route::Get(UserRef::Id("A%3Asuspend".into()))));
        assert_eq!(parse("POST", "/v1/users%3Afind"), Err("not-found"));
        assert_eq!(parse("POST", "/v1/users/A%3Asuspend:suspend"), Ok(Route::Suspend(UserRef::Id("A:suspend".into()))));
    }

    #[test]
    fn row_61_a_plus_sign_in_a_query_is_a_plus_sign() {
        assert_eq!(parse("GET", "/v1/users?page_token=ab+/c=="), list(None, None, Some("ab+/c==")));
        assert_eq!(parse("GET", "/v1/users?page_token=ab%2B%2Fc%3D%3D&"), list(None, None, Some("ab+/c==")));
        assert_eq!(parse("GET", "/v1/users?page%5Ftoken=a%20b"), list(None, None, Some("a b")));
    }

    #[test]
    fn row_61_head_is_the_same_as_get() {
        for path in ["/v1/users", "/v1/users/A", "/openapi.json", HEALTH, READY] {
            assert_eq!(parse("HEAD", path), parse("GET", path));
        }
        let problem = Route::parse("PUT", "/v1/users", None, b"").unwrap_err();
        assert_eq!(problem.allow, Some("GET, HEAD"));
    }

    #[test]
    fn row_61_an_empty_body_that_is_declared_as_json_is_refused() {
        for content_type in
            ["application/json", "Application/JSON; charset=utf-8", " application/json", "application/vnd.x+json"]
        {
            let problem = change_options(Some(content_type.as_bytes()), b"").unwrap_err();
            assert_eq!(problem.kind().code, "invalid-body", "{content_type}");
            assert!(problem.failure.remedy.starts_with("Send {} to make the change"), "{}", problem.failure.remedy);
        }
        assert_eq!(change_options(None, b"").unwrap(), ChangeOptions::default());
    }

    #[test]
    fn bodies_are_read_strictly() {
        let read = |content_type: &str, body: &str| {
            change_options(Some(content_type.as_bytes()), body.as_bytes())
                .map(|options| options.dry_run)
                .map_err(|problem| problem.kind().code)
        };
        assert_eq!(change_options(None, b"").unwrap(), ChangeOptions::default());
        assert_eq!(read("text/plain", ""), Ok(false));
        for content_type in ["application/json", "Application/JSON ; charset=utf-8"] {
            assert_eq!(read(content_type, "{}"), Ok(false));
            assert_eq!(read(content_type, " {\"dry_run\": true}\n"), Ok(true));
        }
        for content_type in ["", "text/json", "application/jsonx", "application/x-www-form-urlencoded"] {
            assert_eq!(read(content_type, "{}"), Err("unsupported-media-type"), "{content_type}");
        }
        assert_eq!(change_options(None, b"{}").map_err(|problem| problem.kind().code), Err("unsupported-media-type"));
        for body in ["{", "{}{}", "dry_run=true", "\u{feff}{}", "{\"dry_run\":tru}"] {
            assert_eq!(read("application/json", body), Err("malformed-json"), "{body}");
        }
        for body in [
            "[]",
            "[true]",
            "null",
            "true",
            "{\"dry_run\":true,\"dry_run\":false}",
            "{\"dry_run\":1}",
            "{\"dry_run\":null}",
            "{\"dryRun\":true}",
        ] {
            assert_eq!(read("application/json", body), Err("invalid-body"), "{body}");
        }
    }

    #[test]
    fn a_test_takes_no_options() {
        let read =
            |body: &str| no_options(Some(b"application/json"), body.as_bytes()).map_err(|problem| problem.kind().code);
        assert_eq!((read(""), read("{}")), (Ok(()), Ok(())));
        assert_eq!(
            (read("{\"dry_run\":true}"), read("[]"), read("{")),
            (Err("invalid-body"), Err("invalid-body"), Err("malformed-json"))
        );
    }

    #[test]
    fn users_to_find_are_read_strictly() {
        let read = |body: &str| users_to_find(Some(b"application/json"), body.as_bytes());
        let users: Vec<UserRef> =
            read(r#"{"users":["A","a@b",{"id":"A"},{"email":"a@b"},{"id":"A","email":"a@b"},"",{"id":"a@b"}, "A"]}"#)
                .unwrap()
                .users
                .references
                .iter()
                .map(UserRef::from)
                .collect();
        let (id, email) = (|| UserRef::Id("A".into()), || UserRef::Email("a@b".into()));
        let known = UserRef::Known { id: "A".into(), email: "a@b".into() };
        let others = [UserRef::Id("".into()), UserRef::Id("a@b".into()), id()];
        assert_eq!(users, [[id(), email(), id(), email(), known].as_slice(), &others].concat());
        assert_eq!(read(r#"{"users":[]}"#).unwrap().users.count, 0);

        for (body, words) in [
            ("", "empty"),
            ("[]", "not a JSON object"),
            ("{}", "missing field `users`"),
            (r#"{"users":null}"#, "null"),
            (r#"{"users":"A"}"#, "expected an array of users"),
            (r#"{"users":{}}"#, "expected an array of users"),
            (r#"{"users":[],"users":[]}"#, "duplicate field `users`"),
            (r#"{"users":[],"limit":1}"#, "unknown field `limit`"),
            (r#"{"users":[1]}"#, "expected an id, an address, or an object"),
            (r#"{"users":[null]}"#, "expected an id, an address, or an object"),
            (r#"{"users":[["A"]]}"#, "expected an id, an address, or an object"),
            (r#"{"users":[{}]}"#, "neither id nor email"),
            (r#"{"users":[{"id":null}]}"#, "null"),
            (r#"{"users":[{"id":1}]}"#, "expected a string"),
            (r#"{"users":[{"id":"A","id":"B"}]}"#, "duplicate field `id`"),
            (r#"{"users":[{"id":"A","name":"B"}]}"#, "unknown field `name`"),
        ] {
            let problem = read(body).unwrap_err();
            assert_eq!(problem.kind().code, "invalid-body", "{body}");
            assert!(problem.failure.message.contains(words), "{body}: {}", problem.failure.message);
        }
        for body in [r#"{"users":["#, r#"{"users":[]}}"#, r#"{"users":["A" "B"]}"#] {
            assert_eq!(read(body).unwrap_err().kind().code, "malformed-json", "{body}");
        }
        assert_eq!(users_to_find(None, br#"{"users":[]}"#).unwrap_err().kind().code, "unsupported-media-type");
    }

    #[test]
    fn a_search_has_at_most_1000_users_of_any_length() {
        let body = |count: usize, user: &str| format!(r#"{{"users":[{}]}}"#, vec![user; count].join(","));
        let read = |body: &str| users_to_find(Some(b"application/json"), body.as_bytes());
        let find = read(&body(1000, r#""A""#)).unwrap();
        assert_eq!((find.users.references.len(), find.users.count), (1000, 1000));
        let problem = read(&body(1234, r#""A""#)).unwrap_err();
        assert_eq!((problem.kind().code, problem.failure.subject.unwrap().name), ("invalid-argument", "users".into()));
        assert!(problem.failure.message.contains("there are 1234 users"), "{}", problem.failure.message);

        let longest = format!(r#"{{"id":"{}","email":"{}@example.com"}}"#, "A".repeat(128), "a".repeat(1012));
        assert!(body(1000, &longest).len() <= MAX_FIND_BODY);
    }

    #[test]
    fn ndjson_is_sent_only_if_requested() {
        for accept in [
            "application/x-ndjson",
            "APPLICATION/X-NDJSON; q=0.5",
            "text/html, application/x-ndjson",
            "application/x-ndjson;q=0.9, */*;q=0.8",
            "application/json, application/x-ndjson",
        ] {
            assert!(prefers_ndjson(accept.as_bytes()), "{accept}");
        }
        for accept in
            ["", "*/*", "application/*", "application/json", "application/x-ndjson;q=0", "application/x-ndjson;q=x"]
        {
            assert!(!prefers_ndjson(accept.as_bytes()), "{accept}");
        }
        assert!(!prefers_ndjson(b"application/x-ndjson;q=0.5, application/json"));
        assert!(!prefers_ndjson(b"\xff"));
    }
}
