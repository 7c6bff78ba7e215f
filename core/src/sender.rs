//! Sends a request, and sends it again while that may help and the action's bounds allow it.

use core::cell::RefCell;
use core::time::Duration;

use crate::api::service_error::{ErrorResponse, RpcCode};
use crate::classify;
use crate::error::{Error, UnavailableCause};
use crate::http::{Request, Response, TransportFault};
use crate::machine::Effects;
use crate::redact::Redactor;
use crate::retry;
use crate::time::Instant;
use crate::values::settings::Settings;

/// Sends requests within one action's deadline and number of attempts.
pub(crate) struct Sender {
    pub(crate) effects: Effects,
    pub(crate) settings: Settings,
    /// The point at which the action must have ended.
    pub(crate) deadline: Instant,
}

/// A failure to get a usable response.
pub(crate) struct SendError {
    pub(crate) error: Error,
    /// The action had too little time left for the request or for another attempt. An action with more time might succeed.
    pub(crate) lacked_time: bool,
}

impl From<Error> for SendError {
    fn from(error: Error) -> Self {
        Self { error, lacked_time: false }
    }
}

/// The result of [`Sender::pause`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pause {
    /// The pause has elapsed: there is another attempt.
    Elapsed,
    /// All attempts were made.
    NoAttemptLeft,
    /// The pause would not end before the deadline.
    NoTimeLeft,
}

impl Sender {
    /// Sends a request until there is a response that waiting would not improve. A change (of
    /// `changed_user`) is sent only once: the user may have to be looked up before it is sent again.
    pub(crate) async fn send(
        &self,
        request: Request,
        redactor: &RefCell<Redactor>,
        changed_user: Option<&str>,
    ) -> Result<Response, SendError> {
        let mut attempt = 1;
        loop {
            let mut request = request.clone();
            request.total_timeout = self.time_left()?;
            let is_hurried = request.total_timeout < self.settings.timeout;
            let failure = match self.effects.send(request).await? {
                Ok(response) if !is_transient(&response, changed_user) => return Ok(response),
                Ok(response) => {
                    let read = ErrorResponse::read(&response, &redactor.borrow());
                    classify::failure(read, &response, changed_user).into()
                }
                Err(error) => {
                    let is_final = !error.fault.is_transient();
                    let is_timeout = error.fault == TransportFault::Timeout;
                    let lacked_time = is_hurried && is_timeout;
                    let mut error =
                        classify::no_response(&self.settings.base_url, error, &redactor.borrow(), changed_user);
                    if is_final {
                        return Err(error.into());
                    }
                    // It was the action's time that was up, and not the server's.
                    if let Error::Unavailable { cause, .. } = &mut error
                        && is_timeout
                        && self.time_left().is_err()
                    {
                        *cause = UnavailableCause::Deadline(self.settings.deadline);
                    }
                    SendError { error, lacked_time }
                }
            };
            if changed_user.is_some() {
                return Err(failure);
            }
            match self.pause(attempt, failure.error.retry_after()).await? {
                Pause::Elapsed => attempt += 1,
                Pause::NoAttemptLeft => return Err(failure),
                Pause::NoTimeLeft => return Err(SendError { lacked_time: true, ..failure }),
            }
        }
    }

    /// The time until the deadline; an error if it has passed.
    pub(crate) fn time_left(&self) -> Result<Duration, SendError> {
        let left = self.deadline.since(self.effects.now());
        if left.is_zero() {
            let cause = UnavailableCause::Deadline(self.settings.deadline);
            let error = Error::Unavailable { cause, retry_after: None, may_have_changed: None };
            return Err(SendError { error, lacked_time: true });
        }
        Ok(left)
    }

    /// Waits before the attempt after this one, if there is one, for this time at least.
    pub(crate) async fn pause(&self, attempt: u32, at_least: Option<Duration>) -> Result<Pause, Error> {
        let now = self.effects.now();
        let pause = retry::pause(attempt, at_least, self.effects.entropy());
        if attempt >= self.settings.max_attempts {
            return Ok(Pause::NoAttemptLeft);
        }
        if pause >= self.deadline.since(now) {
            return Ok(Pause::NoTimeLeft);
        }
        self.effects.wait(pause).await?;
        Ok(Pause::Elapsed)
    }
}

/// True if a response means that the same request may succeed later. A conflict with another request at the same time counts,
/// except for a change: the user has to be looked up first.
fn is_transient(response: &Response, changed_user: Option<&str>) -> bool {
    let is_conflict = || {
        let read = ErrorResponse::read(response, &Redactor::default());
        changed_user.is_none() && read.rpc_code == Some(RpcCode::Aborted)
    };
    retry::is_transient(response.status) || response.status == 409 && is_conflict()
}
