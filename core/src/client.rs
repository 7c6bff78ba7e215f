//! Calls with a token: obtains it, renews it once if the service refuses it, tries again what may pass, and tells what a
//! refusal means.

use alloc::format;
use alloc::string::{String, ToString};
use core::cell::Cell;
use core::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::action::{Instant, Io};
use crate::error::{Error, Outage, PAGE_TOKEN_REFUSED};
use crate::http::{Request, Response, TransportError, TransportFault};
use crate::reply::Reply;
use crate::retry;
use crate::secret::Secret;
use crate::service::{self, Call, Grant, Protected};
use crate::session::{Identity, Session};
use crate::settings::{Settings, misconfigured};
use crate::text;
use crate::user::UserRef;

/// One action's view of the service.
pub(crate) struct Client {
    io: Io,
    session: Session,
    settings: Settings,
    /// When the action must have ended.
    deadline: Instant,
    credentials: Credentials,
    /// A token was asked for in vain. It was asked for often enough then.
    token_failed: Cell<bool>,
    /// A request was given up because the action has too little time left for it, or for another attempt.
    lacked_time: Cell<bool>,
}

/// How the action proves who it is.
enum Credentials {
    /// By a token that the platform obtained.
    AccessToken(Secret),
    /// By a token that is obtained for this client.
    Client(Identity),
}

impl Client {
    /// Reads the settings, and as much of the credentials as tells who is acting.
    pub(crate) async fn new(io: Io, session: Session) -> Result<Self, Error> {
        let began = io.now();
        let settings = Settings::read(&io).await?;
        let deadline = began.after(settings.deadline);
        let credentials = if let Some(token) = io.secret("access-token").await? {
            if !service::is_bearer_token(&token) {
                return Err(misconfigured("access-token", "it has characters that no token has".into()));
            }
            Credentials::AccessToken(token)
        } else {
            let client_id = required(&io, "client-id").await?;
            if client_id.expose().contains(':') {
                return Err(misconfigured("client-id", "it contains a colon, which HTTP Basic cannot carry".into()));
            }
            Credentials::Client(Identity::new(&settings, client_id))
        };
        Ok(Self {
            io,
            session,
            settings,
            deadline,
            credentials,
            token_failed: Cell::new(false),
            lacked_time: Cell::new(false),
        })
    }

    /// Makes a call and returns the body of its answer, which was a 200, with the way to complain about it.
    pub(crate) async fn call(&self, call: &Call<'_>) -> Result<Answer, Error> {
        let token = self.token().await?;
        let response = self.send(call.request(&self.settings, &token), &[&token], call.is_change()).await?;
        if response.status != 401 || matches!(self.credentials, Credentials::AccessToken(_)) {
            return self.judge(call, response, token);
        }
        // The service takes a token back before its time when the application changes: one new token, one more try.
        self.session.forget(&token);
        let token = self.token().await?;
        let response = self.send(call.request(&self.settings, &token), &[&token], call.is_change()).await?;
        if response.status == 401 {
            self.session.forget(&token);
        }
        self.judge(call, response, token)
    }

    /// Whether the last failure was that of a token request.
    pub(crate) fn token_failed(&self) -> bool {
        self.token_failed.get()
    }

    /// The token to use.
    async fn token(&self) -> Result<Secret, Error> {
        let token = self.obtain_token().await;
        self.token_failed.set(token.is_err());
        token
    }

    async fn obtain_token(&self) -> Result<Secret, Error> {
        let identity = match &self.credentials {
            Credentials::AccessToken(token) => return Ok(token.clone()),
            Credentials::Client(identity) => identity,
        };
        loop {
            if let Some(token) = self.session.token(identity, self.io.now()) {
                return Ok(token);
            }
            match self.session.fetch(identity, self.deadline) {
                Ok(right) => {
                    self.lacked_time.set(false);
                    let token = self.request_token(identity).await;
                    right.tell(&token, self.lacked_time.get());
                    return token;
                }
                Err(fetch) => {
                    let left = self.time_left()?;
                    self.io.join(fetch.clone(), left).await?;
                    if let Some(token) = fetch.outcome(self.deadline, self.settings.timeout) {
                        return token;
                    }
                }
            }
        }
    }

