//! The rules of the simulated service. A refusal gives its reason.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use fastrand::Rng;
use serde::Serialize;

use crate::account::{Account, Person, id};
use crate::body::{self, Listed, Page, json};
use crate::dialect::{ChangeAnswer, Dialect, ErrorForm, PageTokens, Routes, TokenErrorForm};

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
    /// Headers, with names in lower case. Without `content-type`, the body is JSON.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The reason for a refusal.
    pub reason: Option<String>,
}

impl Response {
    fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), reason: None }
    }

    fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The body as text, as it is sent. Replaces what is not UTF-8.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
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
    dialect: Dialect,
    /// The states of users whose change was accepted and has not taken effect.
    pending: HashMap<String, &'static str>,
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

/// A refusal, in no form yet.
enum Refusal {
    /// With a code of google.rpc.
    Status { status: u16, code: u8, message: String },
    /// As OAuth 2.0 has it (RFC 6749, section 5.2).
    OAuth { status: u16, error: &'static str, description: String },
    /// A page of HTML from something in front of the service.
    Portal,
}

fn refusal(status: u16, code: u8, message: impl Into<String>) -> Refusal {
    Refusal::Status { status, code, message: message.into() }
}

fn oauth(status: u16, error: &'static str, description: &str) -> Refusal {
    Refusal::OAuth { status, error, description: description.into() }
}

/// The query of a list.
struct ListQuery {
    filter: String,
    /// The state that the filter demands.
    state: Option<&'static str>,
    max_page_size: usize,
    page_token: Option<String>,
}

impl ListQuery {
    fn parse(query: Option<&str>) -> Result<Self, Refusal> {
        let mut parsed = Self { filter: String::new(), state: None, max_page_size: 25, page_token: None };
        let query = query.unwrap_or_default();
        let decoded: Vec<(&str, String)> =
            query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect::<Result<_, _>>()?;
        for (place, (key, value)) in decoded.iter().enumerate() {
            if decoded.iter().take(place).any(|(other, _)| other == key) {
                return Err(refusal(400, 3, format!("query parameter given twice: {key}")));
            }
            match *key {
                "filter" => value.clone_into(&mut parsed.filter),
                "page_token" if !value.is_empty() => parsed.page_token = Some(value.clone()),
                "page_token" => {}
                "max_page_size" => {
                    parsed.max_page_size = value
                        .parse()
                        .ok()
                        .filter(|size| (1..=MAX_PAGE_SIZE).contains(size))
                        .ok_or_else(|| refusal(400, 3, "max_page_size must be a number from 1 to 1000"))?;
                }
                key => return Err(refusal(400, 3, format!("unknown query parameter: {key}"))),
            }
        }
        parsed.state = match parsed.filter.as_str() {
            "" => None,
            "user.isActive()" => Some("ACTIVE"),
            "user.isSuspended()" => Some("SUSPENDED"),
            _ => return Err(refusal(400, 3, "InvalidArgument: filter must be user.isActive() or user.isSuspended()")),
        };
        Ok(parsed)
    }

    fn matches(&self, person: &Person) -> bool {
        self.state.is_none_or(|state| person.state == state)
    }
}

/// The start of a page.
#[derive(Clone, Copy)]
enum Cursor {
    /// The user at this index of the account. The empty page before it was sent already if `passed` is true.
    Place { place: usize, passed: bool },
    /// The page with this number, from 1.
    Number(usize),
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
            dialect: Dialect::default(),
            pending: HashMap::new(),
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

    /// Sets the form of the answers from now on. A page token that was issued in another form may be refused.
    pub fn set_dialect(&mut self, dialect: Dialect) {
        self.dialect = dialect;
    }

    /// The form of the answers.
    #[must_use]
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
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

    /// Makes the changes take effect that were accepted and wait for a look, see [`ChangeAnswer::Accepted`].
    pub fn settle_changes(&mut self) {
        for (id, state) in std::mem::take(&mut self.pending) {
            // A change that would be refused by now is dropped.
            let _ = self.account.change(&id, state);
        }
    }

