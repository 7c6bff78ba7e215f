//! API calls of one action: obtains a token, renews it once if the service refuses it, and classifies the response.

use alloc::string::{String, ToString};
use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::api::body::TokenResponse;
use crate::api::call::{ApiCall, token_request};
use crate::api::refusal;
use crate::classify;
use crate::config::{self, Credentials};
use crate::error::Error;
use crate::http::Response;
use crate::machine::Effects;
use crate::secret::Secret;
use crate::sender::{Pause, SendError, Sender};
use crate::text;
use crate::token::{Role, TokenCache, TokenKey};

/// The access of one action to the service.
pub(crate) struct Client {
    sender: Sender,
    tokens: TokenCache,
    credentials: Credentials,
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
        Ok(Self { sender: Sender { effects, settings, deadline }, tokens, credentials })
    }

    /// Makes a call. The answer is a 200 whose body remains to be parsed.
    pub(crate) async fn call(&self, call: &ApiCall<'_>) -> Result<Answer, CallError> {
        let mut is_renewed = false;
        loop {
            let token = self.token().await.map_err(CallError::token)?;
            let response = self.send(call, &token).await?;
            if response.status == 401 && matches!(self.credentials, Credentials::Client(_)) {
                self.tokens.invalidate(&token);
                // The service revokes tokens before they expire when the application changes: one new token, one more try.
                if !core::mem::replace(&mut is_renewed, true) {
                    continue;
                }
            }
            return Ok(self.classify(call, response, token)?);
        }
    }

    /// Waits before the attempt after this one, if there is one.
    pub(crate) async fn pause(&self, attempt: u32, error: &Error) -> Result<Pause, Error> {
        self.sender.pause(attempt, error).await
    }

    async fn send(&self, call: &ApiCall<'_>, token: &Secret) -> Result<Response, SendError> {
        let request = call.request(&self.sender.settings, token);
        self.sender.send(request, &[token], call.changed_user()).await
    }

    fn classify(&self, call: &ApiCall<'_>, response: Response, token: Secret) -> Result<Answer, Error> {
        let answer = Answer { response, token, may_have_changed: call.changed_user().map(Into::into) };
        if let Some(problem) = refusal::unusable(&answer.response) {
            return Err(answer.invalid(&problem));
        }
        let (secret, has_routes) = (self.credentials.secret_name(), matches!(self.credentials, Credentials::Client(_)));
        let settings = &self.sender.settings;
        match classify::response_to_call(call, &answer.response, &answer.token, settings, secret, has_routes) {
            Some(error) => Err(error),
            None => Ok(answer),
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
        let secrets = [&basic, &client_secret, key.client_id()];
        let response = self.sender.send(token_request(settings, &basic), &secrets, None).await?;
        let invalid = |problem: &dyn fmt::Display| Error::InvalidResponse {
            problem: text::clean(&problem.to_string(), &secrets),
            status: response.status,
            may_have_changed: None,
        };
        if let Some(problem) = refusal::unusable(&response) {
            return Err(invalid(&problem).into());
        }
        if response.status != 200 {
            return Err(classify::token_refusal(&response, &secrets, settings).into());
        }
        let response = TokenResponse::parse(&response.body).map_err(|problem| invalid(&problem))?;
        self.tokens.insert(key, &response, requested_at);
        Ok(response.token)
    }
}

/// The answer to a call: a 200 whose body remains to be parsed.
pub(crate) struct Answer {
    response: Response,
    token: Secret,
    may_have_changed: Option<String>,
}

impl Answer {
    pub(crate) fn body(&self) -> &[u8] {
        &self.response.body
    }

    /// The error of a body that does not say what it should.
    pub(crate) fn invalid(&self, problem: &dyn fmt::Display) -> Error {
        Error::InvalidResponse {
            problem: text::clean(&problem.to_string(), &[&self.token]),
            status: self.response.status,
            may_have_changed: self.may_have_changed.clone(),
        }
    }
}

/// `base64(client_id:client_secret)`, the credentials of HTTP Basic (RFC 7617).
fn basic(client_id: &Secret, client_secret: &Secret) -> Secret {
    let mut pair = Zeroizing::new(String::with_capacity(client_id.expose().len() + 1 + client_secret.expose().len()));
    pair.push_str(client_id.expose());
    pair.push(':');
    pair.push_str(client_secret.expose());
    Secret::new(STANDARD.encode(pair.as_bytes()))
}
