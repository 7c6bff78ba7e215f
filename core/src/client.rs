//! API calls of one action: obtains a token, renews it once if the service refuses it, and classifies the response.

use alloc::format;
use alloc::string::{String, ToString};
use core::cell::{Cell, RefCell};
use core::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::api::body::{TokenResponse, parse_user};
use crate::api::call::{ApiCall, token_request};
use crate::api::page::Page;
use crate::api::refusal;
use crate::api::service_error::{ErrorResponse, ServiceError};
use crate::classify;
use crate::config::{self, Credentials};
use crate::error::Error;
use crate::http::Response;
use crate::machine::Effects;
use crate::redact::{REDACTED, Redactor};
use crate::retry;
use crate::secret::Secret;
use crate::sender::{Pause, SendError, Sender};
use crate::text;
use crate::token::{Role, TokenCache, TokenKey};
use crate::values::protected::ProtectedUsers;
use crate::values::user::User;

/// The longest pause between two looks at a change that was accepted.
const MAX_LOOK_PAUSE: Duration = Duration::from_secs(16);

/// The access of one action to the service.
pub(crate) struct Client {
    sender: Sender,
    tokens: TokenCache,
    credentials: Credentials,
    redactor: RefCell<Redactor>,
    /// A resource route answered a request of this action.
    has_routes: Cell<bool>,
}

/// The failure of a call.
pub(crate) struct CallError {
    pub(crate) error: Error,
    /// There was no token, so the call was not sent. The token request has been repeated already.
    pub(crate) is_token_failure: bool,
}

impl CallError {
    fn token(error: Error) -> Self {
        Self { error, is_token_failure: true }
    }
}

impl From<Error> for CallError {
    fn from(error: Error) -> Self {
        Self { error, is_token_failure: false }
    }
}

impl From<SendError> for CallError {
    fn from(failure: SendError) -> Self {
        failure.error.into()
    }
}

impl From<CallError> for Error {
    fn from(failure: CallError) -> Self {
        failure.error
    }
}

impl Client {
    /// Looks up the settings and the identifying part of the credentials.
    pub(crate) async fn new(effects: Effects, tokens: TokenCache) -> Result<Self, Error> {
        let started_at = effects.now();
        let settings = config::settings(&effects).await?;
        let deadline = started_at.after(settings.deadline);
        let credentials = config::credentials(&effects, &settings).await?;
        let mut redactor = Redactor::default();
        if let Credentials::Client(key) = &credentials {
            redactor.add(key.client_id());
        }
        let sender = Sender { effects, settings, deadline };
        Ok(Self { sender, tokens, credentials, redactor: RefCell::new(redactor), has_routes: Cell::new(false) })
    }

    /// Makes a call. The answer is a success. A call that reads has a body of the expected kind; a change may have another one.
    pub(crate) async fn call(&self, call: &ApiCall<'_>) -> Result<Answer, CallError> {
        let mut accepted = None;
        match self.try_call(call, &mut accepted).await {
            Err(failure) if !failure.error.may_have_changed() => accepted.ok_or(failure),
            result => result,
        }
    }

    /// Makes a call. `accepted` is the answer to a change that is a success by its status, and an error about the token by its
    /// body: no later failure denies it.
    async fn try_call(&self, call: &ApiCall<'_>, accepted: &mut Option<Answer>) -> Result<Answer, CallError> {
        let mut is_renewed = false;
        loop {
            let token = self.token().await.map_err(CallError::token)?;
            self.redactor.borrow_mut().add(&token);
            let request = call.request(&self.sender.settings, &token);
            let response = self.sender.send(request, &self.redactor, call.changed_user()).await?;
            let status = response.status;
            let result = self.classify(call, response);
            if let (200..=299, Some(user_id), Err(error)) = (status, call.changed_user(), &result) {
                let may_have_changed = Some(user_id.into());
                *accepted = Some(Answer { body: Err(error.to_string()), status, retry_after: None, may_have_changed });
            }
            match &result {
                Ok(answer) if !self.has_routes() && answer.shows_routes(call) => {
                    self.has_routes.set(true);
                    self.tokens.note_routes(&token);
                }
                Err(Error::Unauthenticated { .. }) if matches!(self.credentials, Credentials::Client(_)) => {
                    self.tokens.invalidate(&token);
                    // The service revokes tokens before they expire when the application changes: one new token, one more try.
                    if !core::mem::replace(&mut is_renewed, true) {
                        continue;
                    }
                }
                _ => {}
            }
            return Ok(result?);
        }
    }