    /// Revokes all tokens.
    pub fn revoke_tokens(&mut self) {
        self.tokens.clear();
    }

    /// Handles a request that arrives at this time.
    pub fn handle(&mut self, request: &Request<'_>, now: Duration) -> Response {
        let mut response =
            self.carry_out(request, now).unwrap_or_else(|refusal| self.refuse(refusal, self.error_form(request.path)));
        let identity = request.header("accept-encoding").is_some_and(|value| value.contains("identity"));
        if self.dialect.compress && !identity && !response.body.is_empty() {
            response.body = body::gzip(&response.body);
            response = response.with_header("content-encoding", "gzip");
        }
        response
    }

    /// The form of errors with a code of google.rpc on this path.
    fn error_form(&self, path: &str) -> ErrorForm {
        match Operation::of_path(path) {
            Some(Operation::Token | Operation::Revoke) => ErrorForm::Gateway,
            _ if self.dialect.routes == Routes::Gateway404 => ErrorForm::Gateway,
            _ => self.dialect.errors,
        }
    }

    fn refuse(&self, refusal: Refusal, form: ErrorForm) -> Response {
        let (response, reason) = match refusal {
            Refusal::Status { status, code, message } => {
                let response = Response::new(status, body::error(form, status, code, &message));
                let problem = form == ErrorForm::Problem;
                let response =
                    if problem { response.with_header("content-type", "application/problem+json") } else { response };
                (response, message)
            }
            Refusal::OAuth { status, error, description } => {
                let body = match self.dialect.token_errors {
                    TokenErrorForm::OAuth => body::oauth_error(error, &description),
                    TokenErrorForm::Gateway => {
                        let code = if status == 401 { 16 } else { 3 };
                        body::error(ErrorForm::Gateway, status, code, &description)
                    }
                };
                (Response::new(status, body), description)
            }
            Refusal::Portal => {
                let response = Response::new(403, body::PORTAL).with_header("content-type", "text/html");
                (response, "answered by a portal".into())
            }
        };
        Response { reason: Some(reason), ..response }
    }

