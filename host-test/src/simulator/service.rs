//! The simulated service's rules: what it answers to a request, and what it refuses.
//!
//! It is as strict as the documentation allows, so that a client which passes here has no habit that the real service
//! might not forgive. Refusals say why, and the reason is recorded with the request.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::account::Account;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A token.
    Token,
    /// A token to be taken back.
    Revoke,
    /// A page of users.
    List,
    /// One user.
    Get,
    /// A user to be suspended.
    Suspend,
    /// A user to be reactivated.
    Reactivate,
}

/// The permissions of an OAuth application, in the order in which 1Password lists them.
pub const PERMISSIONS: [Operation; 4] = [Operation::Get, Operation::List, Operation::Suspend, Operation::Reactivate];

/// An OAuth application.
#[derive(Debug, Clone)]
pub struct Application {
    /// A UUID.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// What its tokens may be used for.
    pub permissions: Vec<Operation>,
}

/// A request as it came in.
pub(super) struct Incoming<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

/// An answer; `reason` is why a request was refused.
pub(super) struct Outgoing {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) reason: Option<String>,
}

/// The state of the service.
pub(super) struct Service {
    pub(super) account: Account,
    pub(super) applications: Vec<Application>,
    pub(super) token_lifetime: Duration,
    pub(super) page_size: usize,
    /// By token: the application's client id, and when the token expires.
    pub(super) tokens: HashMap<String, (String, Instant)>,
    pub(super) random: fastrand::Rng,
    /// What page tokens are signed with.
    pub(super) page_token_key: u64,
}

/// What a path names.
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

/// What a path asks for, if the service knows it.
pub(super) fn operation(path: &str) -> Option<Operation> {
    Route::parse(path).map(|route| route.operation())
}

/// A refusal: status, code and words.
struct Refusal {
    status: u16,
    body: Value,
    reason: String,
}

/// In the form of the gateway: `google.rpc.Status`.
fn gateway(status: u16, code: u8, message: impl Into<String>) -> Refusal {
    let message = message.into();
    Refusal { status, body: json!({ "code": code, "message": message, "details": [] }), reason: message }
}

/// In the form of OAuth 2.0 (RFC 6749, section 5.2).
fn oauth(status: u16, error: &str, description: &str) -> Refusal {
    Refusal { status, body: json!({ "error": error, "error_description": description }), reason: description.into() }
}

impl Service {
    /// Answers a request.
    pub(super) fn answer(&mut self, request: &Incoming<'_>) -> Outgoing {
        match self.judge(request) {
            Ok(body) => Outgoing { status: 200, body, reason: None },
            Err(Refusal { status, body, reason }) => Outgoing { status, body, reason: Some(reason) },
        }
    }

    fn judge(&mut self, request: &Incoming<'_>) -> Result<Value, Refusal> {
        let route = Route::parse(request.path).ok_or_else(|| gateway(404, 5, "Not Found"))?;
        let method = match route.operation() {
            Operation::List | Operation::Get => Method::GET,
            _ => Method::POST,
        };
        if *request.method != method {
            return Err(gateway(501, 12, "Method Not Allowed"));
        }
        check_user_agent(request.headers)?;
        match route {
            Route::Token => self.token(request),
            Route::Revoke => self.revoke(request),
            Route::List { account } => {
                self.authorize(request, Operation::List, account)?;
                no_body(request)?;
                self.list(request.query)
            }
            Route::User { account, user, operation } => {
                self.authorize(request, operation, account)?;
                no_body(request)?;
                if let Some(query) = request.query {
                    return Err(gateway(400, 3, format!("unknown query parameter: {query}")));
                }
                self.user(user, operation)
            }
        }
    }

    fn token(&mut self, request: &Incoming<'_>) -> Result<Value, Refusal> {
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
        let client_id = self.client(request.headers)?;
        let token = self.issue_token(&client_id);
        Ok(json!({ "access_token": token, "token_type": "Bearer", "expires_in": self.token_lifetime.as_secs() }))
    }

    pub(super) fn issue_token(&mut self, client_id: &str) -> String {
        let token = format!("sim_{}{}", super::account::id(&mut self.random), super::account::id(&mut self.random));
        let now = Instant::now();
        self.tokens.retain(|_, (_, expires)| *expires > now);
        self.tokens.insert(token.clone(), (client_id.into(), now + self.token_lifetime));
        token
    }

    fn revoke(&mut self, request: &Incoming<'_>) -> Result<Value, Refusal> {
        let form = form(request)?;
        self.client(request.headers)?;
        match form.as_slice() {
            [("token", token)] => {
                // Also a token that is not known is answered with success.
                self.tokens.remove(*token);
                Ok(json!({}))
            }
            _ => Err(oauth(400, "invalid_request", "the form must hold token, and nothing else")),
        }
    }