    /// True if the service has shown that it has the resource routes of this version.
    pub(crate) fn has_routes(&self) -> bool {
        self.has_routes.get() || (matches!(self.credentials, Credentials::Client(_)) && self.tokens.has_routes())
    }

    /// The error of a service that does not have the route of a call.
    pub(crate) fn unknown_route(&self, service: ServiceError) -> Error {
        classify::unknown_route(service, &self.sender.settings)
    }

    /// Looks the protected users up.
    pub(crate) async fn protected_users(&self) -> Result<ProtectedUsers, Error> {
        config::protected_users(&self.sender.effects).await
    }

    /// Waits before the attempt after this one, if there is one.
    pub(crate) async fn pause(&self, attempt: u32, error: &Error) -> Result<Pause, Error> {
        self.sender.pause(attempt, error.retry_after()).await
    }

    /// Waits before the next look at a change that was accepted: 2 s, 4 s and so on, or as long as the answer asks for.
    pub(crate) async fn pause_for_change(&self, attempt: u32, answer: &Answer) -> Result<Pause, Error> {
        let pause = Duration::from_secs(2_u64.saturating_pow(attempt)).min(MAX_LOOK_PAUSE);
        self.sender.pause(attempt, Some(pause.max(answer.retry_after.unwrap_or_default()))).await
    }

    fn classify(&self, call: &ApiCall<'_>, response: Response) -> Result<Answer, Error> {
        let may_have_changed = call.changed_user().map(Into::into);
        let redactor = self.redactor.borrow();
        let is_change = call.is_change();
        let is_success = (200..300).contains(&response.status);
        let secret_name = self.credentials.secret_name();
        let problem = match refusal::unusable(&response, is_change) {
            None if !is_success => {
                let settings = &self.sender.settings;
                return Err(classify::response_to_call(call, &response, &redactor, settings, secret_name));
            }
            None => None,
            problem => problem,
        };
        let body = match problem {
            Some(problem) => Err(problem),
            None => match call {
                ApiCall::List { .. } => Page::parse(&response.body).map(|mut page| {
                    page.note_headers(&response);
                    Body::Page(page)
                }),
                _ => parse_user(&response.body).map(Body::User),
            }
            .map_err(|problem| problem.to_string())
            .and_then(|body| self.without_secrets(body, &redactor)),
        };
        // An error in the disguise of a success: neither a user nor a list.
        let error = body.is_err().then(|| ErrorResponse::read(&response, &redactor)).filter(|read| read.has_form);
        let body = match error {
            Some(read) if classify::is_about_token(&read, &response) => {
                return Err(Error::Unauthenticated { name: secret_name, service: read.error });
            }
            Some(read) => Err(format!("it is an error ({})", read.error)),
            None => body,
        };
        let retry_after = retry::retry_after(&response, None);
        let answer = Answer { body, status: response.status, retry_after, may_have_changed };
        match &answer.body {
            Err(problem) if !(is_change && is_success) => Err(self.invalid(&answer, problem)),
            _ => Ok(answer),
        }
    }

    /// Replaces the fields of users in which the service repeats a credential. An id or a page token with one is an error, since it
    /// cannot be replaced.
    fn without_secrets(&self, mut body: Body, redactor: &Redactor) -> Result<Body, String> {
        let users = match &mut body {
            Body::User(user) => core::slice::from_mut(user),
            Body::Page(page) => {
                if page.next_page_token.as_deref().is_some_and(|token| redactor.finds(token)) {
                    return Err("a page token repeats a secret".into());
                }
                page.users.as_mut_slice()
            }
        };
        // The longest text of most users, which needs no search.
        let own_path = format!("accounts/{}/users/", self.sender.settings.account.as_str());
        for user in users {
            if redactor.finds(&user.id) {
                return Err("the id of a user repeats a secret".into());
            }
            let is_own_path = || {
                let (start, id) = user.path.as_bytes().split_at_checked(own_path.len()).unwrap_or_default();
                is_same(start, own_path.as_bytes()) && is_same(id, user.id.as_bytes())
            };
            if !is_own_path() && redactor.finds(&user.path) {
                user.path = REDACTED.into();
            }
            for text in [&mut user.email, &mut user.display_name, &mut user.create_time] {
                if redactor.finds(text) {
                    *text = REDACTED.into();
                }
            }
            if redactor.finds(&user.service_state) {
                user.service_state = REDACTED.into();
            }
        }
        Ok(body)
    }