    async fn request_token(&self, identity: &Identity) -> Result<Secret, Error> {
        let client_secret = required(&self.io, "client-secret").await?;
        let basic = basic(identity.client_id(), &client_secret);
        let asked_at = self.io.now();
        let secrets = [&basic, &client_secret, identity.client_id()];
        let response = self.send(service::token_request(&self.settings, &basic), &secrets, false).await?;
        let status = response.status;
        let invalid = |problem: String| Error::InvalidResponse {
            problem: text::clean(&problem, &secrets),
            status,
            may_have_changed: false,
        };
        if let Some(problem) = service::unusable(&response) {
            return Err(invalid(problem));
        }
        if status != 200 {
            return Err(self.token_refused(&response, &secrets));
        }
        let grant = Grant::read(&response.body).map_err(invalid)?;
        self.session.keep(identity, &grant, asked_at);
        Ok(grant.token)
    }

    /// Sends a request until there is an answer that will not get better by waiting. A change is not repeated here: the
    /// truth may have to be looked at first.
    async fn send(&self, request: Request, secrets: &[&Secret], is_change: bool) -> Result<Response, Error> {
        let mut attempt = 1;
        loop {
            let mut request = request.clone();
            request.deadline = self.time_left()?;
            let is_hurried = request.deadline < self.settings.timeout;
            let error = match self.io.send(request).await? {
                Ok(response) if !retry::may_pass(response.status) => return Ok(response),
                Ok(response) => failed(Reply::read(&response, secrets), &response, is_change),
                Err(error) if error.fault.may_pass() => {
                    self.lacked_time.set(is_hurried && error.fault == TransportFault::Timeout);
                    self.unanswered(error, is_change)
                }
                Err(error) => return Err(self.unanswered(error, is_change)),
            };
            if is_change || !self.pause(attempt, &error).await? {
                return Err(error);
            }
            attempt += 1;
        }
    }

    /// What is left of the action's time; an error if that is over.
    fn time_left(&self) -> Result<Duration, Error> {
        let left = self.deadline.since(self.io.now());
        if left.is_zero() {
            self.lacked_time.set(true);
            let outage = Outage::Deadline(self.settings.deadline);
            return Err(Error::Unavailable { outage, retry_after: None, may_have_changed: false });
        }
        Ok(left)
    }

    /// Waits before the attempt after this one; false if there is none, for too many were made or too little time is left.
    pub(crate) async fn pause(&self, attempt: u32, error: &Error) -> Result<bool, Error> {
        let now = self.io.now();
        let pause = retry::pause(attempt, error.retry_after(), now);
        if attempt >= self.settings.max_attempts {
            return Ok(false);
        }
        if pause >= self.deadline.since(now) {
            self.lacked_time.set(true);
            return Ok(false);
        }
        self.io.wait(pause).await?;
        Ok(true)
    }

    fn unanswered(&self, error: TransportError, is_change: bool) -> Error {
        let origin = self.settings.base_url.origin();
        let may_have_changed = is_change && error.fault.may_have_arrived();
        match error.fault {
            TransportFault::Denied | TransportFault::Certificate => {
                misconfigured("base-url", format!("{origin}: {error}"))
            }
            TransportFault::TooLarge { status } => {
                Error::InvalidResponse { problem: error.to_string(), status, may_have_changed }
            }
            TransportFault::Internal => Error::Other { problem: format!("{origin}: {error}"), reply: None },
            _ => {
                Error::Unavailable { outage: Outage::Transport { origin, error }, retry_after: None, may_have_changed }
            }
        }
    }

    /// What became of a call.
    fn judge(&self, call: &Call<'_>, response: Response, token: Secret) -> Result<Answer, Error> {
        let may_have_changed = call.is_change();
        let answer = Answer { response, token, may_have_changed };
        if let Some(problem) = service::unusable(&answer.response) {
            return Err(answer.invalid(problem));
        }
        if answer.response.status == 200 {
            return Ok(answer);
        }
        let reply = Reply::read(&answer.response, &[&answer.token]);
        if matches!(reply.status, 400 | 403 | 409 | 412 | 422) && call.is_change() {
            match service::protected(&reply) {
                Some(Protected::LastOwner) => return Err(Error::LastOwner { reply }),
                Some(Protected::ExternallyManaged) => return Err(Error::ExternallyManaged { reply }),
                None => {}
            }
        }
        Err(match reply.status {
            401 => Error::Unauthenticated { name: self.secret_name(), reply },
            403 => Error::PermissionDenied { permission: call.permission(), reply },
            404 => self.not_found(call, reply),
            400 if matches!(call, Call::List { page_token: Some(_), .. }) => {
                Error::Other { problem: PAGE_TOKEN_REFUSED.into(), reply: Some(reply) }
            }
            _ => failed(reply, &answer.response, may_have_changed),
        })
    }