    /// The client id of an application that proves itself by HTTP Basic.
    fn client(&self, headers: &HeaderMap) -> Result<String, Refusal> {
        let pair = header(headers, "authorization")
            .and_then(|value| value.strip_prefix("Basic "))
            .and_then(|value| STANDARD.decode(value).ok())
            .and_then(|pair| String::from_utf8(pair).ok());
        let Some((id, secret)) = pair.as_deref().and_then(|pair| pair.split_once(':')) else {
            return Err(oauth(401, "invalid_client", "HTTP Basic authentication is required"));
        };
        let known = self.applications.iter().find(|known| known.client_id == id && known.client_secret == secret);
        match known {
            Some(application) => Ok(application.client_id.clone()),
            None => Err(oauth(401, "invalid_client", "client authentication failed")),
        }
    }

    /// Checks token, permission and account.
    fn authorize(&self, request: &Incoming<'_>, operation: Operation, account: &str) -> Result<(), Refusal> {
        let token = header(request.headers, "authorization").and_then(|value| value.strip_prefix("Bearer "));
        let client_id = match token.and_then(|token| self.tokens.get(token)) {
            Some((client_id, expires)) if *expires > Instant::now() => client_id,
            _ => return Err(gateway(401, 16, "the access token is missing, invalid or expired")),
        };
        if account != self.account.id {
            return Err(gateway(403, 7, "the application does not belong to this account"));
        }
        let application = self.applications.iter().find(|application| application.client_id == *client_id);
        if application.is_some_and(|application| application.permissions.contains(&operation)) {
            Ok(())
        } else {
            Err(gateway(403, 7, "permission denied"))
        }
    }

    fn list(&self, query: Option<&str>) -> Result<Value, Refusal> {
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
                        .filter(|size| (1..=1000).contains(size))
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
        let mut page = json!({ "results": results });
        // On the last page the key is absent.
        if let (Some((place, _)), Value::Object(page)) = (matching.next(), &mut page) {
            page.insert("next_page_token".into(), self.page_token(place, filter).into());
        }
        Ok(page)
    }

    /// A page token: the place to go on at, signed together with the filter.
    fn page_token(&self, place: usize, filter: &str) -> String {
        let mut hasher = DefaultHasher::new();
        (self.page_token_key, place, filter).hash(&mut hasher);
        URL_SAFE_NO_PAD.encode(format!("{place}.{:016x}", hasher.finish()))
    }

    /// The place of a page token; `None` if it was altered, or given for another filter.
    fn read_page_token(&self, token: &str, filter: &str) -> Option<usize> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let place = text.split_once('.')?.0.parse().ok()?;
        (self.page_token(place, filter) == token).then_some(place)
    }

    fn user(&mut self, id: &str, operation: Operation) -> Result<Value, Refusal> {
        let found = match operation {
            Operation::Suspend => self.account.change(id, "SUSPENDED"),
            Operation::Reactivate => self.account.change(id, "ACTIVE"),
            _ => self.account.person(id).map(Ok),
        };
        match found {
            Some(Ok(person)) => Ok(json!(person)),
            Some(Err(message)) => Err(gateway(403, 7, message)),
            None => Err(gateway(404, 5, "user not found")),
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// `<CompanyOrProductName>/<version>`, and whatever follows.
fn check_user_agent(headers: &HeaderMap) -> Result<(), Refusal> {
    let product = header(headers, "user-agent")
        .and_then(|value| value.split(' ').next())
        .and_then(|product| product.split_once('/'));
    match product {
        Some((name, version)) if is_token(name) && is_token(version) => Ok(()),
        _ => Err(gateway(400, 3, "User-Agent must be <CompanyOrProductName>/<version>")),
    }
}

/// A token of RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn no_body(request: &Incoming<'_>) -> Result<(), Refusal> {
    if request.body.is_empty() { Ok(()) } else { Err(gateway(400, 3, "this request must not have a body")) }
}

/// The fields of a form.
fn form<'a>(request: &Incoming<'a>) -> Result<Vec<(&'a str, &'a str)>, Refusal> {
    if request.query.is_some() {
        return Err(oauth(400, "invalid_request", "a query does not belong here"));
    }
    if header(request.headers, "content-type") != Some("application/x-www-form-urlencoded") {
        return Err(oauth(400, "invalid_request", "Content-Type must be application/x-www-form-urlencoded"));
    }
    let body = std::str::from_utf8(request.body).unwrap_or_default();
    Ok(body.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect())
}

/// A parameter of a query, with its value decoded.
fn pair(pair: &str) -> Result<(&str, String), Refusal> {
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    let value = percent_encoding::percent_decode_str(value).decode_utf8();
    let value = value.map_err(|_| gateway(400, 3, format!("{key} is not valid UTF-8")))?;
    Ok((key, value.into_owned()))
}
