//! The rules of the simulated service. A refusal gives its reason.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use fastrand::Rng;
use serde::Serialize;

use crate::account::{Account, Person, id};

/// The documented lifetime of a token: 900 s.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(900);

/// The maximum number of users on a page.
const MAX_PAGE_SIZE: usize = 1000;

/// The operation of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Issue a token.
    Token,
    /// Revoke a token.
    Revoke,
    /// List a page of users.
    List,
    /// Get one user.
    Get,
    /// Suspend a user.
    Suspend,
    /// Reactivate a user.
    Reactivate,
}

impl Operation {
    /// The operation of a path without its query. `None` if the service does not know the path.
    #[must_use]
    pub fn of_path(path: &str) -> Option<Self> {
        Route::parse(path).map(|route| route.operation())
    }
}

/// The permissions of an OAuth application, in the order in which 1Password lists them.
pub const PERMISSIONS: [Operation; 4] = [Operation::Get, Operation::List, Operation::Suspend, Operation::Reactivate];

/// An OAuth application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// A UUID.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// The operations that its tokens allow.
    pub permissions: Vec<Operation>,
}

/// A request to the service.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method, such as `GET`.
    pub method: &'a str,
    /// The path, percent-encoded.
    pub path: &'a str,
    /// The query, percent-encoded. `None` if the target has no question mark.
    pub query: Option<&'a str>,
    /// The headers. Names are case-insensitive, and the first of several with one name counts.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }
}

/// A response of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body.
    pub body: String,
    /// The reason for a refusal.
    pub reason: Option<String>,
}

/// An issued token.
#[derive(Debug)]
struct Token {
    client_id: String,
    expires: Duration,
}

/// The service: an account, its OAuth applications, and their tokens.
///
/// It has no clock. The caller passes the time since a fixed point, which must not run backwards.
#[derive(Debug)]
pub struct Service {
    account: Account,
    application: Application,
    others: Vec<Application>,
    token_lifetime: Duration,
    page_size: usize,
    tokens: HashMap<String, Token>,
    random: Rng,
    /// The key that signs page tokens.
    page_token_key: u64,
}

/// The route of a path.
enum Route<'a> {
    Token,
    Revoke,
    List { account: &'a str },
    User { account: &'a str, user: &'a str, operation: Operation },
}

impl<'a> Route<'a> {
    fn parse(path: &'a str) -> Option<Self> {
        let route = match path.strip_prefix("/v1beta1/") {
            Some("users/oauth2/token") => return Some(Self::Token),
            Some("users/oauth2/revoke") => return Some(Self::Revoke),
            Some(route) => route,
            None => match path.strip_prefix("/v1/")? {
                "oauth/token" => return Some(Self::Token),
                "oauth/revoke" => return Some(Self::Revoke),
                route => route,
            },
        };
        let mut parts = route.strip_prefix("accounts/")?.split('/');
        let (account, "users", user, None) = (parts.next()?, parts.next()?, parts.next(), parts.next()) else {
            return None;
        };
        let Some(user) = user else { return Some(Self::List { account }) };
        let (user, operation) = match user.split_once(':') {
            None => (user, Operation::Get),
            Some((user, "suspend")) => (user, Operation::Suspend),
            Some((user, "reactivate")) => (user, Operation::Reactivate),
            Some(_) => return None,
        };
        Some(Self::User { account, user, operation })
    }

    fn operation(&self) -> Operation {
        match self {
            Self::Token => Operation::Token,
            Self::Revoke => Operation::Revoke,
            Self::List { .. } => Operation::List,
            Self::User { operation, .. } => *operation,
        }
    }
}

/// A refusal: status, body and reason.
struct Refusal {
    status: u16,
    body: String,
    reason: String,
}

/// A refusal in the form of the gateway: `google.rpc.Status`.
fn gateway(status: u16, code: u8, message: impl Into<String>) -> Refusal {
    #[derive(Serialize)]
    struct Status<'a> {
        code: u8,
        message: &'a str,
        details: [(); 0],
    }
    let message = message.into();
    Refusal { status, body: json(&Status { code, message: &message, details: [] }), reason: message }
}

/// A refusal in the form of OAuth 2.0 (RFC 6749, section 5.2).
fn oauth(status: u16, error: &str, description: &str) -> Refusal {
    #[derive(Serialize)]
    struct Failure<'a> {
        error: &'a str,
        error_description: &'a str,
    }
    Refusal { status, body: json(&Failure { error, error_description: description }), reason: description.into() }
}

/// The JSON of a value, which must be serialisable.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

impl Service {
    /// Creates a service for this account, with one application. The same seed gives the same ids, secrets and tokens.
    #[must_use]
    pub fn new(account: Account, seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        Self {
            account,
            application: application(&mut random, &PERMISSIONS),
            others: Vec::new(),
            token_lifetime: TOKEN_LIFETIME,
            page_size: MAX_PAGE_SIZE,
            tokens: HashMap::new(),
            page_token_key: random.u64(..),
            random,
        }
    }