    /// What a 404 means: the user, the account or the route may be missing. That a user is missing is claimed only in the
    /// service's own form, and if it speaks of a user, or has given a token and so has these routes: a wrong address of
    /// the service would make every user a missing one.
    fn not_found(&self, call: &Call<'_>, reply: Reply) -> Error {
        let is_its_own = reply.code.as_deref() == Some("5");
        let has_routes = matches!(self.credentials, Credentials::Client(_));
        let speaks_of_user = reply.message.to_ascii_lowercase().contains("user");
        match call {
            Call::Get(user) | Call::Suspend(user) | Call::Reactivate(user)
                if is_its_own && (has_routes || speaks_of_user) =>
            {
                Error::UserNotFound { user: UserRef::Id(user.as_str().into()), reply: Some(reply) }
            }
            Call::List { .. } if is_its_own && has_routes => Error::Misconfigured {
                name: "account-id",
                problem: "the service knows no such account".into(),
                reply: Some(reply),
            },
            _ => self.no_route(reply),
        }
    }

    fn no_route(&self, reply: Reply) -> Error {
        let problem = format!(
            "{} does not know the routes of version {}",
            self.settings.base_url.origin(),
            self.settings.version
        );
        Error::Misconfigured { name: "base-url", problem, reply: Some(reply) }
    }

    /// What a refused token request means.
    fn token_refused(&self, response: &Response, secrets: &[&Secret]) -> Error {
        let reply = Reply::read(response, secrets);
        match (reply.status, reply.code.as_deref()) {
            (401, _) | (400, Some("invalid_client" | "invalid_grant" | "unauthorized_client")) => {
                Error::Unauthenticated { name: self.secret_name(), reply }
            }
            (403, _) => Error::PermissionDenied { permission: "obtain a token", reply },
            (404, _) => self.no_route(reply),
            _ => failed(reply, response, false),
        }
    }

    fn secret_name(&self) -> &'static str {
        match self.credentials {
            Credentials::AccessToken(_) => "access-token",
            Credentials::Client(_) => "client-secret",
        }
    }
}

/// The answer to a call: a 200, of which the body is still to be understood.
pub(crate) struct Answer {
    response: Response,
    token: Secret,
    may_have_changed: bool,
}

impl Answer {
    pub(crate) fn body(&self) -> &[u8] {
        &self.response.body
    }

    /// The error for a body that does not say what it should.
    pub(crate) fn invalid(&self, problem: String) -> Error {
        Error::InvalidResponse {
            problem: text::clean(&problem, &[&self.token]),
            status: self.response.status,
            may_have_changed: self.may_have_changed,
        }
    }
}

/// Failures that mean the same for every request.
fn failed(reply: Reply, response: &Response, may_have_changed: bool) -> Error {
    let retry_after = retry::retry_after(response);
    match reply.status {
        429 => Error::RateLimited { retry_after, reply },
        // Not implemented: the same request will never do better.
        501 => Error::Other { problem: "the service does not offer this".into(), reply: Some(reply) },
        408 | 500.. => Error::Unavailable { outage: Outage::Service(reply), retry_after, may_have_changed },
        _ => Error::Other { problem: "the service refused the request".into(), reply: Some(reply) },
    }
}

/// A secret that must be set.
async fn required(io: &Io, name: &'static str) -> Result<Secret, Error> {
    let Some(secret) = io.secret(name).await? else {
        return Err(misconfigured(name, "it is not set".into()));
    };
    if secret.expose().chars().any(char::is_control) {
        return Err(misconfigured(name, "it contains a control character, such as a line break".into()));
    }
    Ok(secret)
}

/// `base64(client_id:client_secret)`, as the service wants it (RFC 7617).
fn basic(client_id: &Secret, client_secret: &Secret) -> Secret {
    let mut pair = Zeroizing::new(String::with_capacity(client_id.expose().len() + 1 + client_secret.expose().len()));
    pair.push_str(client_id.expose());
    pair.push(':');
    pair.push_str(client_secret.expose());
    Secret::new(STANDARD.encode(pair.as_bytes()))
}