    fn carry_out(&mut self, request: &Request<'_>, now: Duration) -> Result<Response, Refusal> {
        let route = self.route(request.path)?;
        let method = match route.operation() {
            Operation::List | Operation::Get => "GET",
            _ => "POST",
        };
        if request.method != method {
            return Err(refusal(501, 12, "Method Not Allowed"));
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
                    return Err(refusal(400, 3, format!("unknown query parameter: {query}")));
                }
                match operation {
                    Operation::Suspend => self.change(user, "SUSPENDED"),
                    Operation::Reactivate => self.change(user, "ACTIVE"),
                    _ => self.user(user),
                }
            }
        }
    }

    /// The route of a path, if it works.
    fn route<'a>(&self, path: &'a str) -> Result<Route<'a>, Refusal> {
        match (Route::parse(path), self.dialect.routes) {
            (Some(Route::Token), _) => Ok(Route::Token),
            (_, Routes::Portal) => Err(Refusal::Portal),
            (None, _) | (_, Routes::Gateway404) => Err(refusal(404, 5, "Not Found")),
            (Some(route), _) => Ok(route),
        }
    }

    fn token(&mut self, request: &Request<'_>, now: Duration) -> Result<Response, Refusal> {
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
        let body = json(&TokenResponse { access_token: &token, token_type: "Bearer", expires_in });
        Ok(Response::new(200, body))
    }

    fn revoke(&mut self, request: &Request<'_>) -> Result<Response, Refusal> {
        let form = form(request)?;
        self.client(request)?;
        match form.as_slice() {
            [("token", token)] => {
                // Revoking an unknown token succeeds, too (RFC 7009, section 2.2).
                self.tokens.remove(*token);
                Ok(Response::new(200, "{}"))
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
            _ => return Err(refusal(401, 16, "the access token is missing, invalid or expired")),
        };
        if account != self.account.id() {
            return Err(refusal(403, 7, "the application does not belong to this account"));
        }
        let application = self.applications().find(|application| application.client_id == *client_id);
        if application.is_some_and(|application| application.permissions.contains(&operation)) {
            Ok(())
        } else {
            Err(refusal(403, 7, "permission denied"))
        }
    }

    fn list(&self, query: Option<&str>) -> Result<Response, Refusal> {
        let query = ListQuery::parse(query)?;
        let cursor = match &query.page_token {
            None if self.dialect.numbers_pages() => Cursor::Number(1),
            None => Cursor::Place { place: 0, passed: false },
            Some(token) => {
                self.read_page_token(token, &query).ok_or_else(|| refusal(400, 3, "InvalidArgument: page_token"))?
            }
        };
        if self.dialect.routes == Routes::NoData {
            return Ok(Response::new(200, body::no_data(&self.dialect)));
        }
        Ok(Response::new(200, body::page(&self.dialect, &self.page(&query, cursor))))
    }

    /// The page that starts here.
    fn page(&self, query: &ListQuery, cursor: Cursor) -> Page<'_> {
        let size = query.max_page_size.min(self.page_size).min(self.dialect.clamp.unwrap_or(MAX_PAGE_SIZE).max(1));
        let (place, skipped, empty) = match cursor {
            Cursor::Place { place, passed } => (place, 0, !passed && self.dialect.empty_page_at(place)),
            Cursor::Number(number) => (0, number.saturating_sub(1).saturating_mul(size), false),
        };
        let people = self.account.people();
        let matching = people.iter().enumerate().skip(place).filter(|(_, person)| query.matches(person));
        let mut matching = matching.skip(skipped);
        let size = if empty { 0 } else { size };
        let users: Vec<_> = matching.by_ref().take(size).map(|(_, person)| self.listed(person)).collect();
        let next = matching.next().map(|(place, _)| match cursor {
            Cursor::Place { .. } => Cursor::Place { place, passed: empty },
            Cursor::Number(number) => Cursor::Number(number.saturating_add(1)),
        });
        let next = next.map(|cursor| self.page_token(cursor, query));
        // Not every dialect sends the number.
        let counted = self.dialect.extras || self.dialect.cut.is_some();
        let total = if counted { people.iter().filter(|person| query.matches(person)).count() } else { 0 };
        Page { users, next, total }
    }

    /// A user as a list has it.
    fn listed<'a>(&'a self, person: &'a Person) -> Listed<'a> {
        let people = self.account.people();
        let last = people.last();
        let is = |other: Option<&Person>| other.is_some_and(|other| other.id == person.id);
        let shadow = last.filter(|_| self.dialect.shadow && is(people.first()));
        let id = shadow.map(|last| format!(" {}\n", last.id));
        Listed { person, id, unreadable: self.dialect.unreadable && is(last) }
    }

    /// A page token in the form of the dialect.
    fn page_token(&self, cursor: Cursor, query: &ListQuery) -> String {
        let (place, passed) = match cursor {
            Cursor::Place { place, passed } => (place, passed),
            Cursor::Number(number) => return number.to_string(),
        };
        if self.dialect.page_tokens == PageTokens::Position {
            let mark = if passed { ":1" } else { "" };
            return STANDARD.encode(format!("{place}:{}{mark}", query.max_page_size));
        }
        let signature = self.signature(place, passed, &query.filter);
        match self.dialect.page_tokens {
            PageTokens::Awkward => format!("-{place}+/{signature:016x}=="),
            _ => URL_SAFE_NO_PAD.encode(format!("{place}.{signature:016x}")),
        }
    }

    /// The signature of a page token, which binds it to the filter.
    fn signature(&self, place: usize, passed: bool, filter: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.page_token_key, place, filter).hash(&mut hasher);
        if passed {
            passed.hash(&mut hasher);
        }
        hasher.finish()
    }

    /// The start of the page that a token stands for. `None` if the token was altered, or does not belong to this query.
    fn read_page_token(&self, token: &str, query: &ListQuery) -> Option<Cursor> {
        let number = self.number_in(token)?.parse().ok()?;
        let cursors = if self.dialect.numbers_pages() {
            [Cursor::Number(number); 2]
        } else {
            [false, true].map(|passed| Cursor::Place { place: number, passed })
        };
        // A token is good if the service would have written it for this query. There is no page 0.
        let is_good =
            |cursor: &Cursor| !matches!(cursor, Cursor::Number(0)) && self.page_token(*cursor, query) == token;
        cursors.into_iter().find(is_good)
    }

    /// The digits of a page token that name its page or position.
    fn number_in(&self, token: &str) -> Option<String> {
        let first = |text: &str, separator| text.split_once(separator).map(|(first, _)| first.to_owned());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).ok();
        match self.dialect.page_tokens {
            PageTokens::Opaque => first(&text(URL_SAFE_NO_PAD.decode(token).ok()?)?, '.'),
            PageTokens::Position => first(&text(STANDARD.decode(token).ok()?)?, ':'),
            PageTokens::Awkward => first(token.strip_prefix('-')?, '+'),
            PageTokens::PageNumber | PageTokens::Number => Some(token.to_owned()),
        }
    }

    fn user(&mut self, id: &str) -> Result<Response, Refusal> {
        if self.dialect.routes == Routes::NoData {
            return Ok(Response::new(200, "{}"));
        }
        let person = self.account.person(id).ok_or_else(|| refusal(404, 5, "user not found"))?;
        let response = Response::new(200, body::user(&self.dialect, person));
        if let Some(state) = self.pending.remove(id) {
            // A change that has become impossible is dropped.
            let _ = self.account.change(id, state);
        }
        Ok(response)
    }

    /// Suspends or reactivates a user.
    fn change(&mut self, id: &str, state: &'static str) -> Result<Response, Refusal> {
        let before = self.account.person(id).ok_or_else(|| refusal(404, 5, "user not found"))?;
        self.account.check_change(before, state).map_err(|message| refusal(403, 7, message))?;
        let before = before.clone();
        if self.dialect.changes == ChangeAnswer::Accepted {
            if before.state == state {
                self.pending.remove(id);
            } else {
                self.pending.insert(id.into(), state);
            }
            return Ok(Response::new(202, "{}"));
        }
        self.pending.remove(id);
        let changed = self.account.change(id, state);
        Ok(match self.dialect.changes {
            ChangeAnswer::NoContent => Response::new(204, ""),
            ChangeAnswer::EmptyOk => Response::new(200, ""),
            ChangeAnswer::OldState => Response::new(200, body::user(&self.dialect, &before)),
            ChangeAnswer::User | ChangeAnswer::Accepted => {
                Response::new(200, body::user(&self.dialect, changed.unwrap_or(&before)))
            }
        })
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
        _ => Err(refusal(400, 3, "User-Agent must be <CompanyOrProductName>/<version>")),
    }
}

/// Returns true if a text is a token (RFC 9110, section 5.6.2).
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn no_body(request: &Request<'_>) -> Result<(), Refusal> {
    if request.body.is_empty() { Ok(()) } else { Err(refusal(400, 3, "this request must not have a body")) }
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

/// A query parameter with its value decoded. A plus sign is a space, as in a form.
fn pair(pair: &str) -> Result<(&str, String), Refusal> {
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    let value = value.replace('+', " ");
    let value = percent_encoding::percent_decode_str(&value).decode_utf8();
    let value = value.map_err(|_| refusal(400, 3, format!("{key} is not valid UTF-8")))?;
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
        let token = response.text().split('"').nth(3).map(ToOwned::to_owned).unwrap_or_default();
        let expected = format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":60}}"#);
        assert_eq!((response.status, response.text()), (200, expected));

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