    /// Sets the lifetime of the tokens issued from now on. The default is [`TOKEN_LIFETIME`].
    pub fn set_token_lifetime(&mut self, lifetime: Duration) {
        self.token_lifetime = lifetime;
    }

    /// Sets the maximum number of users on a page, at least 1. A request with a larger `max_page_size` gets smaller pages.
    pub fn set_page_size(&mut self, users: usize) {
        self.page_size = users.max(1);
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The account, for changes that bypass the service.
    pub fn account_mut(&mut self) -> &mut Account {
        &mut self.account
    }

    /// The application that every service has, with all four permissions.
    #[must_use]
    pub fn application(&self) -> &Application {
        &self.application
    }

    /// Adds an application with these permissions and a random id and secret.
    pub fn add_application(&mut self, permissions: &[Operation]) -> Application {
        let application = application(&mut self.random, permissions);
        self.others.push(application.clone());
        application
    }

    /// Adds this application.
    pub fn insert_application(&mut self, application: Application) {
        self.others.push(application);
    }

    fn applications(&self) -> impl Iterator<Item = &Application> {
        std::iter::once(&self.application).chain(&self.others)
    }

    /// Issues a token for this client, as for a platform that runs OAuth itself.
    pub fn issue_token(&mut self, client_id: &str, now: Duration) -> String {
        let token = format!("sim_{}{}", id(&mut self.random), id(&mut self.random));
        self.tokens.retain(|_, token| token.expires > now);
        let expires = now.saturating_add(self.token_lifetime);
        self.tokens.insert(token.clone(), Token { client_id: client_id.into(), expires });
        token
    }

    /// Revokes all tokens.
    pub fn revoke_tokens(&mut self) {
        self.tokens.clear();
    }

    /// Handles a request that arrives at this time.
    pub fn handle(&mut self, request: &Request<'_>, now: Duration) -> Response {
        match self.carry_out(request, now) {
            Ok(body) => Response { status: 200, body, reason: None },
            Err(Refusal { status, body, reason }) => Response { status, body, reason: Some(reason) },
        }
    }

    fn carry_out(&mut self, request: &Request<'_>, now: Duration) -> Result<String, Refusal> {
        let route = Route::parse(request.path).ok_or_else(|| gateway(404, 5, "Not Found"))?;
        let method = match route.operation() {
            Operation::List | Operation::Get => "GET",
            _ => "POST",
        };
        if request.method != method {
            return Err(gateway(501, 12, "Method Not Allowed"));
        }
        check_user_agent(request)?;
        match route {
            Route::Token => self.token(request, now),
            Route::Revoke => self.revoke(request),
            Route::List { account } => {
                self.authorize(request, Operation::List, account, now)?;
                no_body(request)?;
                self.list(request.query)
            }
            Route::User { account, user, operation } => {
                self.authorize(request, operation, account, now)?;
                no_body(request)?;
                if let Some(query) = request.query {
                    return Err(gateway(400, 3, format!("unknown query parameter: {query}")));
                }
                self.user(user, operation)
            }
        }
    }

    fn token(&mut self, request: &Request<'_>, now: Duration) -> Result<String, Refusal> {
        #[derive(Serialize)]
        struct TokenResponse<'a> {
            access_token: &'a str,
            token_type: &'static str,
            expires_in: u64,
        }

        let form = form(request)?;
        for (key, value) in &form {
            match (*key, *value) {
                ("grant_type", "client_credentials") | ("scope", "openid") => {}
                ("grant_type", _) => {
                    return Err(oauth(400, "unsupported_grant_type", "only client_credentials is supported"));
                }
                ("scope", _) => return Err(oauth(400, "invalid_scope", "scope must be openid")),
                ("client_id" | "client_secret", _) => {
                    return Err(oauth(400, "invalid_request", "credentials belong into the Authorization header"));
                }
                (key, _) => return Err(oauth(400, "invalid_request", &format!("unknown parameter: {key}"))),
            }
        }
        if !form.iter().any(|(key, _)| *key == "grant_type") {
            return Err(oauth(400, "invalid_request", "grant_type is missing"));
        }
        let client_id = self.client(request)?;
        let token = self.issue_token(&client_id, now);
        let expires_in = self.token_lifetime.as_secs();
        Ok(json(&TokenResponse { access_token: &token, token_type: "Bearer", expires_in }))
    }

    fn revoke(&mut self, request: &Request<'_>) -> Result<String, Refusal> {
        let form = form(request)?;
        self.client(request)?;
        match form.as_slice() {
            [("token", token)] => {
                // Revoking an unknown token succeeds, too (RFC 7009, section 2.2).
                self.tokens.remove(*token);
                Ok("{}".into())
            }
            _ => Err(oauth(400, "invalid_request", "the form must hold token, and nothing else")),
        }
    }