    /// The error of an answer that does not say what it should. The text may hold words of the service.
    pub(crate) fn invalid(&self, answer: &Answer, problem: &str) -> Error {
        Error::InvalidResponse {
            problem: text::clean(&self.redactor.borrow().redact(problem)),
            status: answer.status,
            may_have_changed: answer.may_have_changed.clone(),
        }
    }

    /// The token to use: the platform's, the cached one, a new one, or the one that another action is requesting.
    async fn token(&self) -> Result<Secret, Error> {
        let key = match &self.credentials {
            Credentials::AccessToken(token) => return Ok(token.clone()),
            Credentials::Client(key) => key,
        };
        let Sender { effects, settings, deadline } = &self.sender;
        loop {
            if let Some(token) = self.tokens.get(key, effects.now()) {
                return Ok(token);
            }
            match self.tokens.join(key, effects, *deadline, settings.timeout) {
                Role::Leader(leader) => {
                    let (token, lacked_time) = match self.request_token(key).await {
                        Ok(token) => (Ok(token), false),
                        Err(failure) => (Err(failure.error), failure.lacked_time),
                    };
                    leader.publish(&token, lacked_time);
                    return token;
                }
                Role::Follower(follower) => {
                    while !follower.is_released(effects.now()) {
                        let left = self.sender.time_left().map_err(|failure| failure.error)?;
                        effects.wait_for_other(left.min(follower.max_wait(effects.now()))).await?;
                        // A leader that was given up may have come back with a token after all.
                        if let Some(token) = self.tokens.get(key, effects.now()) {
                            return Ok(token);
                        }
                    }
                    if let Some(token) = follower.outcome(*deadline, settings.timeout) {
                        return token;
                    }
                }
            }
        }
    }

    async fn request_token(&self, key: &TokenKey) -> Result<Secret, SendError> {
        let Sender { effects, settings, .. } = &self.sender;
        let client_secret = config::client_secret(effects).await?;
        let basic = basic(key.client_id(), &client_secret);
        let requested_at = effects.now();
        for value in [&client_secret, &basic] {
            self.redactor.borrow_mut().add(value);
        }
        let response = self.sender.send(token_request(settings, &basic), &self.redactor, None).await?;
        let redactor = self.redactor.borrow();
        let invalid = |problem: &str| Error::InvalidResponse {
            problem: text::clean(&redactor.redact(problem)),
            status: response.status,
            may_have_changed: None,
        };
        if let Some(problem) = refusal::unusable(&response, false) {
            return Err(invalid(&problem).into());
        }
        if response.status != 200 {
            return Err(classify::token_refusal(&response, &redactor, settings).into());
        }
        let response = TokenResponse::parse(&response.body).map_err(|problem| invalid(&problem.to_string()))?;
        self.tokens.insert(key, &response, requested_at);
        Ok(response.token)
    }
}

/// The body of a success.
pub(crate) enum Body {
    User(User),
    Page(Page),
}

/// The answer to a call.
pub(crate) struct Answer {
    /// The body, or the reason why it is not what it should be, which is possible for a change only.
    pub(crate) body: Result<Body, String>,
    status: u16,
    retry_after: Option<Duration>,
    may_have_changed: Option<String>,
}

impl Answer {
    /// True if there is a user in the answer, the one that was asked for if it was one.
    fn shows_routes(&self, call: &ApiCall<'_>) -> bool {
        match &self.body {
            Ok(Body::User(user)) => call.user_id() == Some(&user.id),
            Ok(Body::Page(page)) => page.users.iter().any(User::has_id),
            Err(_) => false,
        }
    }
}

/// Compares bytes eight at a time: `memcmp` of a component compares one after another.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    let ((words, rest), (other_words, other_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let are_equal = |(a, b): (&[u8; 8], &[u8; 8])| u64::from_le_bytes(*a) == u64::from_le_bytes(*b);
    a.len() == b.len() && words.iter().zip(other_words).all(are_equal) && rest == other_rest
}

/// `base64(client_id:client_secret)`, the credentials of HTTP Basic (RFC 7617).
fn basic(client_id: &Secret, client_secret: &Secret) -> Secret {
    let mut pair = Zeroizing::new(String::with_capacity(client_id.expose().len() + 1 + client_secret.expose().len()));
    pair.push_str(client_id.expose());
    pair.push(':');
    pair.push_str(client_secret.expose());
    Secret::new(STANDARD.encode(pair.as_bytes()))
}