    /// The client id of the application that the request authenticates as, by HTTP Basic.
    fn client(&self, request: &Request<'_>) -> Result<String, Refusal> {
        let pair = request
            .header("authorization")
            .and_then(|value| value.strip_prefix("Basic "))
            .and_then(|value| STANDARD.decode(value).ok())
            .and_then(|pair| String::from_utf8(pair).ok());
        let Some((id, secret)) = pair.as_deref().and_then(|pair| pair.split_once(':')) else {
            return Err(oauth(401, "invalid_client", "HTTP Basic authentication is required"));
        };
        let known = self.applications().find(|known| known.client_id == id && known.client_secret == secret);
        match known {
            Some(application) => Ok(application.client_id.clone()),
            None => Err(oauth(401, "invalid_client", "client authentication failed")),
        }
    }

    /// Checks the token, the account and the permission.
    fn authorize(
        &self,
        request: &Request<'_>,
        operation: Operation,
        account: &str,
        now: Duration,
    ) -> Result<(), Refusal> {
        let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let client_id = match token.and_then(|token| self.tokens.get(token)) {
            Some(token) if token.expires > now => &token.client_id,
            _ => return Err(gateway(401, 16, "the access token is missing, invalid or expired")),
        };
        if account != self.account.id() {
            return Err(gateway(403, 7, "the application does not belong to this account"));
        }
        let application = self.applications().find(|application| application.client_id == *client_id);
        if application.is_some_and(|application| application.permissions.contains(&operation)) {
            Ok(())
        } else {
            Err(gateway(403, 7, "permission denied"))
        }
    }

    fn list(&self, query: Option<&str>) -> Result<String, Refusal> {
        #[derive(Serialize)]
        struct Page<'a> {
            results: Vec<&'a Person>,
            // Absent on the last page.
            #[serde(skip_serializing_if = "Option::is_none")]
            next_page_token: Option<String>,
        }

        let (mut filter, mut size, mut page_token) = ("", 25, None);
        let query = query.unwrap_or_default();
        let decoded: Vec<(&str, String)> =
            query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect::<Result<_, _>>()?;
        for (place, (key, value)) in decoded.iter().enumerate() {
            if decoded.iter().take(place).any(|(other, _)| other == key) {
                return Err(gateway(400, 3, format!("query parameter given twice: {key}")));
            }
            match *key {
                "filter" => filter = value,
                "page_token" if !value.is_empty() => page_token = Some(value),
                "page_token" => {}
                "max_page_size" => {
                    size = value
                        .parse()
                        .ok()
                        .filter(|size| (1..=MAX_PAGE_SIZE).contains(size))
                        .ok_or_else(|| gateway(400, 3, "max_page_size must be a number from 1 to 1000"))?;
                }
                key => return Err(gateway(400, 3, format!("unknown query parameter: {key}"))),
            }
        }
        let wanted = match filter {
            "" => None,
            "user.isActive()" => Some("ACTIVE"),
            "user.isSuspended()" => Some("SUSPENDED"),
            _ => return Err(gateway(400, 3, "InvalidArgument: filter must be user.isActive() or user.isSuspended()")),
        };
        let start = match page_token {
            None => 0,
            Some(token) => {
                self.read_page_token(token, filter).ok_or_else(|| gateway(400, 3, "InvalidArgument: page_token"))?
            }
        };
        let matching = self.account.people().iter().enumerate().skip(start);
        let mut matching = matching.filter(|(_, person)| wanted.is_none_or(|state| person.state == state));
        let results: Vec<_> = matching.by_ref().take(size.min(self.page_size)).map(|(_, person)| person).collect();
        let next_page_token = matching.next().map(|(place, _)| self.page_token(place, filter));
        Ok(json(&Page { results, next_page_token }))
    }

    /// A page token: the index to continue at, signed together with the filter.
    fn page_token(&self, place: usize, filter: &str) -> String {
        let mut hasher = DefaultHasher::new();
        (self.page_token_key, place, filter).hash(&mut hasher);
        URL_SAFE_NO_PAD.encode(format!("{place}.{:016x}", hasher.finish()))
    }

    /// The index in a page token. `None` if it was altered or belongs to another filter.
    fn read_page_token(&self, token: &str, filter: &str) -> Option<usize> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let place = text.split_once('.')?.0.parse().ok()?;
        (self.page_token(place, filter) == token).then_some(place)
    }

    fn user(&mut self, id: &str, operation: Operation) -> Result<String, Refusal> {
        let found = match operation {
            Operation::Suspend => self.account.change(id, "SUSPENDED"),
            Operation::Reactivate => self.account.change(id, "ACTIVE"),
            _ => self.account.person(id).map(Ok),
        };
        match found {
            Some(Ok(person)) => Ok(json(person)),
            Some(Err(message)) => Err(gateway(403, 7, message)),
            None => Err(gateway(404, 5, "user not found")),
        }
    }
}

fn application(random: &mut Rng, permissions: &[Operation]) -> Application {
    let mut hex = |digits: usize| (0..digits).map(|_| random.digit(16)).collect::<String>();
    Application {
        client_id: format!("{}-{}-4{}-a{}-{}", hex(8), hex(4), hex(3), hex(3), hex(12)),
        client_secret: format!("simulated-{}", hex(32)),
        permissions: permissions.to_vec(),
    }
}

/// Checks that the user agent begins with `<CompanyOrProductName>/<version>`.
fn check_user_agent(request: &Request<'_>) -> Result<(), Refusal> {
    let product = request
        .header("user-agent")
        .and_then(|value| value.split(' ').next())
        .and_then(|product| product.split_once('/'));
    match product {
        Some((name, version)) if is_token(name) && is_token(version) => Ok(()),
        _ => Err(gateway(400, 3, "User-Agent must be <CompanyOrProductName>/<version>")),
    }
}

/// Returns true if a text is a token (RFC 9110, section 5.6.2).
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn no_body(request: &Request<'_>) -> Result<(), Refusal> {
    if request.body.is_empty() { Ok(()) } else { Err(gateway(400, 3, "this request must not have a body")) }
}

/// The fields of a form.
fn form<'a>(request: &Request<'a>) -> Result<Vec<(&'a str, &'a str)>, Refusal> {
    if request.query.is_some() {
        return Err(oauth(400, "invalid_request", "a query does not belong here"));
    }
    if request.header("content-type") != Some("application/x-www-form-urlencoded") {
        return Err(oauth(400, "invalid_request", "Content-Type must be application/x-www-form-urlencoded"));
    }
    let body = std::str::from_utf8(request.body).unwrap_or_default();
    Ok(body.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect())
}

/// A query parameter with its value decoded.
fn pair(pair: &str) -> Result<(&str, String), Refusal> {
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    let value = percent_encoding::percent_decode_str(value).decode_utf8();
    let value = value.map_err(|_| gateway(400, 3, format!("{key} is not valid UTF-8")))?;
    Ok((key, value.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded";

    fn service() -> (Service, Application) {
        let mut account = Account::new("A");
        account.insert(Person::new("X", "x@example.com"));
        let service = Service::new(account, 7);
        let application = service.application().clone();
        (service, application)
    }

    fn get(service: &mut Service, token: &str, now: Duration) -> Response {
        let headers = [("Authorization", &*format!("Bearer {token}")), ("user-agent", "Tests/1")];
        let path = "/v1/accounts/A/users/X";
        service.handle(&Request { method: "GET", path, query: None, headers: &headers, body: b"" }, now)
    }

    #[test]
    fn a_token_expires_by_the_time_passed_in() {
        let (mut service, application) = service();
        let pair = STANDARD.encode(format!("{}:{}", application.client_id, application.client_secret));
        let basic = format!("Basic {pair}");
        let headers = [("authorization", basic.as_str()), ("user-agent", "Tests/1"), ("content-type", FORM)];
        let token_request = Request {
            method: "POST",
            path: "/v1/oauth/token",
            query: None,
            headers: &headers,
            body: b"grant_type=client_credentials",
        };
        service.set_token_lifetime(Duration::from_secs(60));
        let start = Duration::from_secs(1_000_000);
        let response = service.handle(&token_request, start);
        let token = response.body.split('"').nth(3).map(ToOwned::to_owned).unwrap_or_default();
        let expected = format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":60}}"#);
        assert_eq!((response.status, response.body), (200, expected));

        let millisecond = Duration::from_millis(1);
        let expires = start + Duration::from_secs(60);
        for (now, status) in [(start, 200), (expires - millisecond, 200), (expires, 401), (expires * 2, 401)] {
            assert_eq!(get(&mut service, &token, now).status, status, "{now:?}");
        }
        // The lifetime of a later token starts when it is issued.
        let other = service.issue_token(&application.client_id, expires);
        assert_eq!(get(&mut service, &other, expires + Duration::from_secs(59)).status, 200);
        service.revoke_tokens();
        assert_eq!(get(&mut service, &other, expires).status, 401);
    }

    #[test]
    fn a_seed_determines_the_service() {
        let conversation = || {
            let (mut service, application) = service();
            let token = service.issue_token(&application.client_id, Duration::ZERO);
            (application.clone(), token.clone(), get(&mut service, &token, Duration::ZERO))
        };
        assert_eq!(conversation(), conversation());
    }
}
